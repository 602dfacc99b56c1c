"""A judge without log-probabilities, on a real server: its letters are votes, from the record to the dataset and the summary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from engines.http import HttpEngine
from engines.scripted_server import Running, scripted_server
from generate.advise import advise
from generate.context import PREFERENCES, Step
from generate.orders import CALIBRATION_PROMPTS, Orders, PositionBias, position_bias
from generate.pipeline import Order, generate
from generate.report.data import gather
from generate.show import show_result
from judges.pairwise import PairwiseJudge
from judges.preflight import preflight
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Judgement, Outcome, Preference, PreferencePair
from tenet.runs import Run
from tests.generate.runs_example import make_order, quiet, write_rows
from tests.judges.makers import constitution_of, principle, prompt_of, sample_of

TEXT = {"api": "chat", "verdicts": "text"}


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """It likes longer responses, and the one shown first: close pairs flip."""
    with scripted_server(rule="longer", position_bias=0.5, no_logprobs=True) as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, server: Running) -> Callable[..., Order]:
    def order(prompts: int = 30, samples: int = 3, **keys: Json) -> Order:
        rows = ({"prompt": f"Question {number}: what should I do about it?"} for number in range(prompts))
        judge: dict[str, Json] = {
            "engine": "http", "model": "scripted", "base_url": [server.base_url], "options": TEXT,
        }  # fmt: skip
        policy: dict[str, Json] = {"engine": "scripted", "model": "hash", "samples": samples}
        source: dict[str, Json] = {"path": write_rows(tmp_path / "prompts.jsonl", rows)}
        return make_order(tmp_path, "run", {"prompts": source, "policy": policy, "judge": judge, **keys})

    return order


def told(run: Run) -> tuple[list[Judgement], list[Preference], list[PreferencePair]]:
    return (
        list(run.stage(Step.JUDGEMENTS, Judgement).records(ok=None)),
        list(run.stage(PREFERENCES, Preference).records()),
        list(run.stage(Step.PAIRS, PreferencePair).records()),
    )


def test_votes_are_kept_as_votes_and_agreeing_ones_make_pairs(make: Callable[..., Order]) -> None:
    with generate(make(), quiet()) as run:
        judgements, preferences, pairs = told(run)
    assert {one.outcome for one in judgements} == {Outcome.FIRST, Outcome.SECOND}
    assert all(one.is_vote and one.label_mass is None for one in judgements)
    assert {one.p_a for one in preferences} == {0.25, 0.5, 0.75}
    assert all((one.p_a == 0.5) == one.flipped for one in preferences)
    assert pairs
    assert all(0.5 < pair.p_chosen <= 0.75 for pair in pairs)


def test_summary_and_report_say_so(make: Callable[..., Order], tmp_path: Path) -> None:
    console = quiet()
    order = make()
    run = generate(order, console)
    calls = len(told(run)[0])
    said = StringIO()
    show_result(run, order.steps, Console(out=StringIO(), err=said))
    assert f"Text votes: {calls:,} of {calls:,} judge calls gave a letter and no probability." in " ".join(
        said.getvalue().split()
    )
    out = StringIO()
    show_result(Run.read(order.folder), order.steps, Console(json=True, out=out))
    assert f"Text votes: {calls:,} of {calls:,} opinions have no probability." in [
        step.get("note") for step in json.loads(out.getvalue())["funnel"]
    ]
    data = gather(tmp_path / "runs/run")
    assert data.label_mass is None
    assert data.positions is not None
    assert data.positions.mean_gap is None
    assert 0.0 < data.positions.consistency.value < 1.0
    assert data.positions.first_slot.value > 0.5
    assert ("Reads", "the letter that it writes, as a vote without a probability, both orders averaged") in data.judge


def test_every_pair_is_asked_both_ways_whatever_the_schedule_hopes_for(make: Callable[..., Order]) -> None:
    """Also after the prompts that the position bias is measured on, which are asked both ways in any case."""
    with generate(
        make(CALIBRATION_PROMPTS + 16, 2, schedule={"kind": "round-robin", "second_order": "close"}), quiet()
    ) as run:
        judgements, preferences, _ = told(run)
    assert len({one.prompt_id for one in preferences}) > CALIBRATION_PROMPTS
    assert len(judgements) == 2 * len(preferences)
    assert all(one.p_shown_a is not None and one.p_shown_b is not None for one in preferences)


def test_a_vote_is_never_far_from_even_and_measures_no_bias() -> None:
    vote, sure = (Judgement("j", "p", "a", "b", "judge", Outcome.FIRST, p) for p in (None, 0.99))
    orders = Orders(close_within=0.1, calibrating=0)
    assert orders.is_close(vote, PositionBias(0.0, 99))
    assert not orders.is_close(sure, PositionBias(0.0, 99))
    votes = [
        Judgement(f"{n}{turn}", "p", f"{turn}{n:03}", f"{1 - turn}{n:03}", "j", Outcome.FIRST)
        for n in range(40)
        for turn in (0, 1)
    ]
    assert position_bias(votes) == PositionBias(None, 0)


def test_no_schedule_is_recommended_from_votes(make: Callable[..., Order], tmp_path: Path) -> None:
    generate(make(), quiet()).close()
    with pytest.raises(UsageError, match="Text votes, which have no probability, do not count"):
        advise(tmp_path / "runs/run")


def test_the_pre_flight_counts_votes(server: Running) -> None:
    prompt = prompt_of("Why?")
    cases = [(prompt, sample_of("No.", prompt=prompt), sample_of("Because of the rain.", prompt=prompt))]
    with HttpEngine("scripted", base_url=[server.base_url], options=TEXT) as engine:
        report = preflight(PairwiseJudge(engine, constitution_of(principle("kind"))), cases)
    assert (report.votes, report.failed, report.median_mass) == (2, 0, None)
    assert report.summary == "pre-flight: 2 of 2 questions answered by text votes, without a probability"
