"""Weights from anchors: numbers worked by hand, an independent maximiser, symmetry, and coverage of the intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from judges.reliability.anchored import SPREAD, accuracies, by_accuracy, by_regression
from judges.reliability.votes import Votes
from tenet.errors import UsageError


def test_counts_by_hand() -> None:
    # judge 0 right twice of three; judge 1: a tie, a contradiction between the orders, a missing vote
    votes = Votes.of([[[1, 1], [0, 0]], [[1, 1], [1, -1]], [[1, 1], [np.nan, np.nan]]])
    found = accuracies(votes, [1, 1, -1])
    assert found.right.tolist() == [3.0, 2.0]
    assert found.wrong.tolist() == [2.0, 2.0]
    assert found.means.tolist() == [0.6, 0.5]
    # psi(3) - psi(2) = 1/2; psi'(3) + psi'(2) = (pi^2/6 - 5/4) + (pi^2/6 - 1)
    assert found.weights.values == pytest.approx([0.5, 0.0])
    assert found.weights.covariance[0, 0] == pytest.approx(math.pi**2 / 3 - 9 / 4)
    both = found.weights.combine(Votes.of([[1, np.nan], [-1, np.nan], [np.nan, np.nan]]))
    assert both.log_odds == pytest.approx([0.5, -0.5, 0.0])
    assert both.sides.tolist() == [1.0, -1.0, 0.0]
    spread = math.pi**2 / 3 - 9 / 4
    assert both.p_a == pytest.approx([expit(0.5 / math.sqrt(1 + math.pi * spread / 8)), 1 - both.p_a[0], 0.5])


def test_a_judge_worse_than_chance_counts_against_itself() -> None:
    votes = Votes.of([[1, -1]] * 20 + [[1, 1]])
    weights = by_accuracy(votes, [1.0] * 21)
    assert weights.values[0] > 0 > weights.values[1]


def test_anchors_drawn_alike_weigh_as_one_and_unlike_ones_weigh_less() -> None:
    votes, truth = Votes.of([[1], [1], [-1], [1]]), [1, 1, 1, 1]
    plain, scaled = by_accuracy(votes, truth), by_accuracy(votes, truth, [3.0] * 4)
    assert scaled.values == pytest.approx(plain.values)
    uneven = accuracies(votes, truth, [1.0, 1.0, 4.0, 1.0])
    assert uneven.anchors == pytest.approx(49 / 19)  # Kish: (sum w)^2 / sum w^2
    assert uneven.means[0] < accuracies(votes, truth).means[0]


def test_regression_is_the_penalised_maximum_and_its_covariance_the_inverse_hessian() -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice([-1.0, 1.0], 80)
    votes = Votes.of(np.where(rng.random((80, 3)) < [0.85, 0.7, 0.6], truth[:, None], -truth[:, None]))
    found = by_regression(votes, truth)

    def cost(w: np.ndarray) -> float:
        return float(np.logaddexp(0.0, -truth * (votes.leaning @ w)).sum() + (w @ w) / (2 * SPREAD**2))

    best = minimize(cost, np.zeros(3), method="BFGS", tol=1e-10)
    assert found.values == pytest.approx(best.x, abs=1e-5)
    step = 1e-3 * np.eye(3)
    hessian = [[(cost(best.x + i + j) - cost(best.x + i - j) - cost(best.x - i + j) + cost(best.x - i - j)) / 4e-6
                for i in step] for j in step]  # fmt: skip
    assert found.covariance == pytest.approx(np.linalg.inv(hessian), rel=1e-3, abs=1e-5)


def test_regression_does_not_count_a_copy_twice() -> None:
    rng = np.random.default_rng(1)
    truth = rng.choice([-1.0, 1.0], 400)
    votes = Votes.of(np.where(rng.random((400, 2)) < [0.8, 0.8], truth[:, None], -truth[:, None]))
    copied = votes.by([0, 0, 0, 1])
    apart, together = by_accuracy(copied, truth).values, by_regression(copied, truth).values
    assert apart[:3].sum() > 2.5 * apart[3]
    assert together[:3].sum() < 1.3 * together[3]


@pytest.mark.parametrize("fitted", [by_accuracy, by_regression])
def test_turning_items_round_turns_the_result_round(fitted: object) -> None:
    rng = np.random.default_rng(2)
    sides, truth = rng.choice([-1.0, 1.0], (30, 3)), rng.choice([-1.0, 1.0], 30)
    turn = rng.choice([-1.0, 1.0], 30)
    assert callable(fitted)
    plain, turned = fitted(Votes.of(sides), truth), fitted(Votes.of(sides * turn[:, None]), truth * turn)
    assert plain.values == pytest.approx(turned.values, abs=1e-6)
    one_class = fitted(Votes.of(sides * truth[:, None]), np.ones(30))  # all anchors on side a will do
    assert one_class.values == pytest.approx(plain.values, abs=1e-6)
    assert plain.combine(Votes.of(-sides)).p_a == pytest.approx(1.0 - plain.combine(Votes.of(sides)).p_a)


def test_intervals_hold_the_true_log_odds() -> None:
    rng = np.random.default_rng(3)
    skills = np.array([0.85, 0.7, 0.6])
    true = float(expit(np.log(skills / (1 - skills)).sum()))
    held = 0
    for _ in range(400):
        truth = rng.choice([-1.0, 1.0], 60)
        votes = Votes.of(np.where(rng.random((60, 3)) < skills, truth[:, None], -truth[:, None]))
        low, high = by_accuracy(votes, truth).combine(Votes.of([[1, 1, 1]])).interval
        held += bool(low[0] <= true <= high[0])
    assert 0.91 <= held / 400 <= 0.99


@pytest.mark.parametrize(
    ("truth", "weights", "said"),
    [([], None, "0 anchors"), ([1, 0], None, "names neither"), ([1, 1], [1, 0], "not positive"),
     ([1, 1], [1, math.nan], "not positive")],
)  # fmt: skip
def test_anchors_that_will_not_do(truth: list[float], weights: list[float] | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        by_accuracy(Votes.of([[1], [1]]), truth, weights)
