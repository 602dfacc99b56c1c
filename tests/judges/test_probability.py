"""Log-odds arithmetic against numbers worked by hand."""

from __future__ import annotations

import math

import pytest

from judges.probability import LOGIT_CLIP, logit, mean, pool, sigmoid, vote_share


def test_sigmoid_and_logit_undo_each_other() -> None:
    assert sigmoid(0.0) == 0.5
    assert sigmoid(math.log(3)) == pytest.approx(0.75)
    assert logit(0.75) == pytest.approx(math.log(3))
    assert sigmoid(-800.0) == 0.0
    assert sigmoid(800.0) == 1.0


def test_logit_is_clipped_at_both_ends() -> None:
    assert logit(1.0) == logit(1 - 1e-12) == LOGIT_CLIP
    assert logit(0.0) == logit(1e-12) == -LOGIT_CLIP


def test_pool_of_two_is_the_weighted_mean_of_log_odds() -> None:
    # odds 9 and 1/3 with equal weight: geometric mean sqrt(3), p = sqrt(3) / (1 + sqrt(3))
    assert pool([0.9, 0.25], [1.0, 1.0]) == pytest.approx(math.sqrt(3) / (1 + math.sqrt(3)))
    # weight 2 on odds 4, weight 1 on odds 1: odds 4^(2/3)
    odds = 4 ** (2 / 3)
    assert pool([0.8, 0.5], [2.0, 1.0]) == pytest.approx(odds / (1 + odds))


def test_pool_passes_a_lone_probability_on_unclipped() -> None:
    assert pool([1 - 1e-9], [3.0]) == 1 - 1e-9


def test_a_saturated_probability_cannot_outvote_by_more_than_the_clip() -> None:
    assert logit(pool([1.0, 0.1], [1.0, 1.0])) == pytest.approx((LOGIT_CLIP - math.log(9)) / 2)


def test_votes_come_to_a_share_that_is_never_certain() -> None:
    assert [vote_share(named, 1) for named in (0, 0.5, 1)] == [0.25, 0.5, 0.75]
    assert vote_share(9, 10) == pytest.approx(9.5 / 11)
    assert vote_share(10, 10) < 1.0


def test_mean_does_not_depend_on_order() -> None:
    values = [0.1, 0.7, 0.2, 1e-17, 0.3]
    assert mean(values) == mean(values[::-1])
