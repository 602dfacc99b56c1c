"""An edit of the principles against a run: what flips, whose doing it is, what is asked for that, and what applying it asks."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from constitution.diff import compare
from constitution.load import load
from generate.amounts import Amount
from generate.answers import CACHE
from generate.bill import read_usage
from generate.context import PREFERENCES, Step
from generate.measured import Measured, measured
from generate.pipeline import generate, read_stats
from generate.relabel import relabel, with_principles
from tenet.cli import cli
from tenet.errors import FingerprintMismatch, UsageError
from tenet.ids import Json
from tenet.records import Judgement, Preference
from tenet.runs import Run
from tests.generate.runs_example import dataset_digest, make_order, quiet, write_principles, write_rows

WORDS = ("kind", "tidy", "brief", "exact")
EDITED = ("kind", "neat", "brief", "exact")
CLOSE: Json = {"kind": "knockout", "second_order": "close"}
PROMPTS, REPLIES = 24, 3
PAIRS = PROMPTS * 3


def make_run(
    folder: Path, *, mode: str = "sampled", words: tuple[str, ...] = WORDS, name: str = "run", **keys: Json
) -> Path:
    """A run judged by an engine whose taste is all noise, so that another wording is another verdict."""
    write_principles(folder / "principles.yaml", words)
    rows: list[Mapping[str, Json]] = [
        {"prompt": f"Question {n}?", "responses": [f"answer {n} {k} " + "word " * k for k in range(REPLIES)]}
        for n in range(PROMPTS)
    ]
    judge: Json = {
        "engine": "scripted",
        "model": "longer",
        "principles": mode,
        "options": {"noise": 3.0, "log": str(folder / "asked.log")},
    }
    values: dict[str, Json] = {
        "samples": {"path": write_rows(folder / "samples.jsonl", rows)}, "judge": judge, "critique": "none", **keys,
    }  # fmt: skip
    order = make_order(folder, name, values)
    generate(order, quiet()).close()
    return order.folder


def edited(folder: Path, words: tuple[str, ...] = EDITED, name: str = "edited.yaml") -> str:
    return str(write_principles(folder / name, words))


def look(run: Path, second: str, *, size: int = 1000, seed: int = 0, first: str = "") -> Measured:
    first = first or str(run.parent.parent / "principles.yaml")
    return measured(run, compare(load(first), load(second)), second, quiet(), size=size, seed=seed)


def asked(run: Path) -> int:
    """Calls of the comparisons that the run's own commands made."""
    return read_usage(read_stats(run))[Step.JUDGEMENTS].calls


def winners(run: Path) -> dict[tuple[str, str, str], bool]:
    with Run.read(run) as held:
        return {(p.prompt_id, p.a_id, p.b_id): p.p_a > 0.5 for p in held.stage(PREFERENCES, Preference).records()}


@pytest.mark.parametrize("mode", ["sampled", "each", "whole"])
def test_the_effect_is_what_relabelling_then_does(tmp_path: Path, mode: str) -> None:
    """Every pair in reach looked at: the flips are those of the relabelled run, and no pair out of reach flips."""
    run, second = make_run(tmp_path, mode=mode), edited(tmp_path)
    before = winners(run)
    found = look(run, second).effect
    assert found.reach.pairs == PAIRS
    assert found.reach.reached == len(found.compared)
    assert (found.reach.reached < PAIRS) == (mode == "sampled")
    relabel(run, second, run / CACHE, quiet()).close()
    after = winners(run)
    assert {one.case.key for one in found.flips} == {key for key in before if before[key] != after[key]}
    assert found.flips
    assert found.rate.low == found.rate.value == found.rate.high == len(found.flips) / PAIRS
    assert {change.id for one in found.flips for change in one.blamed} == {"p1"}
    assert [(change.id, flips) for change, flips in found.by_change()] == [("p1", len(found.flips))]


