"""Panels in runs that the real pipeline makes on the scripted engine: asked one by one, weighed, heard as one judge, grown and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from generate.calibrated import PANEL_FILE
from generate.calibrating import calibrate
from generate.context import MEMBER, PREFERENCES, Step
from generate.measured import Session
from generate.pipeline import ALL, Order, dry_run, generate
from generate.report import write_report
from judges.card.build import make_card
from judges.card.show import words
from judges.humans.labels import with_id
from judges.humans.store import add_labels
from judges.panel import NAME
from tenet.config import load_config
from tenet.console import Console
from tenet.errors import BudgetReached, FingerprintMismatch, InvalidInput, TooManyFailures, UsageError
from tenet.records import Choice, Judgement, Label, PreferencePair, Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import dataset_digest, quiet, write_principles, write_run

PROMPTS = 60
GOOD = "{engine: scripted, model: longer, prefill: %s, options: {noise: 0.5, gain: 2, batch: 16}}"
FIRST = "{engine: scripted, model: longer, options: {gain: 0, position_bias: 4, batch: 16}}"
RANDOM = "{engine: scripted, model: longer, prefill: r, options: {gain: 0, noise: 4, batch: 16}}"
THREE = [GOOD % "x", GOOD % "y", GOOD % "z"]
Make = Callable[..., Run]


def panel(*members: str) -> str:
    return f"judge={{kind: panel, members: [{', '.join(members)}]}}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_run(tmp_path, prompts=PROMPTS, samples=2, more="critique: none\nexport: [trl-preference]\n")


@pytest.fixture
def order(file: Path, tmp_path: Path) -> Callable[..., Order]:
    def made(*overrides: str, steps: Collection[Step] = ALL, **more: Any) -> Order:
        config = load_config(file, RunConfig, overrides)
        return Order(config, tmp_path / "runs" / config.name, "tenet generate run.yaml", steps, **more)

    return made


def stages(run: Run) -> dict[str, int]:
    """Rows by member stage, in the order of their names."""
    return {
        name: run.stage(name, Judgement).counts().rows
        for name in sorted(run.manifest.stages)
        if name.startswith(MEMBER)
    }


def judged(run: Run) -> list[Judgement]:
    return sorted(run.stage(Step.JUDGEMENTS, Judgement).records(), key=lambda one: one.id)


def calls(path: Path) -> int:
    return int(json.loads((path / "stats.json").read_text())["usage"]["judgements"]["calls"])


def label(run: Run, most: int = 10**9) -> None:
    """Have one person prefer the longer response of each pair of samples."""
    prompts = {one.id: one for one in run.stage(Step.PROMPTS, Prompt).records()}
    drawn: dict[str, list[str]] = {}
    for one in run.stage(Step.SAMPLES, Sample).records():
        drawn.setdefault(one.prompt_id, []).append(one.text)
    labels = [
        with_id(Label("", prompts[name].messages, a, b, Choice.A if len(a) > len(b) else Choice.B, "ann"))
        for name, (a, b) in sorted(drawn.items())[:most]
        if a.strip() != b.strip()
    ]
    add_labels(run.path / "labels.jsonl", labels)


def test_three_that_agree_are_weighed_by_their_votes_and_heard_as_one(order: Callable[..., Order]) -> None:
    with generate(order(panel(*THREE, FIRST, RANDOM)), quiet()) as run:
        asked = stages(run)
        told = judged(run)
        pairs = list(run.stage(Step.PAIRS, PreferencePair).records())
    assert len(asked) == 5
    assert len(set(asked.values())) == 1
    assert {one.judge for one in told} == {NAME}
    assert len(told) == next(iter(asked.values()))
    assert pairs
    held = json.loads((run.path / PANEL_FILE).read_text())
    assert held["learnt_from"] == "votes"
    weights = held["accuracies"]
    assert len(weights) == 5, "members of one model have names of their own"
    low = sorted(weights.values())
    assert low[1] < 0.65 < 0.8 < low[2]
    assert calls(run.path) == sum(asked.values())
    write_report(run.path)
    assert "A panel of 5 judges" in (run.path / "report.html").read_text()
    assert "A panel of 5 judges" in (run.path / "dataset/README.md").read_text()
    card = make_card(run.path, replicates=10)
    assert list(card.judges) == [NAME]
    assert card.beside["panel"]["learnt_from"] == "votes"
    assert "right in one order: longer#" in words(card)


def test_the_same_command_again_asks_nothing_and_gives_the_same(order: Callable[..., Order]) -> None:
    with generate(order(panel(*THREE)), quiet()) as run:
        before, told = judged(run), calls(run.path)
    with generate(order(panel(*THREE)), quiet()) as run:
        assert judged(run) == before
    assert calls(run.path) == told
    assert not dry_run(order(panel(*THREE))).plan.owes


def test_a_member_that_joins_is_asked_alone_and_one_that_leaves_keeps_its_rows(order: Callable[..., Order]) -> None:
    with generate(order(panel(*THREE)), quiet()) as run:
        three, told = stages(run), judged(run)
        spent = calls(run.path)
    owed = dry_run(order(panel(*THREE, RANDOM))).plan.lines
    assert [round(one.owed.high) > 0 for one in owed if one.stage == Step.JUDGEMENTS] == [False, False, False, True]
    with generate(order(panel(*THREE, RANDOM)), quiet()) as run:
        four = stages(run)
    assert calls(run.path) - spent == next(iter(three.values()))
    assert three.items() < four.items()
    with generate(order(panel(*THREE)), quiet()) as run:
        assert stages(run) == four, "rows of the one that left stay"
        assert judged(run) == told
    assert len(json.loads((run.path / PANEL_FILE).read_text())["accuracies"]) == 3


def test_without_agreement_nothing_is_labelled_until_people_have(order: Callable[..., Order]) -> None:
    chosen = panel(GOOD % "x", FIRST, RANDOM)
    with pytest.raises(UsageError, match="no pair can be made of them") as refused:
        generate(order(chosen), quiet())
    assert "tenet labels import FILE --to" in refused.value.hint
    with Run.read(order(chosen).folder) as run:
        assert len(stages(run)) == 3
        assert Step.PAIRS not in run.manifest.stages
        spent = calls(run.path)
        label(run, most=10)
    with pytest.raises(UsageError) as refused:
        generate(order(chosen, steps=frozenset({Step.PAIRS, Step.EXPORT})), quiet())
    assert "labelled pairs are too few" in refused.value.hint
    with Run.read(order(chosen).folder) as run:
        label(run)
    said = StringIO()
    with generate(order(chosen, steps=frozenset({Step.PAIRS, Step.EXPORT})), Console(out=StringIO(), err=said)) as run:
        chosen_ids = list(run.stage(Step.PAIRS, PreferencePair).records())
    assert chosen_ids
    assert calls(run.path) == spent
    held = json.loads((run.path / PANEL_FILE).read_text())
    assert held["learnt_from"] == "anchors"
    assert held["anchors"] > 20
    assert sorted(held["accuracies"].values())[-1] > 0.8
    assert "anchors" in said.getvalue()


def test_a_calibration_is_of_these_weights_alone(order: Callable[..., Order]) -> None:
    with generate(order(panel(*THREE)), quiet()) as run:
        label(run)
    generate(order(panel(*THREE), steps=frozenset({Step.PAIRS})), quiet()).close()
    calibrate(run.path)
    generate(order(panel(*THREE)), quiet()).close()
    assert json.loads((run.path / "stats.json").read_text())["labelling"]["fingerprint"]
    with pytest.raises(FingerprintMismatch, match=r"judge\.weights"):
        generate(order(panel(*THREE, RANDOM)), quiet())
    calibrate(run.path)
    generate(order(panel(*THREE, RANDOM)), quiet()).close()


def test_a_member_that_fails_stops_the_run_and_the_others_answers_stay(order: Callable[..., Order]) -> None:
    broken = "{engine: scripted, model: longer, prefill: q, options: {errors: 0.3, batch: 16}}"
    with pytest.raises(TooManyFailures):
        generate(order(panel(GOOD % "x", broken, GOOD % "y")), quiet())
    with Run.read(order(panel(*THREE)).folder) as run:
        assert sorted(stages(run).values())[-1] > 0
        assert len(stages(run)) == 2
    with generate(order(panel(*THREE)), quiet()) as run:
        assert len(run.manifest.stages) > 0
        assert {one.judge for one in judged(run)} == {NAME}


def test_a_run_that_was_stopped_goes_on_to_the_same_dataset(order: Callable[..., Order]) -> None:
    generate(order(panel(*THREE), "name=whole"), quiet()).close()
    whole = order(panel(*THREE), "name=whole").folder
    spent = json.loads((whole / "stats.json").read_text())["usage"]["judgements"]["prompt_tokens"]
    with pytest.raises(BudgetReached):
        generate(order(panel(*THREE), max_tokens=spent // 2), quiet())
    with Run.read(order(panel(*THREE)).folder) as run:
        assert 1 <= len(stages(run)) < 3
    with generate(order(panel(*THREE)), quiet()) as run:
        assert len(set(stages(run).values()) - {0}) == 1, "an attic may be there, empty"
    assert dataset_digest(run.path, "*.parquet") == dataset_digest(whole, "*.parquet")


def test_an_edited_principle_is_asked_anew_of_every_member(order: Callable[..., Order], file: Path) -> None:
    with generate(order(panel(*THREE)), quiet()) as run:
        before = stages(run)
    write_principles(file.parent / "principles.yaml", ("kind", "exact"))
    with pytest.raises(UsageError, match="judgements would be asked anew"):
        generate(order(panel(*THREE)), quiet())
    with generate(order(panel(*THREE), relabel=True), quiet()) as run:
        after = stages(run)
    aside = {name: rows for name, rows in after.items() if name.endswith("-superseded")}
    assert {name: after[name] for name in before} == before
    assert set(aside) == {f"{name}-superseded" for name in before}
    assert len(set(aside.values())) == 1


def test_answers_of_runs_with_one_judge_are_taken(order: Callable[..., Order]) -> None:
    with generate(order(f"judge={GOOD % 'x'}", "name=alone"), quiet()) as alone:
        had = alone.stage(Step.JUDGEMENTS, Judgement).counts().rows
    with generate(order(panel(*THREE), f"reuse=[{alone.path}]"), quiet()) as run:
        assert set(stages(run).values()) == {had}
    assert calls(run.path) == 2 * had
    with generate(order(f"judge={GOOD % 'y'}", "name=other", f"reuse=[{run.path}]"), quiet()) as other:
        assert other.stage(Step.JUDGEMENTS, Judgement).counts().rows == had
        assert {one.judge for one in judged(other)} == {"longer"}
    assert "judgements" not in json.loads((other.path / "stats.json").read_text())["usage"]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ((panel(GOOD % "x"),), "a panel needs two members or more, and this one has one"),
        (("judge={kind: panel}",), "this one has none"),
        ((panel(*THREE, panel(*THREE).removeprefix("judge=")),), "a panel cannot sit in a panel"),
        (
            (f"judge={{kind: panel, model: longer, members: [{THREE[0]}, {THREE[1]}]}}",),
            "a panel has no model of its own",
        ),
        ((panel(*THREE), "schedule=knockout"), "another knockout"),
        ((panel(*THREE), "schedule.second_order=close"), "call other pairs close"),
        ((panel(*THREE), "workers=ray"), "asked from this process only"),
        (("judge={engine: scripted}",), "judge.model: is missing"),
        (("judge={engine: scripted, model: longer, members: [{model: m}]}",), "a judge of kind pairwise has none"),
    ],
)
def test_what_cannot_be_a_panel_is_said(order: Callable[..., Order], overrides: tuple[str, ...], told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        order(*overrides)
    assert told in str(refused.value.problems) + str(refused.value)


def test_the_same_judge_twice_is_refused(order: Callable[..., Order]) -> None:
    with pytest.raises(UsageError, match="sits in the panel twice"):
        generate(order(panel(GOOD % "x", GOOD % "y", GOOD % "x")), quiet())


def test_what_asks_one_judge_refuses_a_panel(order: Callable[..., Order]) -> None:
    from constitution.load import load

    with generate(order(panel(*THREE)), quiet()) as run:
        principles = load(str(run.config["principles"]))
    with pytest.raises(UsageError, match=r"judge\.kind is panel"):
        Session(run.path, principles, quiet())


def test_every_preference_is_the_panels(order: Callable[..., Order]) -> None:
    with generate(order(panel(*THREE)), quiet()) as run:
        assert run.manifest.stages[PREFERENCES].shards
        assert {one.prompt_id for one in judged(run)} == {one.id for one in run.stage(Step.PROMPTS, Prompt).records()}
