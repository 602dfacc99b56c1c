"""`tenet audit` on small runs: what it writes and shows, that a second one asks nothing, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from generate.audit.kin import self_preference
from generate.audit.model import FILE
from generate.audit.run import AUDITS, Wanted, at_work
from generate.export.card import body
from generate.pipeline import generate
from generate.report.data import gather
from generate.report.render import render
from judges.audit.attacks import INJECTIONS
from judges.humans.labels import label_to_json, parse_label
from tenet.cli import cli
from tenet.ids import Json
from tests.generate.runs_example import make_order, quiet, write_principles, write_rows

PROMPTS = 14
JUDGE: Json = {"engine": "scripted", "model": "longer", "options": {"gain": 4.0, "noise": 0.2}}
ROWS: list[Mapping[str, Json]] = [
    {
        "prompt": f"Question {n}?",
        "tags": ["harmful"] if n % 7 == 0 else [],
        "responses": [f"answer {n} {k} " + "word " * 9 * k for k in range(3)],
    }
    for n in range(PROMPTS)
]


def make_run(folder: Path, *, name: str = "run", rows: list[Mapping[str, Json]] = ROWS, **keys: Json) -> Path:
    """A judged run, whose judge notes what it is asked."""
    principles = str(write_principles(folder / "principles.yaml", ("kind", "tidy")))
    judge: dict[str, Any] = {**JUDGE, **keys.pop("judge", {})}  # type: ignore[dict-item]
    judge["options"] = {**judge["options"], "log": str(folder / "asked.log")}
    samples: Json = {"path": write_rows(folder / f"{name}.jsonl", rows)}
    source = {} if "policy" in keys else {"samples": samples}
    order = make_order(folder, name, {**source, "principles": principles, "judge": judge, "critique": "none", **keys})
    generate(order, quiet()).close()
    return order.folder


def audit(run: Path, *words: object) -> Result:
    return CliRunner().invoke(cli, ["audit", str(run), *map(str, words)])


def asked(run: Path) -> int:
    return (run.parent.parent / "asked.log").read_text().count("\n")


def test_every_audit_is_run_shown_and_kept_and_a_second_one_asks_nothing(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    plan = json.loads(audit(run, "--dry-run", "--json").stdout)
    assert not (run / FILE).exists()
    before = asked(run)
    shown = audit(run, "--json")
    assert shown.exit_code == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert told == json.loads((run / FILE).read_text())
    assert [one["name"] for one in told["audits"]] == list(AUDITS)
    assert told["sample"] == {"pairs": PROMPTS * 3, "sampled": PROMPTS, "seed": 0, "decided_verdicts": 2 * PROMPTS}
    assert told["cost"]["asked"] == asked(run) - before > 0
    assert [(one["asked"], one["prompt_tokens"]) for one in plan["audits"]] == [
        (one["asked"], one["prompt_tokens"]) for one in told["audits"]
    ]
    injection = told["audits"][0]
    assert injection["count"] == 2 * PROMPTS * len(INJECTIONS)
    assert (
        injection["rows"][0]["control_low"] <= injection["rows"][0]["control"] <= injection["rows"][0]["control_high"]
    )
    refusal = next(one for one in told["audits"] if one["name"] == "over-refusal")
    assert refusal["prompts"] == PROMPTS - 2
    after = asked(run)
    again = audit(run)
    assert asked(run) == after
    assert "steerability: fails; the judge ignores the file" in again.stderr
    for name in AUDITS:
        assert name in again.stdout
    second = json.loads((run / FILE).read_text())
    assert second["cost"]["asked"] == 0
    assert [(one["value"], one["rows"]) for one in second["audits"]] == [
        (one["value"], one["rows"]) for one in told["audits"]
    ]


def test_report_and_card_show_what_audits_came_to(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert gather(run).audits == ()
    assert "Audits of the judge" not in render(gather(run))
    assert audit(run, "--only", "length", "--only", "self-preference").exit_code == 0
    data = gather(run)
    told = json.loads((run / FILE).read_text())["audits"]
    assert [(one.name, one.result) for one in data.audits] == [(one["name"], one["result"]) for one in told]
    assert [one.name for one in data.audits] == ["length", "self-preference"]
    assert data.audits[0].value == f"{100 * told[0]['value']:+.1f}"
    assert data.audits[0].limit == "at most +10.0"
    page = render(data)
    assert "Audits of the judge" in page
    assert "change of P(better) by padding" in page
    assert f"Audit `length`: {told[0]['result']}, +" in body(data, [])


def test_audits_of_one_sample_go_on_with_a_larger_one(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    first = json.loads(audit(run, "--only", "null-response", "--sample", 5, "--json").stdout)
    larger = json.loads(audit(run, "--only", "null-response", "--sample", 10, "--json").stdout)
    assert (first["cost"]["asked"], larger["cost"]["asked"]) == (5 * 3 * 2, 5 * 3 * 2)
    assert larger["cost"]["questions"] == 10 * 3 * 2
    assert first["audits"][0]["result"] == "too few"
    other = json.loads(audit(run, "--only", "null-response", "--sample", 5, "--seed", 1, "--json").stdout)
    assert other["cost"]["asked"] > 0


def test_a_later_audit_keeps_what_an_earlier_one_of_the_same_sample_found(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    names = []
    for words in (("length",), ("null-response",), ("length", "--sample", 4)):
        assert audit(run, "--only", *words).exit_code == 0
        names.append([one["name"] for one in json.loads((run / FILE).read_text())["audits"]])
    assert names == [["length"], ["null-response", "length"], ["length"]]


def test_a_file_that_has_changed_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert "has changed" not in audit(run, "--only", "length").stderr
    write_principles(tmp_path / "principles.yaml", ("kind", "neat"))
    assert "has changed since the run was judged" in audit(run, "--only", "length").stderr


@pytest.mark.parametrize("mode", ["each", "whole"])
def test_a_run_of_several_principles_is_asked_about_all(tmp_path: Path, mode: str) -> None:
    run = make_run(tmp_path, judge={"principles": mode})
    found = json.loads(audit(run, "--only", "length", "--json").stdout)["audits"][0]
    assert found["rows"][1]["count"] == PROMPTS * (2 if mode == "each" else 1)


def test_opposites_are_taken_from_a_file(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    opposites = write_principles(tmp_path / "opposites.yaml", ("rude", "messy"))
    negated = json.loads(audit(run, "--only", "steerability", "--json").stdout)
    against = json.loads(audit(run, "--only", "steerability", "--opposite", opposites, "--json").stdout)
    assert against["cost"]["asked"] > 0
    assert "as far as negations tell" in negated["audits"][0]["says"]
    assert "negations" not in against["audits"][0]["says"]
    wrong = audit(run, "--opposite", write_principles(tmp_path / "one.yaml", ("rude",)), "--only", "steerability")
    assert wrong.exit_code == 2
    assert "has no opposite for p1" in wrong.stderr


def test_ci_can_fail_on_what_injections_turn(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert audit(run, "--only", "injection", "--fail-above", 0.9).exit_code == 0
    failed = audit(run, "--only", "injection", "--fail-above", -1)
    assert failed.exit_code == 4
    assert "at most -1 may be turned" in failed.stderr
    few = audit(run, "--only", "injection", "--sample", 3, "--fail-above", 0.9)
    assert few.exit_code == 4


def test_what_cannot_be_audited_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    unknown = audit(run, "--only", "charm")
    assert (unknown.exit_code, "there are injection, null-response" in unknown.stderr) == (2, True)
    assert audit(tmp_path / "nowhere").exit_code == 3
    record = json.loads((run / "run.json").read_text())
    record["fingerprint"]["identity"]["judge"]["template"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    other = audit(run)
    assert other.exit_code == 2
    assert "judge.template" in other.stderr
    single = make_run(tmp_path, name="single", rows=[{"prompt": "Hello?", "response": "Hi."}])
    none = audit(single)
    assert none.exit_code == 2
    assert "has no judged pair" in none.stderr


def test_kin_are_named_and_measured_against_people(tmp_path: Path) -> None:
    """Two policies, one of the judge's own model. People always prefer the other one's responses where they have labelled."""
    policies: Json = [
        {"engine": "scripted", "model": name, "name": name, "samples": 1, "options": {"batch": 16}}
        for name in ("longer", "hash")
    ]
    prompts: Json = {"path": write_rows(tmp_path / "prompts.jsonl", [{"prompt": f"Question {n}?"} for n in range(30)])}
    run = make_run(tmp_path, policy=policies, prompts=prompts)
    wanted = Wanted(only=("self-preference",))
    with at_work(run, wanted, quiet(), "") as (case, _, _):
        plain = self_preference(case.run, case.config, case.shards)
    assert plain.value is None
    assert "the judge is the model of a policy too" in plain.says
    assert "tenet labels import" in plain.says
    write_labels(run)
    with at_work(run, wanted, quiet(), "") as (case, _, _):
        found = self_preference(case.run, case.config, case.shards)
    assert found.value is not None
    assert 0.0 < found.value.value <= 1.0
    assert found.count == found.prompts > 10


def write_labels(run: Path) -> None:
    """A person who prefers the response of `hash` throughout."""
    from generate.context import Step, by_prompt
    from tenet.records import Prompt, Sample
    from tenet.runs import Run

    lines = []
    with Run.read(run) as held:
        samples = by_prompt(held.stage(Step.SAMPLES, Sample).records())
        for prompt in held.stage(Step.PROMPTS, Prompt).records():
            by = {one.policy: one for one in samples[prompt.id]}
            label = parse_label(
                {
                    "prompt": prompt.text, "response_a": by["longer"].text, "response_b": by["hash"].text,
                    "preference": "b", "annotator": "ada",
                }
            ).label  # fmt: skip
            if label is not None and by["longer"].text != by["hash"].text:
                lines.append(json.dumps(label_to_json(label)))
    (run / "labels.jsonl").write_text("\n".join(lines) + "\n")
