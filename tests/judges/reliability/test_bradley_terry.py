"""The Bradley-Terry fit: against choix, and its errors against numbers worked by hand and a simulation."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from judges.reliability.bradley_terry import RIDGE, Matrix, fit, gap_errors


def played(worth: Matrix, games: int, seed: int) -> Matrix:
    rng = np.random.default_rng(seed)
    wins = np.zeros((len(worth), len(worth)))
    for i, j in combinations(range(len(worth)), 2):
        wins[i, j] = rng.binomial(games, 1.0 / (1.0 + math.exp(worth[j] - worth[i])))
        wins[j, i] = games - wins[i, j]
    return wins


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_choix(seed: int) -> None:
    choix = pytest.importorskip("choix")
    wins = played(np.random.default_rng(seed).normal(size=6), 12, seed)
    data = [(i, j) for i in range(6) for j in range(6) for _ in range(int(wins[i, j]))]
    # choix penalises by alpha / 2 |s|^2 (its documentation writes alpha |s|^2), the same ridge as ours
    theirs = choix.opt_pairwise(6, data, alpha=RIDGE, method="Newton-CG", tol=1e-12)
    assert fit(wins) == pytest.approx(theirs - theirs.mean(), abs=1e-6)


def test_the_error_of_one_gap_by_hand() -> None:
    # 8 wins of 10: the gap is ln 4, its variance 1 / (10 x 0.8 x 0.2)
    wins = np.array([[0.0, 8.0], [2.0, 0.0]])
    scores = fit(wins)
    assert scores[0] - scores[1] == pytest.approx(math.log(4), abs=1e-5)
    assert gap_errors(wins, scores) == pytest.approx(np.array([[0.0, 1.0], [1.0, 0.0]]) / math.sqrt(1.6), abs=1e-5)


def test_errors_add_up_along_a_chain_and_end_where_nothing_links() -> None:
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[1, 0] = wins[1, 2] = wins[2, 1] = 2.0  # variances 1 / (4 / 4) = 1 each
    errors = gap_errors(wins, fit(wins))
    assert errors[0, 1] == pytest.approx(1.0)
    assert errors[0, 2] == pytest.approx(math.sqrt(2.0))
    assert errors[0, 3] == math.inf
    assert errors[3, 3] == 0.0


def test_errors_are_the_spread_of_repeated_fits() -> None:
    worth = np.array([0.8, 0.0, -0.8])
    told, found = [], []
    for seed in range(400):
        wins = played(worth, 60, seed)
        scores = fit(wins)
        found.append(scores[0] - scores[2])
        told.append(gap_errors(wins, scores)[0, 2])
    assert float(np.mean(told)) == pytest.approx(float(np.std(found)), rel=0.12)
