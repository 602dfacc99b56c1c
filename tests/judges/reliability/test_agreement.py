"""Which judges agree by more than chance, and the refusal to weigh those that do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import cohen_kappa_score

from judges.reliability.agreement import agreement, require_agreement
from judges.reliability.votes import Array, Votes
from tenet.errors import UsageError

NAMES = ("one", "two", "three", "four")


def panel(skills: list[float], items: int = 300, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    truth = rng.choice([-1.0, 1.0], items)
    return np.where(rng.random((items, len(skills))) < skills, truth[:, None], -truth[:, None])


def test_numbers_of_one_pair() -> None:
    sides = panel([0.8, 0.7], 80)
    (one,) = agreement(Votes.of(sides)).pairs
    assert one.kappa == pytest.approx(cohen_kappa_score(sides[:, 0], sides[:, 1]))
    a, b = (sides > 0).mean(axis=0)
    same = int((sides[:, 0] == sides[:, 1]).sum())
    assert one.p_value == pytest.approx(binom.sf(same - 1, 80, a * b + (1 - a) * (1 - b)))


def test_holm_multiplies_the_least_p_by_the_number_of_pairs() -> None:
    sides = panel([0.75, 0.75, 0.6], 60, seed=4)
    alone = min(agreement(Votes.of(sides[:, pair])).pairs[0].p_value for pair in ([0, 1], [0, 2], [1, 2]))
    assert min(one.p_value for one in agreement(Votes.of(sides)).pairs) == pytest.approx(min(1.0, 3 * alone))


def test_three_that_agree_among_five_are_found() -> None:
    votes = Votes.of(panel([0.5, 0.85, 0.85, 0.5, 0.85]))
    assert agreement(votes).circle == (1, 2, 4)
    assert require_agreement(votes, ("v", "w", "x", "y", "z")).circle == (1, 2, 4)


def test_two_good_judges_and_two_random_ones_are_refused_with_the_cure() -> None:
    with pytest.raises(UsageError, match="only 2 of 4 do") as told:
        require_agreement(Votes.of(panel([0.9, 0.9, 0.5, 0.5])), NAMES)
    assert "one and two on" in told.value.message
    assert "--anchors" in told.value.hint


def test_judges_that_contradict_each_other_do_not_agree() -> None:
    assert agreement(Votes.of(panel([0.9, 0.1]))).circle == (0,)


def test_judges_without_overlap_are_refused() -> None:
    votes = Votes.of([[1, np.nan, np.nan], [np.nan, 1, np.nan], [np.nan, np.nan, -1]])
    with pytest.raises(UsageError, match="one and two share no item"):
        require_agreement(votes, NAMES[:3])


def test_a_judge_that_always_names_one_side_agrees_with_nobody() -> None:
    sides = panel([0.9, 0.9, 0.9])
    sides[:, 2] = 1.0
    assert agreement(Votes.of(sides)).circle == (0, 1)


def test_chance_agreement_passes_as_seldom_as_it_should() -> None:
    passed = sum(len(agreement(Votes.of(panel([0.5] * 4, 100, seed))).circle) > 1 for seed in range(30))
    assert passed <= 5  # 5 % of 30 is 1.5; three standard errors above
