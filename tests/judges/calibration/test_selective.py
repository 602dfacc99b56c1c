"""Thresholds with a stated agreement: exact bounds by hand, the sequence, and how often the promise is broken where truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from judges.calibration.selective import ROOM, effective_count, find_rule, least_count, lower_bound, nothing, thresholds
from tenet.errors import UsageError


def names(n: int) -> list[str]:
    return [f"p{k}" for k in range(n)]


def test_the_bound_is_clopper_and_pearsons() -> None:
    for right, count in ((45, 50), (50, 50), (1, 20), (0, 7)):
        exact = binomtest(right, count, alternative="greater").proportion_ci(0.9, method="exact").low
        assert lower_bound(right, count, 0.9) == pytest.approx(exact)


def test_how_many_anchors_a_statement_takes() -> None:
    assert least_count(0.85, 0.9) == 15  # 0.85^15 = 0.087 <= 0.1 < 0.85^14 = 0.103
    assert least_count(0.5, 0.5) == 1
    assert lower_bound(15, 15, 0.9) >= 0.85 > lower_bound(14, 14, 0.9)


def test_the_sequence_stops_at_the_first_failure_and_keeps_the_one_before() -> None:
    # 100 anchors at 0.95 of which 98 agree, 100 at 0.8 of which 90, 100 at 0.6 of which 40.
    p = np.array([0.95] * 100 + [0.8] * 100 + [0.6] * 100)
    right = np.array(([True] * 98 + [False] * 2) + ([True] * 90 + [False] * 10) + ([True] * 40 + [False] * 60))
    rule = find_rule(p, right, np.ones(300), names(300), min_agreement=0.85, confidence=0.9)
    assert (rule.threshold, rule.tested, rule.steps) == (0.8, 3, 3)
    assert rule.coverage == pytest.approx(2 / 3)
    assert rule.agreement == pytest.approx(0.94)
    assert rule.low == pytest.approx(lower_bound(188, 200, 0.9))
    assert rule.accepts(0.8)
    assert rule.accepts(0.2)
    assert not rule.accepts(0.79)


def test_a_judge_that_falls_short_at_the_strictest_threshold_is_given_nothing() -> None:
    # What lies below would pass by itself; a fixed sequence never gets there.
    p = np.array([0.95] * 100 + [0.8] * 900)
    right = np.array([False] * 50 + [True] * 950)
    rule = find_rule(p, right, np.ones(1000), names(1000), min_agreement=0.85, confidence=0.9)
    assert (rule.threshold, rule.tested, rule.coverage) == (None, 1, 0.0)
    assert not rule.accepts(1.0)


def test_weights_and_prompts_make_fewer_units() -> None:
    groups = np.array([0, 0, 1, 1])
    assert effective_count(groups, np.ones(4)) == pytest.approx(2.0)
    assert effective_count(np.arange(4), np.array([1.0, 1.0, 1.0, 3.0])) == pytest.approx(36 / 12)
    p, right = np.full(60, 0.9), np.ones(60, dtype=bool)
    apart = find_rule(p, right, np.ones(60), names(60), min_agreement=0.85, confidence=0.9)
    together = find_rule(p, right, np.ones(60), ["one"] * 60, min_agreement=0.85, confidence=0.9)
    assert apart.threshold == 0.9
    assert together.threshold is None


def test_the_sequence_owes_nothing_to_who_agreed_and_leaves_out_ties() -> None:
    rng = np.random.default_rng(0)
    sure = np.round(0.5 + rng.random(500) / 2, 12)
    found = thresholds(sure, np.arange(500), np.ones(500), ROOM * 15)
    assert found == sorted(found, reverse=True)
    assert len(found) <= 20
    assert (sure >= found[0]).sum() == 45
    assert found[-1] == sure.min()
    assert thresholds(np.full(9, 0.5), np.arange(9), np.ones(9), 5) == []


def test_the_promise_is_broken_no_more_often_than_stated() -> None:
    """True agreement rises with confidence, 0.6 at 0.5 to 1 at 1: thresholds that accept truly less than 0.85 are counted."""
    rng = np.random.default_rng(1)
    broken = accepted = 0
    for _ in range(400):
        sure = 0.5 + rng.random(300) / 2
        right = rng.random(300) < 0.6 + 0.8 * (sure - 0.5)
        rule = find_rule(sure, right, np.ones(300), names(300), min_agreement=0.85, confidence=0.9)
        if rule.threshold is not None:
            accepted += 1
            broken += 0.6 + 0.4 * (rule.threshold - 0.5) + 0.2 < 0.85  # the mean over what lies above
    assert accepted > 250
    assert broken / 400 <= 0.13  # 0.1 and two standard errors


def test_no_anchors_and_impossible_statements() -> None:
    empty = find_rule(np.array([]), np.array([], dtype=bool), np.array([]), [], min_agreement=0.85, confidence=0.9)
    assert empty == nothing(0.85, 0.9)
    assert not empty.accepts(0.999)
    for agreement, confidence in ((1.0, 0.9), (0.0, 0.9), (0.85, 1.0)):
        with pytest.raises(UsageError, match="cannot be stated"):
            find_rule(
                np.array([0.9]), np.array([True]), np.ones(1), ["p"], min_agreement=agreement, confidence=confidence
            )
