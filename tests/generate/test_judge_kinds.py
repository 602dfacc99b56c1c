"""Runs whose judge writes before it answers: made, planned, limited, resumed, and looked at by every command that reads a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from engines.scripted_server import scripted_server
from generate.bill import USAGE
from generate.context import PREFERENCES, Step
from generate.intake import read_input
from generate.pipeline import STATS, Order, assemble, generate
from generate.plan import Plan, plan
from generate.report import write_report
from judges.humans.labels import with_id
from judges.humans.store import add_labels
from tenet.cli import cli
from tenet.config import load_config, make_config
from tenet.errors import BudgetReached, InvalidInput
from tenet.ids import Json
from tenet.records import Choice, Finish, Judgement, Label, Outcome, Preference, Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import make_order, quiet, write_principles, write_rows

PROMPTS, REPLIES = 24, 2
KINDS: dict[str, Json] = {
    "critique-first": {"critique": {"max_tokens": 120}},
    "reasoning": {"thinking": {"budget": 120}},
}
Make = Callable[..., Order]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """An order for a run on given responses, `kind` of judge."""
    write_principles(tmp_path / "principles.yaml", ("kind", "tidy"))
    rows = [
        {
            "prompt": f"Question {n}?",
            "responses": [f"answer {n} {k} " + "word " * (1 + k * (n % 3)) for k in range(REPLIES)],
        }
        for n in range(PROMPTS)
    ]
    path = write_rows(tmp_path / "samples.jsonl", rows)

    def order(
        kind: str = "critique-first", name: str = "run", judge: dict[str, Json] | None = None, **keys: Json
    ) -> Order:
        own: dict[str, Json] = {
            "engine": "scripted", "model": "longer", "kind": kind, "options": {"noise": 1.0, "batch": 16},
            **KINDS.get(kind, {}), **(judge or {}),
        }  # fmt: skip
        return make_order(tmp_path, name, {"samples": {"path": path}, "judge": own, "critique": "none", **keys})

    return order


def judgements(order: Order) -> list[Judgement]:
    with Run.read(order.folder) as run:
        return list(run.stage(Step.JUDGEMENTS, Judgement).records())


def planned(order: Order) -> Plan:
    with closing(assemble(order.config)) as cast:
        return plan(order.config, order.folder, cast.policies, cast.judge, read_input(order.config))


def command(*words: str) -> Result:
    found = CliRunner().invoke(cli, list(words), standalone_mode=False)
    assert found.exception is None, (words, found.output, found.exception)
    return found


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_run_keeps_the_texts_and_is_done_when_it_is_done(make: Make, kind: str) -> None:
    order = make(kind)
    (line,) = planned(order).lines
    generate(order, quiet()).close()
    told = judgements(order)
    assert len(told) == 2 * PROMPTS == line.calls.expected
    field, other = ("critique", "thinking") if kind == "critique-first" else ("thinking", "critique")
    assert all(getattr(one, field).startswith("Response A has ") for one in told)
    assert not any(getattr(one, other) or one.cut for one in told)
    prompt, completion = (sum(getattr(one, name) for one in told) for name in ("prompt_tokens", "completion_tokens"))
    assert line.prompt_tokens.low < prompt <= line.prompt_tokens.high
    assert line.completion_tokens.low < completion <= line.completion_tokens.high
    assert line.completion_tokens.high == 2 * PROMPTS * 121
    usage = json.loads((order.folder / STATS).read_text())[USAGE]["judgements"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, completion)
    (after,) = planned(order).lines
    assert after.owed.high == after.prompt_tokens.high == after.completion_tokens.high == 0
    generate(order, quiet()).close()
    assert judgements(order) == told
    direct = make("pairwise", "direct")
    generate(direct, quiet()).close()
    assert not {one.id for one in judgements(direct)} & {one.id for one in told}


def test_a_plan_learns_the_length_of_texts_from_what_is_recorded(make: Make) -> None:
    order = make()
    generate(order, quiet()).close()
    rows = [{"prompt": f"New {n}?", "responses": [f"one {n}", f"one two three {n}"]} for n in range(PROMPTS)]
    samples = order.folder.parents[1] / "samples.jsonl"
    samples.write_text(samples.read_text() + "\n" + "\n".join(map(json.dumps, rows)))
    (line,) = planned(order).lines
    assert line.owed.expected == 2 * PROMPTS
    before = sum(one.completion_tokens or 0 for one in judgements(order))
    read = sum(one.prompt_tokens or 0 for one in judgements(order))
    generate(order, quiet()).close()
    written = sum(one.completion_tokens or 0 for one in judgements(order)) - before
    assert line.completion_tokens.holds(written)
    assert line.completion_tokens.high == 2 * PROMPTS * 121
    assert line.completion_tokens.expected is None or abs(line.completion_tokens.expected - written) < 0.1 * written
    assert line.prompt_tokens.holds(sum(one.prompt_tokens or 0 for one in judgements(order)) - read)


def test_a_limit_counts_both_requests_and_is_not_passed(make: Make) -> None:
    whole = make(name="whole")
    generate(whole, quiet()).close()
    total = sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for one in judgements(whole))
    order = replace(make(), max_tokens=2 * total)  # the pre-flight asks the same questions once more
    with pytest.raises(BudgetReached):
        generate(replace(order, max_tokens=int(1.4 * total)), quiet())
    done = judgements(order)
    assert 0 < len(done) < 2 * PROMPTS
    assert sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for one in done) <= 1.4 * total
    generate(replace(order, max_tokens=None), quiet()).close()
    assert {one.id for one in judgements(order)} == {one.id for one in judgements(whole)}


def test_the_page_shows_the_texts_of_its_pairs(make: Make) -> None:
    for kind in KINDS:
        order = make(kind, kind)
        generate(order, quiet()).close()
        write_report(order.folder)
        page = (order.folder / "report.html").read_text()
        assert "What the judge wrote before its verdicts" in page
        assert "follows the principle better." in page
        assert ('<span class="tag">thinking</span>' in page) is (kind == "reasoning")
        assert ("after thinking" if kind == "reasoning" else "after a written comparison") in page
    order = make("critique-first", "short", {"critique": {"max_tokens": 20}})
    generate(order, quiet()).close()
    write_report(order.folder)
    assert "Many verdicts after a text that was cut off" in (order.folder / "report.html").read_text()


def label_run(run: Run) -> None:
    """Have one person prefer what the judge prefers."""
    prompts = {one.id: one for one in run.stage(Step.PROMPTS, Prompt).records()}
    texts = {one.id: one.text for one in run.stage(Step.SAMPLES, Sample).records()}
    add_labels(
        run.path / "labels.jsonl",
        [
            with_id(
                Label(
                    "", prompts[one.prompt_id].messages, texts[one.a_id], texts[one.b_id],
                    Choice.A if (one.p_a > 0.5) is (place % 5 > 0) else Choice.B, "ann",
                )
            )
            for place, one in enumerate(run.stage(PREFERENCES, Preference).records())
        ],
    )  # fmt: skip


def test_calibration_compares_it_with_the_direct_way(make: Make) -> None:
    critic, direct = make(name="critic"), make("pairwise", "direct")
    generate(critic, quiet()).close()
    generate(direct, quiet()).close()
    with Run.read(critic.folder) as run:
        label_run(run)
    found = json.loads(command("calibrate", str(critic.folder), "--also", str(direct.folder), "--json").stdout)
    assert {one["way"] for one in found["ways"]["candidates"]} == {"critic", "direct"}
    assert found["ways"]["way"] in ("critic", "direct")


def test_every_command_that_reads_a_run_takes_it(make: Make, tmp_path: Path) -> None:
    order = make()
    with generate(order, quiet()) as run:
        label_run(run)
    folder = str(order.folder)
    assert json.loads(command("status", folder, "--json").stdout)
    assert "critique-first" in (order.folder / "run.yaml").read_text()
    command("report", folder)
    command("principles", "coverage", folder)
    command("card", folder, "--json")
    edited = write_principles(tmp_path / "edited.yaml", ("kind", "neat"))
    before = len(judgements(order))
    effect = command("principles", "diff", str(tmp_path / "principles.yaml"), str(edited), "--run", folder, "--json")
    assert json.loads(effect.stdout)
    assert len(judgements(order)) == before
    with Run.read(order.folder / "diffs") as cache:
        kept = list(cache.stage(Step.JUDGEMENTS, Judgement).records())
    assert kept
    assert all(one.critique for one in kept), "what diff asks is asked as the run asks"
    steer = command("principles", "steer", "--judge", "longer", "--engine", "scripted", "--run", folder, "--json")
    assert json.loads(steer.stdout), "steer asks for the letter at once, whatever the run's kind"


def test_a_server_gives_the_same_as_the_engine_in_this_process(make: Make) -> None:
    inside = make("critique-first", "inside", {"options": {"batch": 16}})
    generate(inside, quiet()).close()
    expected = {(one.first_id, one.second_id): (one.p_first, one.critique) for one in judgements(inside)}
    with scripted_server(rule="longer") as server:
        for name, options in (("ids", {"api": "vllm", "tokenizer": "bytes"}), ("chat", {"api": "chat"})):
            host: dict[str, Json] = {
                "engine": "http", "model": "scripted", "base_url": [server.base_url], "options": options,
            }  # fmt: skip
            order = make("critique-first", name, host)
            generate(order, quiet()).close()
            found = {(one.first_id, one.second_id): (one.p_first, one.critique) for one in judgements(order)}
            assert found.keys() == expected.keys()
            for key, (p, critique) in found.items():
                assert (pytest.approx(expected[key][0]), expected[key][1]) == (p, critique), name
        host["options"] = {"api": "vllm", "tokenizer": "bytes"}
        order = make("reasoning", "thinking", host)
        generate(order, quiet()).close()
        assert all(one.thinking and one.p_first is not None for one in judgements(order))


def test_a_server_of_messages_without_log_probabilities_gives_votes(make: Make) -> None:
    with scripted_server(rule="longer", no_logprobs=True) as server:
        host: dict[str, Json] = {
            "engine": "http", "model": "scripted", "base_url": [server.base_url],
            "options": {"api": "chat", "verdicts": "text"},
        }  # fmt: skip
        order = make("critique-first", "votes", host)
        generate(order, quiet()).close()
    assert all(one.is_vote and one.critique for one in judgements(order))


def test_what_cannot_be_used_together_is_said_before_anything_runs(tmp_path: Path) -> None:
    write_principles(tmp_path / "principles.yaml", ("kind",))

    def problems(judge: dict[str, Json], **keys: Json) -> str:
        values = {
            "name": "run", "principles": str(tmp_path / "principles.yaml"),
            "samples": {"path": write_rows(tmp_path / "samples.jsonl", [])},
            "judge": {"engine": "scripted", "model": "longer", **judge}, "critique": "none", **keys,
        }  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            make_config(values, RunConfig)
        return str(caught.value)

    assert "a judge of kind pairwise does not read it" in problems({"critique": {"max_tokens": 10}})
    assert "set kind: reasoning" in problems({"kind": "critique-first", "thinking": {"budget": 10}})
    assert "a judge of kind pairwise is not clamped" in problems({"clamp": [0.4, 0.6]})
    for wrong in ([0.4], [0.4, 0.7], [0.6, 0.4], [0.3, 0.4, 0.3]):
        assert "two numbers about 0.5" in problems({"kind": "critique-first", "clamp": wrong})
    assert "is empty" in problems({"kind": "reasoning", "thinking": {"close": " "}})
    assert "set critique: none" in problems({"kind": "reasoning"}, critique="pairs")


def test_the_keys_come_back_from_a_written_run_file(make: Make) -> None:
    order = make("reasoning", "kept", {"clamp": [0.3, 0.7]})
    generate(order, quiet()).close()
    read = load_config(order.folder / "run.yaml", RunConfig)
    assert read.judge == order.config.judge
    assert read.judge.clamp == (0.3, 0.7)
    assert {one.p_first for one in judgements(order)} <= {
        one.p_first for one in judgements(order) if 0.3 <= (one.p_first or 0) <= 0.7
    }
    assert {one.outcome for one in judgements(order)} <= {Outcome.FIRST, Outcome.SECOND}
    assert {sample.finish for sample in Run.read(order.folder).stage(Step.SAMPLES, Sample).records()} == {Finish.GIVEN}
