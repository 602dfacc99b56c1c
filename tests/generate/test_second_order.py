"""The benchmark of second orders, in small: a lean is added and measured, and a run's own rule says which orders are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.second_order import BIAS, Leaning, answers, cases, constitution, losses, summary
from engines.registry import create_engine
from generate.orders import make_asking
from generate.rounds import Question
from judges.pairwise import Mode, PairwiseJudge
from pocket import JUDGE_PATH, oracle
from tenet.records import Judgement
from tenet.runconfig import ScheduleConfig
from tests.generate.runs_example import quiet

PAIRS = 70


@pytest.fixture(scope="module")
def told() -> Mapping[tuple[str, Question], Judgement]:
    with Leaning(create_engine("transformers", str(JUDGE_PATH)), BIAS) as engine:
        return answers(PairwiseJudge(engine, constitution(), Mode.EACH), cases(PAIRS), quiet())


def test_pairs_are_those_that_the_oracle_decides() -> None:
    found = cases(PAIRS)
    assert found == cases(PAIRS)
    assert found != cases(PAIRS, 1)
    for one in found:
        wanted = 1 if one.a_wins else -1
        assert oracle.decide(one.family, one.prompt.text, one.a.text, one.b.text) == wanted


def test_a_lean_is_measured_although_most_answers_are_sure(told: Mapping[tuple[str, Question], Judgement]) -> None:
    asking = make_asking(ScheduleConfig(second_order="close"), 0)
    found = losses(cases(PAIRS), told, constitution(), asking)
    assert found.bias.log_odds == pytest.approx(BIAS, abs=0.25)
    assert 64 * 2 + (PAIRS - 64) <= found.calls * PAIRS < 2 * PAIRS  # the first 64 prompts are asked in both orders
    assert summary(found, "transformers", 1.0).calls_a_pair == found.calls


def test_everything_is_kept_where_everything_is_asked(told: Mapping[tuple[str, Question], Judgement]) -> None:
    asking = make_asking(replace(ScheduleConfig(second_order="close"), close_within=50.0), 0)
    found = losses(cases(PAIRS), told, constitution(), asking)
    assert found.calls == 2.0
    assert np.array_equal(found.close, found.both)