@pytest.mark.parametrize("mode", ["sampled", "each", "whole"])
def test_only_what_changed_is_asked_once_and_the_plan_is_exact(tmp_path: Path, mode: str) -> None:
    run, second = make_run(tmp_path, mode=mode), edited(tmp_path)
    began, questions = asked(run), (tmp_path / "asked.log").read_text().count("\n")
    with Run.read(run) as held:
        old = {one.id: one for one in held.stage(Step.JUDGEMENTS, Judgement).records()}
    first = look(run, second, size=10)
    again = look(run, second, size=10)
    assert first.effect.spent.calls == 20
    assert (again.effect.spent.calls, again.effect.flips) == (0, first.effect.flips)
    line = again.relabelling.judging
    relabel(run, second, run / CACHE, quiet()).close()
    with Run.read(run) as held:
        new = [one for one in held.stage(Step.JUDGEMENTS, Judgement).records() if one.id not in old]
    assert {one.principle for one in new} == ({None} if mode == "whole" else {"p1"})
    assert line.calls == Amount.exact({"sampled": 2, "each": 8, "whole": 2}[mode] * PAIRS)
    assert line.owed == Amount.exact(asked(run) - began) == Amount.exact(len(new) - 20)
    taken = {one.id for one in _cached(run)}
    assert line.prompt_tokens == Amount.exact(sum(one.prompt_tokens or 0 for one in new if one.id not in taken))
    assert (tmp_path / "asked.log").read_text().count("\n") - questions == len(
        new
    )  # the judge passed its pre-flight before


def _cached(run: Path) -> list[Judgement]:
    with Run.read(run / CACHE) as cache:
        return list(cache.stage(Step.JUDGEMENTS, Judgement).records())


@pytest.mark.parametrize("schedule", ["round-robin", CLOSE], ids=["round robin", "close"])
@pytest.mark.parametrize("mode", ["sampled", "each"])
def test_applying_comes_to_a_full_relabel_byte_for_byte(tmp_path: Path, mode: str, schedule: Json) -> None:
    run, second = make_run(tmp_path, mode=mode, schedule=schedule), edited(tmp_path)
    look(run, second, size=12)
    relabel(run, second, run / CACHE, quiet()).close()
    fresh = make_run(tmp_path, mode=mode, words=EDITED, name="fresh", schedule=schedule)
    assert dataset_digest(run, "*.parquet") == dataset_digest(fresh, "*.parquet")
    for stage in (Step.JUDGEMENTS, PREFERENCES, Step.PAIRS):
        files = sorted(path.name for path in (fresh / stage).glob("*.parquet"))
        assert files
        assert all((run / stage / name).read_bytes() == (fresh / stage / name).read_bytes() for name in files)
    with Run.read(run) as held:
        assert held.config["principles"] == second
        assert held.command.endswith(f"--principles {second}")
        assert held.finished


def test_an_applied_edit_can_be_taken_back_without_asking(tmp_path: Path) -> None:
    run, second = make_run(tmp_path), edited(tmp_path)
    before = dataset_digest(run, "*.parquet")
    look(run, second)
    relabel(run, second, run / CACHE, quiet()).close()
    count = asked(run)
    back = look(run, str(tmp_path / "principles.yaml"), first=second)
    assert back.effect.spent.calls == 0
    assert back.relabelling.judging.owed == Amount.exact(0)
    relabel(run, str(tmp_path / "principles.yaml"), run / CACHE, quiet()).close()
    assert (dataset_digest(run, "*.parquet"), asked(run)) == (before, count)


def test_a_sample_is_fixed_and_a_larger_one_holds_it(tmp_path: Path) -> None:
    run, second = make_run(tmp_path, mode="each"), edited(tmp_path)
    small, large, other = (look(run, second, size=n, seed=s).effect for n, s in ((10, 0), (25, 0), (10, 1)))
    keys = [{one.case.key for one in found.compared} for found in (small, large, other)]
    assert [len(found) for found in keys] == [10, 25, 10]
    assert keys[0] < keys[1]
    assert keys[0] != keys[2]
    assert small.rate.low < small.rate.value < small.rate.high
    assert large.spent.calls == 30  # the ten pairs of before are known


