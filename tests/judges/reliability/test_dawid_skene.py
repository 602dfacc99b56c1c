"""One-coin Dawid-Skene: against hand-worked numbers, a maximiser that knows no EM, crowd-kit, and a simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from judges.reliability.dawid_skene import fit, log_likelihood, posterior
from judges.reliability.votes import Array, Votes
from tenet.errors import UsageError


def simulated(accuracies: list[float], items: int, seed: int = 0, missing: float = 0.0) -> tuple[Votes, Array]:
    rng = np.random.default_rng(seed)
    truth = rng.choice([-1.0, 1.0], items)
    right = rng.random((items, len(accuracies))) < np.array(accuracies)
    sides = np.where(right, truth[:, None], -truth[:, None])
    return Votes.of(np.where(rng.random(sides.shape) < missing, np.nan, sides)), truth


def test_one_step_of_each_kind_by_hand() -> None:
    # accuracies 3/4 and 2/3, votes a and b: odds 3 x 1/2, so P(a) = 3/5; P(votes) = (3/4 x 1/3 + 1/4 x 2/3) / 2 = 5/24
    votes, accuracies = Votes.of([[1, -1]]), np.array([3 / 4, 2 / 3])
    assert posterior(votes, accuracies) == pytest.approx([3 / 5])
    assert posterior(votes, accuracies, prior=1 / 3) == pytest.approx([3 / 7])
    assert log_likelihood(votes, accuracies) == pytest.approx(math.log(5 / 24))


def test_three_judges_by_hand() -> None:
    # With three judges and symmetric votes the maximum is in closed form: E[x_i x_j] = (2s_i - 1)(2s_j - 1).
    # Every judge is outvoted once in ten items of six: agreements are 8/10, so 2s - 1 = sqrt(0.6).
    rows = [[1, 1, 1]] * 7 + [[-1, 1, 1], [1, -1, 1], [1, 1, -1]]
    found = fit(Votes.of([*rows, *(-np.array(rows)).tolist()]))
    assert found.converged
    assert found.accuracies == pytest.approx([(1 + math.sqrt(0.6)) / 2] * 3, abs=1e-6)
    assert found.sides.tolist() == [1] * 10 + [-1] * 10


def test_no_other_maximiser_finds_a_likelier_fit() -> None:
    votes, _ = simulated([0.8, 0.75, 0.75, 0.7, 0.7], 600, seed=1, missing=0.2)
    found = fit(votes)

    def cost(x: Array) -> float:
        return -log_likelihood(votes, 1.0 / (1.0 + np.exp(-x)))

    starts = [np.array(start) for start in ([1.0] * 5, [2.0, 0.1, 0.1, 2.0, 1.0], [0.1, 0.1, 2.0, 2.0, 1.0])]
    best = min((minimize(cost, start, method="BFGS") for start in starts), key=lambda one: one.fun)
    assert found.log_likelihood == pytest.approx(-best.fun, abs=1e-5)
    assert found.accuracies == pytest.approx(1.0 / (1.0 + np.exp(-best.x)), abs=1e-3)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_agrees_with_crowd_kit(missing: float) -> None:
    pandas = pytest.importorskip("pandas")
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    votes, _ = simulated(
        [0.9, 0.85, 0.85, 0.8, 0.8], 120, seed=3, missing=missing
    )  # skills in which EM settles quickly: crowd-kit takes 0.05 s a round
    rows = [(item, judge, int(votes.net[item, judge])) for item, judge in zip(*np.nonzero(votes.counts), strict=True)]
    table = pandas.DataFrame(rows, columns=["task", "worker", "label"])
    theirs = crowdkit.OneCoinDawidSkene(n_iter=80, tol=-1.0).fit(table)
    ours = fit(votes, prior=None)
    assert ours.accuracies == pytest.approx(theirs.skills_.sort_index().to_numpy(), abs=1e-4)
    judged = theirs.probas_.sort_index()
    q = posterior(votes, ours.accuracies, ours.prior)[judged.index.to_numpy()]
    assert q == pytest.approx(judged[1].to_numpy(), abs=1e-3)


def test_accuracies_come_back() -> None:
    truth = [0.95, 0.8, 0.7, 0.5]
    votes, sides = simulated(truth, 20_000, seed=1)
    found = fit(votes)
    assert found.accuracies == pytest.approx(truth, abs=0.015)
    assert abs(found.overconfidence(sides)) < 0.01  # judges that do err apart are no cause of it


def test_copies_of_one_judge_make_it_overconfident() -> None:
    votes, truth = simulated([0.7, 0.65, 0.6], 4000, seed=2)
    copied = votes.by([0, 0, 0, 1, 2])
    assert fit(copied).overconfidence(truth) > 0.2
    assert fit(copied).accuracies[0] > 0.9


def test_the_fit_carries_no_probability_of_an_item() -> None:
    votes, _ = simulated([0.9, 0.8, 0.7], 50)
    found = fit(votes)
    of_items = [name for name in found.__slots__ if np.shape(getattr(found, name)) == (50,)]
    assert of_items == ["sides"]
    assert set(found.sides.tolist()) <= {-1, 0, 1}


def test_ties_move_no_item_and_a_judge_without_votes_is_unknown() -> None:
    votes = Votes.of([[1, 1, 0, np.nan], [-1, -1, 0, np.nan], [1, -1, 0, np.nan]])
    found = fit(votes)
    assert found.accuracies[2] == pytest.approx(0.5)
    assert np.isnan(found.accuracies[3])
    assert found.sides.tolist() == [1, -1, 0]


def test_one_judge_is_refused() -> None:
    with pytest.raises(UsageError, match="fewer than two") as told:
        fit(Votes.of([[1, np.nan], [-1, np.nan]]))
    assert "--anchors" in told.value.hint


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from([1.0, -1.0, 0.0, math.nan]), min_size=3, max_size=3), min_size=4, max_size=12))
def test_turning_every_item_round_turns_the_sides_and_nothing_else(rows: list[list[float]]) -> None:
    try:
        found, turned = fit(Votes.of(rows)), fit(Votes.of(-np.array(rows)))
    except UsageError:
        return
    assert found.accuracies == pytest.approx(turned.accuracies, abs=1e-6, nan_ok=True)
    assert found.log_likelihood == pytest.approx(turned.log_likelihood, abs=1e-6)
    clear = np.abs(posterior(Votes.of(rows), found.accuracies) - 0.5) > 1e-6
    assert (found.sides[clear] == -turned.sides[clear]).all()
