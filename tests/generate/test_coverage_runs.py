"""The coverage of runs that the real pipeline made on the scripted engine, whose judge reads responses and no principle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest

from constitution.load import load
from generate.context import PREFERENCES, Step
from generate.coverage.gather import cover
from generate.coverage.model import Finding, Kind
from generate.deriving import bias_of
from generate.judged_by import FOLDER
from generate.orders import make_asking
from generate.pipeline import Order, generate
from generate.prompt_shards import PromptShards
from generate.reuse import read_reused
from judges.aggregate import combined, opinions_of
from tenet.config import load_config
from tenet.console import Console
from tenet.records import Judgement, Preference, Prompt
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import WORDS, write_run

SURE = "judge.options={noise: 0.0, position_bias: 0.4, batch: 16}"
Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Carry out a run of 90 prompts with three principles and critique none."""

    def carried_out(*overrides: str, name: str = "run", relabel: bool = False) -> Run:
        file = tmp_path / "run.yaml"
        if not file.exists():
            write_run(tmp_path, prompts=90, words=WORDS[:3], more="critique: none\nexport: [trl-preference]\n")
        config = load_config(file, RunConfig, (*overrides, f"name={name}"))
        order = Order(config, tmp_path / "runs" / name, "tenet generate run.yaml", relabel=relabel)
        return generate(order, Console(out=StringIO(), err=StringIO()))

    return carried_out


def test_principles_that_a_judge_does_not_tell_apart_are_all_redundant(make: Make) -> None:
    with make("judge.principles=each", SURE) as run:
        coverage = cover(run.path)
        recorded = run.stage(PREFERENCES, Preference).counts().rows
    assert coverage.pairs == recorded
    assert [one.prompts for one in coverage.principles] == [90, 90, 90]
    for one in coverage.principles:
        assert Finding(Kind.REDUNDANT) in one.findings
        assert one.moved == pytest.approx(0.0, abs=1e-9)
    assert [(one.first, one.second, one.kappa) for one in coverage.agreements] == [
        ("p0", "p1", 1.0),
        ("p0", "p2", 1.0),
        ("p1", "p2", 1.0),
    ]
    assert not [notice for notice in coverage.notices if "version" in notice.title]


def test_noise_that_differs_by_principle_makes_each_count(make: Make) -> None:
    with make("judge.principles=each", "judge.options={noise: 1.0, batch: 16}") as run:
        coverage = cover(run.path)
    for one in coverage.principles:
        assert one.changed is not None
        assert one.changed.value > 0.02
        assert Finding(Kind.REDUNDANT) not in one.findings
    assert all(0 < one.kappa < 0.9 for one in coverage.agreements)


def test_one_order_is_filled_in_as_where_preferences_are_made(make: Make, tmp_path: Path) -> None:
    with make("judge.principles=each", SURE, "schedule.second_order=close", "schedule.close_within=0.5") as run:
        known = {one.id: one for one in load(str(tmp_path / "principles.yaml")).principles}
        config = load_config(
            tmp_path / "run.yaml", RunConfig, ("schedule.second_order=close", "schedule.close_within=0.5")
        )
        shards = PromptShards(run.stage(Step.PROMPTS, Prompt))
        bias = bias_of(run, shards, make_asking(config.schedule, config.seed))
        assert bias == pytest.approx(0.4)
        told = opinions_of(run.stage(Step.JUDGEMENTS, Judgement).records())
        assert not all(opinion.complete for own in told.values() for opinion in own), (
            "some were asked in one order only"
        )
        made = {pair: combined(own, known, bias) for pair, own in told.items()}
        recorded = {
            (one.prompt_id, one.a_id, one.b_id): one.p_a for one in run.stage(PREFERENCES, Preference).records()
        }
        coverage = cover(run.path)
    assert made == recorded
    both = [opinion for own in told.values() for opinion in own if opinion.complete]
    for one in coverage.principles:
        assert one.consistent is not None
        assert one.consistent.count == len(both) / 3, "what one order alone says is no consistency"
        assert one.moved == pytest.approx(0.0, abs=1e-9)


def test_a_run_that_asks_all_at_once_says_so(make: Make) -> None:
    with make("judge.principles=whole", SURE) as run:
        coverage = cover(run.path)
    whole, *others = coverage.principles
    assert (whole.id, whole.prompts, whole.alone) == ("", 90, coverage.pairs)
    assert all(one.applies == 90 and one.prompts == 0 and not one.findings for one in others)
    assert any(notice.title == "The whole file was asked at once" for notice in coverage.notices)
    assert coverage.agreements == ()


def test_a_run_whose_file_was_edited_since_is_measured_by_its_copy_or_says_what_is_missing(
    make: Make, tmp_path: Path
) -> None:
    with make("judge.principles=each", SURE) as run:
        before = cover(run.path)
        file = tmp_path / "principles.yaml"
        file.write_text(file.read_text().replace("is tidy", "is orderly"))
        assert cover(run.path).principles == before.principles
        shutil.rmtree(run.path / FOLDER)
        coverage = cover(run.path)
    assert any("is not the one that was asked about" in notice.title for notice in coverage.notices)
    assert [one.applies for one in coverage.principles] == [None, None, None]
    assert len(coverage.agreements) == 3


def test_a_sampled_run_is_measured_by_one_that_takes_its_answers_over(make: Make) -> None:
    with make("judge.principles=sampled", SURE) as run:
        assert cover(run.path).agreements == ()
    with make("judge.principles=each", SURE, f"reuse=[{run.path}]", name="measured") as measured:
        coverage = cover(measured.path)
        taken = sum(read_reused(measured.path)[Step.JUDGEMENTS].values())
    assert len(coverage.agreements) == 3
    assert taken == sum(one.calls for one in coverage.principles) / 3