@pytest.mark.parametrize("mode", ["sampled", "each", "whole"])
def test_of_several_changes_the_one_that_turned_a_verdict_is_blamed(tmp_path: Path, mode: str) -> None:
    """Of two reworded principles; where each is asked by itself, the words of the blamed one are what differs in the flip."""
    run = make_run(tmp_path, mode=mode)
    second = edited(tmp_path, ("kind", "neat", "short", "exact"))
    found = look(run, second).effect
    assert {change.id for one in found.flips for change in one.blamed} == {"p1", "p2"}
    assert all(one.blamed for one in found.flips)
    with Run.read(run) as held:
        drawn = {one.prompt_id: one.principle for one in held.stage(Step.JUDGEMENTS, Judgement).records()}
    if mode == "sampled":
        assert all([change.id for change in one.blamed] == [drawn[one.case.prompt.id]] for one in found.flips)
    for word, other in (("p1", ("kind", "neat", "brief", "exact")), ("p2", ("kind", "tidy", "short", "exact"))):
        alone = {one.case.key for one in look(run, edited(tmp_path, other, f"{word}.yaml")).effect.flips}
        blamed = {one.case.key for one in found.flips if word in {change.id for change in one.blamed}}
        both = {one.case.key for one in found.flips}
        assert alone & both <= blamed


