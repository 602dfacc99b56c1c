"""Scales: their labels and words, and expected scores worked out by hand."""

from __future__ import annotations

import math

import pytest

from judges.kinds.scale import rating_scale, yes_or_no
from tenet.errors import UsageError
from tenet.records import Outcome


def test_the_score_is_the_expectation_over_the_renormalised_labels() -> None:
    scale = rating_scale(1, 3, {})
    read = scale.read([math.log(0.1), math.log(0.2), math.log(0.5)], 0.5)
    assert read.mass == pytest.approx(0.8)
    assert read.distribution == pytest.approx((0.125, 0.25, 0.625))
    assert read.score == pytest.approx(2.5)  # 0.125 + 0.5 + 1.875
    assert read.outcome is Outcome.FIRST


def test_low_mass_and_numbers_that_are_none_are_outcomes() -> None:
    scale = rating_scale(1, 3, {})
    low = scale.read([math.log(0.01)] * 3, 0.5)
    assert (low.outcome, low.score, low.distribution) == (Outcome.LOW_MASS, None, ())
    assert low.mass == pytest.approx(0.03)
    for bad in ([math.nan, -1.0, -1.0], [-9999.0, -1.0, -1.0], [-1.0, -1.0]):
        broken = scale.read(bad, 0.5)
        assert (broken.outcome, broken.score, broken.mass) == (Outcome.ERROR, None, None)
        assert broken.reason


def test_the_middle_of_the_scale_is_a_tie_and_a_written_label_has_no_distribution() -> None:
    scale = rating_scale(1, 5, {})
    assert scale.read([math.log(0.2)] * 5, 0.5).outcome is Outcome.TIE
    read = scale.read_written([-30.0, -30.0, -30.0, 0.0, -30.0])
    assert (read.score, read.distribution, read.mass, read.outcome) == (4.0, (), None, Outcome.FIRST)


def test_labels_and_lines_are_told_the_lowest_first() -> None:
    scale = rating_scale(1, 3, {"1": "rude", "3": " warm "})
    assert scale.named() == "number: 1, 2 or 3"
    assert scale.told == "1: rude\n3: warm"
    letters = rating_scale(0, 2, {"2": "warm"}, letters=True)
    assert letters.named() == "letter: A, B or C"
    assert letters.told == "C: warm"
    assert letters.values == (0.0, 1.0, 2.0)
    assert yes_or_no().named(falling=True) == "word: Yes or No"
    assert yes_or_no(letters=True).labels == ("N", "Y")


@pytest.mark.parametrize(("low", "high"), [(3, 3), (5, 1), (1, 27)])
def test_a_scale_has_two_to_twenty_six_scores(low: int, high: int) -> None:
    with pytest.raises(UsageError, match="2 to 26 scores"):
        rating_scale(low, high, {})
