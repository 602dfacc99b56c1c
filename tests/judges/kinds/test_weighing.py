"""Fitted weights of propositions: known ones come back, and held-out loss falls below the unfitted one."""

from __future__ import annotations

import numpy as np
import pytest

from judges.kinds.weighing import LEAST_PAIRS, fit_pairs
from tenet.errors import UsageError

TRUE = np.array([4.0, -2.0, 0.0])
EQUAL = np.full(3, 2 / 3)


def world(pairs: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (pairs, 3))
    shares = 1 / (1 + np.exp(-x @ TRUE))
    return x, shares, [f"prompt {place // 2}" for place in range(pairs)]


def test_known_weights_come_back_and_beat_equal_ones_on_held_out_prompts():
    x, shares, prompts = world(600)
    found = fit_pairs(x, shares, np.ones(600), prompts, EQUAL)
    assert found.values == pytest.approx(TRUE, abs=0.25)
    assert found.log_loss < found.unfitted_log_loss - 0.1
    assert (found.pairs, found.prompts) == (600, 300)


def test_turning_a_pair_round_changes_nothing():
    x, shares, prompts = world(80)
    turn = np.where(np.arange(80) % 3 == 0, -1.0, 1.0)
    turned = fit_pairs(x * turn[:, None], np.where(turn < 0, 1 - shares, shares), np.ones(80), prompts, EQUAL)
    assert turned.values == pytest.approx(fit_pairs(x, shares, np.ones(80), prompts, EQUAL).values, abs=1e-3)


def test_a_pair_of_weight_three_counts_as_three():
    x, shares, prompts = world(60)
    weights = np.where(np.arange(60) < 20, 3.0, 1.0)
    times = np.repeat(np.arange(60), weights.astype(int))
    heavy = fit_pairs(x, shares, weights, prompts, EQUAL)
    many = fit_pairs(x[times], shares[times], np.ones(len(times)), [prompts[place] for place in times], EQUAL)
    assert heavy.strength == many.strength
    assert heavy.values == pytest.approx(many.values, abs=1e-3)
    assert heavy.log_loss == pytest.approx(many.log_loss, abs=1e-4)


def test_labels_that_all_name_the_same_side_are_fitted_too():
    x, _, prompts = world(40)
    found = fit_pairs(np.abs(x), np.ones(40), np.ones(40), prompts, EQUAL)
    assert np.isfinite(found.values).all()
    assert found.values.sum() > 0


def test_too_few_pairs_or_nothing_to_tell_apart_is_refused():
    x, shares, prompts = world(LEAST_PAIRS - 1)
    with pytest.raises(UsageError, match="too few to fit weights"):
        fit_pairs(x, shares, np.ones(len(x)), prompts, EQUAL)
    x, shares, _ = world(40)
    with pytest.raises(UsageError, match="40 labelled pairs of 1 prompts"):
        fit_pairs(x, shares, np.ones(40), ["one"] * 40, EQUAL)
    with pytest.raises(UsageError, match="tells any labelled pair apart"):
        fit_pairs(np.zeros((40, 3)), shares, np.ones(40), world(40)[2], EQUAL)
    with pytest.raises(UsageError, match="0 labelled pairs"):
        fit_pairs(np.zeros((0, 3)), np.zeros(0), np.zeros(0), [], EQUAL)