def test_a_draw_that_moved_is_blamed_on_what_moved_it(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    found = look(run, edited(tmp_path, (*WORDS, "calm", "frank"))).effect
    assert found.flips
    assert {change.kinds for one in found.flips for change in one.blamed} == {("added",)}
    assert all(len(one.blamed) == 1 for one in found.flips)


def test_pairs_that_lose_their_verdict_are_counted_apart(tmp_path: Path) -> None:
    run, second = make_run(tmp_path), edited(tmp_path)
    path = Path(second)
    told = path.read_text()
    path.write_text(told.replace("is neat.\n", "is neat.\n    status: retired\n"))
    moved = look(run, second).effect
    assert moved.flips
    assert (moved.lost, moved.gained) == (0, 0)  # the prompts draw another principle
    path.write_text(told.replace("neat", "tidy").replace(".\n", ".\n    applies_when: {pattern: Question 1}\n"))
    gone = look(run, second).effect
    assert gone.lost == len(gone.compared)
    assert gone.lost == 3 * sum(not f"{n}".startswith("1") for n in range(PROMPTS))
    assert not any(one.flipped and one.after.winner is None for one in gone.compared)


def test_a_run_of_other_principles_is_refused_and_a_related_one_is_not(tmp_path: Path) -> None:
    run, second = make_run(tmp_path), edited(tmp_path)
    other = edited(tmp_path, ("calm", "frank", "warm", "plain"), "other.yaml")
    with pytest.raises(UsageError, match="was judged by other principles") as refused:
        look(run, second, first=other)
    assert str(tmp_path / "principles.yaml") in refused.value.hint
    third = edited(tmp_path, ("kind", "neat", "brief", "warm"), "third.yaml")
    found = look(run, third, first=second).effect
    assert found.taken > 0


def test_a_run_without_responses_and_another_judge_are_refused(tmp_path: Path) -> None:
    run, second = make_run(tmp_path), edited(tmp_path)
    empty = tmp_path / "runs/empty"
    shutil.copytree(run, empty)
    shutil.rmtree(empty / "samples")
    manifest = json.loads((empty / "manifest.json").read_text())
    del manifest["stages"]["samples"]
    (empty / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="no two responses to compare"):
        look(empty, second)
    record = json.loads((run / "run.json").read_text())
    record["fingerprint"]["identity"]["judge"]["template"] = "0" * 64
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(FingerprintMismatch, match=r"judge\.template"):
        look(run, second)


def test_failures_are_no_verdicts(tmp_path: Path) -> None:
    judge: Json = {"engine": "scripted", "model": "longer", "options": {"noise": 3.0, "errors": 0.2}}
    run, second = make_run(tmp_path, judge=judge, max_failures=0.6), edited(tmp_path)
    found = look(run, second).effect
    assert any(one.after.winner is None for one in found.compared)
    assert found.lost + found.gained > 0
    assert all(one.before.winner and one.after.winner for one in found.flips)


def command(run: Path, *words: str) -> Result:
    first = str(run.parent.parent / "principles.yaml")
    return CliRunner().invoke(cli, ["principles", "diff", first, *words])


def test_the_command_shows_flips_examples_and_cost_and_applies(tmp_path: Path) -> None:
    run, second = make_run(tmp_path, prices={"judge": {"prompt": 1.0, "completion": 2.0}}), edited(tmp_path)
    shown = command(run, second, "--run", str(run), "--sample", "12")
    assert shown.exit_code == 0, shown.stderr
    for part in (
        "[-tidy.-] {+neat.+}",
        "95 % interval",
        "p1",
        "reworded",
        "12 were drawn",
        "Relabelling the whole run",
        "USD",
    ):
        assert part in shown.stdout
    assert "--apply" in shown.stderr
    told = json.loads(command(run, second, "--run", str(run), "--sample", "12", "--json").stdout)["effect"]
    assert (told["sample"], told["asked"]["calls"]) == (12, 0)
    assert told["flip_rate"]["low"] <= told["flip_rate"]["value"] <= told["flip_rate"]["high"]
    assert "finite population" in told["flip_rate"]["method"]
    example = told["examples"][0]
    assert example["turned_by"] == ["p1"]
    assert example["p_of_the_first_winner"]["before"] > 0.5 > example["p_of_the_first_winner"]["after"]
    (step,) = [one for one in told["relabelling"]["steps"] if one["stage"] == "judgements"]
    began = asked(run)
    applied = command(run, second, "--run", str(run), "--sample", "12", "--apply")
    assert applied.exit_code == 0, applied.stderr
    assert asked(run) - began == step["owed"]["expected"]
    assert f"The run goes by {second} now" in applied.stderr


def test_the_command_asks_nothing_where_no_label_can_change(tmp_path: Path) -> None:
    run, second = make_run(tmp_path), Path(edited(tmp_path, WORDS))
    questions = (tmp_path / "asked.log").read_text()
    second.write_text(second.read_text().replace("kind.\n", "kind.\n    source: a book\n"))
    noted = command(run, str(second), "--run", str(run), "--apply")
    assert noted.exit_code == 0
    assert "No label of a run depends on what differs" in noted.stderr
    same = command(run, str(tmp_path / "principles.yaml"), "--run", str(run))
    assert (same.exit_code, same.stdout.count("no principle differs")) == (0, 1)
    assert (tmp_path / "asked.log").read_text() == questions
    assert not (run / CACHE).exists()


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    assert "add --run RUN" in command(run, edited(tmp_path), "--apply").stderr
    assert command(run, edited(tmp_path), "--run", "nowhere").exit_code == 3
    assert command(run, "nowhere.yaml").exit_code == 3
    whole = command(run, edited(tmp_path), "--run", str(run), "--sample", "5000")
    assert "all of them were judged under both files" in whole.stdout
    assert re.search(rf"(\d+) of \d+ verdicts flip: \1 of the run's {PAIRS} pairs, [\d.]+%\.", whole.stdout)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tenet generate run.yaml", "tenet generate run.yaml --principles new.yaml"),
        ("tenet generate --principles old --policy m", "tenet generate --policy m --principles new.yaml"),
        ("tenet generate --principles=old run.yaml", "tenet generate run.yaml --principles new.yaml"),
    ],
)
def test_the_command_that_goes_on_names_the_new_file(before: str, after: str) -> None:
    assert with_principles(before, "new.yaml") == after


def test_an_edit_of_the_critique_question_turns_no_verdict_and_still_has_a_cost(tmp_path: Path) -> None:
    run, second = make_run(tmp_path, critique="pairs"), Path(edited(tmp_path, WORDS))
    second.write_text(second.read_text().replace("tidy.\n", "tidy.\n    critique: Is the response tidy?\n"))
    shown = command(run, str(second), "--run", str(run))
    assert shown.exit_code == 0, shown.stderr
    assert f"No verdict of the run can flip: none of its {PAIRS} pairs is asked another question." in shown.stdout
    found = look(run, str(second))
    assert found.relabelling.judging.owed == Amount.exact(0)
    critiques = next(line for line in found.relabelling.bill.lines if line.stage == Step.CRITIQUES)
    assert critiques.owed.high > 0
    assert not (run / CACHE).exists()
