"""`tenet principles suggest` on runs of the scripted judge: whose verdicts count, what is asked, and what bad input gets told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from constitution.load import load
from generate.answers import CACHE, Answers
from generate.context import PREFERENCES, Step
from generate.models import judge_engine
from generate.pipeline import generate
from generate.relabel import config_of
from generate.suggest.evidence import Evidence, gather
from generate.suggest.verdicts import Verdicts
from judges.humans.importer import read_labels
from tenet.cli import cli
from tenet.ids import Json
from tenet.records import Judgement, Preference
from tenet.runs import Run
from tests.generate.runs_example import make_order, quiet, write_principles, write_rows

PROMPTS = 40
POOL = "The response is brief.\nThe response is exact.\nThe response is calm.\n"


def rows(prompts: int = PROMPTS) -> list[Mapping[str, Json]]:
    return [
        {"prompt": f"Question {n}?", "responses": [f"answer {n} one", f"answer {n} two with more words"]}
        for n in range(prompts)
    ]


def make_run(folder: Path, mode: str, words: tuple[str, ...], *, name: str = "run", noise: float = 3.0) -> Path:
    """A run whose judge has a taste of its own for each wording of a question."""
    file = write_principles(folder / f"{name}.yaml", words)
    judge: Json = {
        "engine": "scripted", "model": "longer", "principles": mode, "options": {"noise": noise, "log": str(folder / "asked.log")},
    }  # fmt: skip
    samples = {"path": write_rows(folder / "samples.jsonl", rows())}
    order = make_order(folder, name, {"samples": samples, "judge": judge, "critique": "none", "principles": str(file)})
    generate(order, quiet()).close()
    return order.folder


def write_labels(path: Path, preferences: Sequence[str], **more: Json) -> Path:
    """One label a prompt."""
    told = [
        {
            "prompt": row["prompt"], "response_a": row["responses"][0], "response_b": row["responses"][1],  # type: ignore[index, call-overload]
            "preference": preference, "annotator": "ann", **more,
        }
        for row, preference in zip(rows(), preferences, strict=False)
    ]  # fmt: skip
    write_rows(path, told)
    return path


def suggest(run: Path, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["principles", "suggest", str(run), *map(str, arguments)])


def values_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def asked(folder: Path) -> int:
    return (folder / "asked.log").read_text().count("\n")


def winners(run: Path) -> dict[tuple[str, str, str], float]:
    """1 where a recorded preference is for the first response of the pair."""
    with Run.read(run) as held:
        return {
            (p.prompt_id, p.a_id, p.b_id): float(p.p_a > 0.5) for p in held.stage(PREFERENCES, Preference).records()
        }


@pytest.mark.parametrize("mode", ["each", "whole", "sampled"])
def test_agreement_is_that_of_a_run_judged_with_the_candidate(tmp_path: Path, mode: str) -> None:
    run = make_run(tmp_path, mode, ("kind", "tidy"))
    with_it = make_run(tmp_path, mode, ("kind", "tidy", "brief"), name="more")
    alone = make_run(tmp_path, mode, ("unused", "unused too", "brief"), name="alone") if mode == "sampled" else None
    labels = write_labels(tmp_path / "labels.jsonl", ["a"] * PROMPTS)
    candidate = load(tmp_path / "more.yaml").principles[-1]
    with Run.read(run) as held:
        config = config_of(held)
        evidence: Evidence = gather(held, read_labels(labels).labels, share=0.5, seed=0)
        assert len(evidence.pairs) == PROMPTS == len(evidence.fit) + len(evidence.held_out)
        answers = Answers(run, "", quiet(), 0.0)
        with judge_engine(config.judge) as engine:
            verdicts = Verdicts(engine, load(config.principles), config.judge, config.seed, answers)
            verdicts.hear([(), (candidate,)], evidence.pairs, "asking")
            before, after = verdicts.agreement((), evidence.pairs), verdicts.agreement((candidate,), evidence.pairs)
    people = {one.key: float(one.a_wins) for one in evidence.pairs}
    recorded = winners(run)
    assert before == {key: float(recorded[key] == people[key]) for key in recorded}
    relabelled = winners(with_it)
    if alone is None:
        assert after == {key: float(relabelled[key] == people[key]) for key in relabelled}
        return
    # Drawn: the file's principle weighs 2, the candidate 1; where the relabelled run drew the candidate, its verdict is the candidate's.
    with Run.read(with_it) as held:
        drew = {one.prompt_id: one.principle for one in held.stage(Step.JUDGEMENTS, Judgement).records()}
    for key, value in after.items():
        new = 3 * value - 2 * before[key]
        assert new == pytest.approx(round(new))
        if drew[key[0]] == candidate.id:
            assert new == pytest.approx(float(relabelled[key] == people[key]))
    assert candidate.id in drew.values()


@pytest.mark.parametrize("mode", ["each", "whole"])
def test_the_plan_is_exact_and_nothing_is_asked_twice(tmp_path: Path, mode: str) -> None:
    run = make_run(tmp_path, mode, ("kind", "tidy"))
    (tmp_path / "pool.txt").write_text(POOL)
    labels = write_labels(tmp_path / "labels.jsonl", ["a"] * PROMPTS)
    words = (
        "--humans",
        labels,
        "--pool",
        tmp_path / "pool.txt",
        "--most",
        1,
        "--to",
        tmp_path / "draft.yaml",
        "--force",
    )
    began = asked(tmp_path)
    planned = values_of(suggest(run, *words, "--dry-run", "--json"))["planned"]
    assert asked(tmp_path) == began
    assert planned["calls"] == 2 * PROMPTS * 3  # the file's own answers are the run's
    stopped = suggest(run, *words, "--max-tokens", planned["tokens"] - 1)
    assert (stopped.exit_code, asked(tmp_path)) == (0, began)
    assert f"--max-tokens {planned['tokens']} or more" in stopped.stderr
    found = values_of(suggest(run, *words, "--max-tokens", planned["tokens"], "--json"))
    assert found["asked"]["calls"] == asked(tmp_path) - began == planned["calls"]
    assert found["asked"]["tokens"] <= planned["tokens"]
    again = values_of(suggest(run, *words, "--json"))
    assert (again["asked"]["calls"], again["candidates"]) == (0, found["candidates"])
    assert (run / CACHE / "run.json").exists()


def test_the_judge_proposes_once_from_pairs_that_it_gets_wrong(tmp_path: Path) -> None:
    run = make_run(tmp_path, "each", ("kind", "tidy"), noise=0.0)  # takes the longer one; people the shorter
    labels = write_labels(run / "labels.jsonl", ["a"] * PROMPTS)
    words = ("--from", 7, "--json", "--to", tmp_path / "draft.yaml")
    planned = values_of(suggest(run, *words, "--dry-run"))["planned"]
    assert planned["proposing"]["calls"] == 7
    result = suggest(run, *words)
    found = values_of(result)
    assert {one["text"] for one in found["candidates"]} == {
        "The response has fewer words.",
        "The response is fewer than enough.",
    }
    assert (
        "proposed 14 principles from 7 pairs, 2 of them different; 7 lines of other forms were dropped" in result.stderr
    )
    assert found["disagreement"] == {
        "wrong": PROMPTS,
        "no_winner": 0,
        "fit": found["pairs"]["fit"],
        "held_out": found["pairs"]["held_out"],
    }
    assert [one["standing"] for one in found["candidates"]] == ["not supported"] * 2  # this judge reads no principle
    assert found["draft"] is None
    assert not (tmp_path / "draft.yaml").exists()
    assert found["asked"]["calls"] == 7 + 2 * 2 * PROMPTS
    assert values_of(suggest(run, *words))["asked"]["calls"] == 0
    assert labels.exists()


def test_a_judge_that_cannot_propose_is_told_to_take_a_pool(tmp_path: Path) -> None:
    file = write_principles(tmp_path / "run.yaml", ("kind",))
    values: dict[str, Json] = {
        "samples": {"path": write_rows(tmp_path / "samples.jsonl", rows())},
        "judge": {"engine": "scripted", "model": "longer", "options": {"unparsed": 1}}, "critique": "none", "principles": str(file),
    }  # fmt: skip
    order = make_order(tmp_path, "run", values)
    generate(order, quiet()).close()
    result = suggest(order.folder, "--humans", write_labels(tmp_path / "labels.jsonl", ["a"] * PROMPTS))
    assert result.exit_code == 2
    assert "proposed nothing that can be read" in result.stderr
    assert "--pool FILE" in result.stderr


def test_bad_input_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    run = make_run(tmp_path, "sampled", ("kind",), noise=0.0)
    (tmp_path / "pool.txt").write_text(POOL)
    pool = ("--pool", tmp_path / "pool.txt")
    labels = tmp_path / "labels.jsonl"
    began = asked(tmp_path)

    def told(*words: object, code: int = 2) -> str:
        result = suggest(run, *words)
        assert result.exit_code == code, result.output
        return result.stderr

    assert "tenet labels import" in told(*pool, code=3)
    assert "no such file" in told("--humans", tmp_path / "none.jsonl", *pool, code=3).lower()
    write_rows(labels, [{"prompt": "Else?", "response_a": "x", "response_b": "y", "preference": "a", "annotator": "b"}])
    assert "none of the 1 labels is about a pair of this run" in told("--humans", labels, *pool)
    write_labels(labels, ["a"] * PROMPTS, principle="kind")
    assert f"none of the {PROMPTS} labels is about a pair of this run as a whole" in told("--humans", labels, *pool)
    write_labels(labels, ["tie"] * PROMPTS)
    assert f"all {PROMPTS} labelled pairs of the run are ties" in told("--humans", labels, *pool)
    write_labels(labels, ["a"] * 15)
    assert "too few labels" in told("--humans", labels, *pool)
    write_labels(labels, ["a"] * PROMPTS)
    (tmp_path / "same.txt").write_text("The response is kind.\n")
    assert "says what the file's p0 says" in told("--humans", labels, "--pool", tmp_path / "same.txt")
    (tmp_path / "draft.yaml").write_text("mine")
    assert "is there already" in told("--humans", labels, *pool, "--to", tmp_path / "draft.yaml")
    assert asked(tmp_path) == began
    write_labels(labels, ["b"] * PROMPTS)  # the longer one, as the judge has it
    assert f"All {PROMPTS} labelled pairs agree with the file in force" in told("--humans", labels, *pool, code=0)
    write_labels(labels, ["a"] * 3 + ["b"] * (PROMPTS - 3))
    assert "goes against people in 3 of 40" in told("--humans", labels, *pool, code=0)
    assert asked(tmp_path) == began


def test_labels_of_several_people_are_averaged_and_prompts_stay_on_their_side(tmp_path: Path) -> None:
    run = make_run(tmp_path, "sampled", ("kind",), noise=0.0)
    labels = list(read_labels(write_labels(tmp_path / "labels.jsonl", ["a"] * PROMPTS)).labels)
    other = [replace(one, id=f"{one.id}-2", annotator="bob", preference=type(one.preference).B) for one in labels[:5]]
    with Run.read(run) as held:
        found = gather(held, [*labels, *other], share=0.5, seed=0)
        few = gather(held, labels[:20], share=0.5, seed=0)
        third = gather(held, labels, share=0.25, seed=0)
    assert (found.labels, found.matched, found.ties, len(found.pairs)) == (PROMPTS + 5, PROMPTS + 5, 5, PROMPTS - 5)
    sides = {one.key: one.held_out for one in gather_all(found, few)}
    assert all(sides[one.key] == one.held_out for one in few.pairs if one.key in sides)
    assert {one.key for one in third.held_out} <= {one.key for one in gather_pairs(run, labels).held_out}


def gather_all(*found: Evidence) -> list[Any]:
    return [one for evidence in found for one in evidence.pairs]


def gather_pairs(run: Path, labels: Sequence[Any]) -> Evidence:
    with Run.read(run) as held:
        return gather(held, labels, share=0.5, seed=0)
