"""Verdicts from label log-probabilities: hand-worked numbers, and everything that is no verdict."""

from __future__ import annotations

import math

import pytest

from judges.labels import read_verdict
from tenet.records import Outcome


def test_two_probabilities_are_renormalised() -> None:
    verdict = read_verdict([math.log(0.6), math.log(0.2)], 0.5)
    assert verdict.outcome is Outcome.FIRST
    assert verdict.p_first == pytest.approx(0.75)
    assert verdict.mass == pytest.approx(0.8)
    assert verdict.reason == ""


def test_second_and_tie() -> None:
    assert read_verdict([math.log(0.1), math.log(0.8)], 0.5).outcome is Outcome.SECOND
    tie = read_verdict([math.log(0.4), math.log(0.4)], 0.5)
    assert (tie.outcome, tie.p_first) == (Outcome.TIE, 0.5)


def test_low_mass_is_no_opinion_and_keeps_its_mass() -> None:
    verdict = read_verdict([math.log(0.2), math.log(0.1)], 0.5)
    assert verdict.outcome is Outcome.LOW_MASS
    assert verdict.p_first is None
    assert verdict.mass == pytest.approx(0.3)
    assert "0.3" in verdict.reason


def test_mass_at_the_threshold_counts() -> None:
    assert read_verdict([math.log(0.25), math.log(0.25)], 0.5 - 1e-12).outcome is Outcome.TIE


@pytest.mark.parametrize(
    "logprobs",
    [
        (math.nan, -0.1),
        (-0.1, math.nan),
        (-9999.0, -0.1),
        (-0.1, -9999.0),
        (-math.inf, -0.1),
        (0.5, -1.0),
        (math.inf, -1.0),
        (-0.1,),
        (),
        (-0.1, -2.0, -3.0),
    ],
)
def test_what_is_no_probability_is_an_error(logprobs: tuple[float, ...]) -> None:
    verdict = read_verdict(logprobs, 0.0)
    assert verdict.outcome is Outcome.ERROR
    assert verdict.p_first is None
    assert verdict.mass is None
    assert verdict.reason


def test_rounding_above_one_is_forgiven_and_capped() -> None:
    verdict = read_verdict([1e-6, -20.0], 0.5)
    assert verdict.mass == 1.0
    assert verdict.outcome is Outcome.FIRST
