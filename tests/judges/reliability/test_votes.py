"""Votes as counts: what a tie, a missing vote and a second order do."""

from __future__ import annotations

import numpy as np
import pytest

from judges.reliability.votes import Votes, equal_vote, share_right
from tenet.errors import UsageError

NONE = np.nan


def test_ties_are_half_votes_and_missing_ones_are_none() -> None:
    votes = Votes.of([[[1, 0], [-1, NONE]], [[NONE, NONE], [1, -1]]])
    assert votes.for_a.tolist() == [[1.5, 0.0], [0.0, 1.0]]
    assert votes.for_b.tolist() == [[0.5, 1.0], [0.0, 1.0]]
    assert votes.leaning.tolist() == [[0.5, -1.0], [0.0, 0.0]]
    assert (votes.items, votes.judges) == (2, 2)


def test_probabilities_vote_for_the_likelier_side() -> None:
    votes = Votes.hard([[0.9, 0.5, NONE, 0.1]])
    assert votes.net.tolist() == [[1.0, 0.0, 0.0, -1.0]]
    assert votes.counts.tolist() == [[1.0, 1.0, 0.0, 1.0]]


def test_once_counts_two_orders_as_one_opinion() -> None:
    once = Votes.of([[[1, 1], [1, -1], [NONE, NONE], [-1, NONE]]]).once
    assert once.for_a.tolist() == [[1.0, 0.5, 0.0, 0.0]]
    assert once.for_b.tolist() == [[0.0, 0.5, 0.0, 1.0]]


def test_parts_of_the_votes() -> None:
    votes = Votes.of([[1, -1], [1, 1]])
    assert votes.take([1]).net.tolist() == [[1.0, 1.0]]
    assert votes.by([False, True]).net.tolist() == [[-1.0], [1.0]]


def test_the_equal_vote_leaves_a_tie_undecided() -> None:
    sides = equal_vote(Votes.of([[1, 1, -1], [1, -1, 0], [-1, NONE, NONE]]))
    assert sides.tolist() == [1, 0, -1]
    assert share_right(sides, [1, 1, 1]) == pytest.approx(1 / 3)
    assert share_right(sides, [1, 1, 1], tie=0.5) == pytest.approx(1 / 2)


@pytest.mark.parametrize("sides", [[[0.7]], [[2]], [1, -1], []])
def test_what_is_no_vote_is_refused(sides: list[object]) -> None:
    with pytest.raises(UsageError):
        Votes.of(sides)


def test_no_probability_is_refused() -> None:
    with pytest.raises(UsageError, match=r"outside \[0, 1\]"):
        Votes.hard([[1.2]])
