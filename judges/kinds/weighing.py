"""Fits the weights of propositions on what people prefer: a logistic of the difference of two responses' P(yes), under a ridge.

The fit has no intercept and holds every pair in both directions, so that p(a, b) = 1 - p(b, a). The ridge's strength is chosen by the log
loss in folds of whole prompts; the loss that is reported is of prompts that neither the weights nor the strength were fitted on, beside
that of the unfitted weights on the same pairs. Knows arrays and names, no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_expit

from judges.reliability.propositions import FOLDS, STRENGTHS
from judges.reliability.votes import Array
from tenet.errors import UsageError
from tenet.ids import unit_interval

LEAST_PAIRS = 20
"""Fewest labelled pairs that weights are fitted on."""


@dataclass(frozen=True)
class FittedWeights:
    """Log-odds for going from a sure no to a sure yes, by proposition [propositions]; log losses of held-out prompts."""

    values: Array
    strength: float
    pairs: int
    prompts: int
    log_loss: float
    unfitted_log_loss: float


def fit_pairs(
    differences: Array, shares: Array, weights: Array, prompts: Sequence[str], unfitted: Array
) -> FittedWeights:
    """Fit weights on P(yes) of the first response less that of the second [pairs, propositions].

    `shares` of people prefer the first response [pairs]; `weights` are inverse chances of being labelled; `unfitted` [propositions] is
    what the fit is held against.

    Raises:
        UsageError: fewer than `LEAST_PAIRS` pairs, fewer prompts than folds, or no proposition that tells any pair apart.
    """
    fold = _folds(prompts)
    if len(shares) < LEAST_PAIRS or len(set(prompts)) < FOLDS:
        raise UsageError(
            f"{len(shares)} labelled pairs of {len(set(prompts))} prompts are too few to fit weights with; {LEAST_PAIRS} of {FOLDS} "
            "are the least",
            hint="label more pairs, or leave judge.weights out: then principles weigh as their file says",
        )
    if not np.any(differences):
        raise UsageError("no proposition tells any labelled pair apart: there is nothing to fit", hint="label others")
    held = np.zeros(len(shares))
    for number in range(FOLDS):
        fit, test = fold != number, fold == number
        strength = _chosen(differences[fit], shares[fit], weights[fit], fold[fit])
        held[test] = _losses(
            _fit(differences[fit], shares[fit], weights[fit], strength), differences[test], shares[test]
        )
    strength = _chosen(differences, shares, weights, fold)
    plain = _losses(unfitted, differences, shares)
    return FittedWeights(
        _fit(differences, shares, weights, strength), strength, len(shares), len(set(prompts)),
        float(np.average(held, weights=weights)), float(np.average(plain, weights=weights)),
    )  # fmt: skip


def _folds(prompts: Sequence[str]) -> Array:
    """The fold of each pair, by its prompt: prompts in an order drawn by content, dealt out in turn."""
    order = sorted(set(prompts), key=lambda name: (unit_interval("weighing", name), name))
    place = {name: number % FOLDS for number, name in enumerate(order)}
    return np.array([place[name] for name in prompts])


def _chosen(x: Array, shares: Array, weights: Array, fold: Array) -> float:
    """The strength with the least log loss over folds; of equal ones the strongest ridge."""
    numbers = sorted(set(fold.tolist()))
    if len(numbers) < 2:
        return STRENGTHS[0]

    def loss(strength: float) -> float:
        total = 0.0
        for number in numbers:
            fit, test = fold != number, fold == number
            values = _fit(x[fit], shares[fit], weights[fit], strength)
            total += float((_losses(values, x[test], shares[test]) * weights[test]).sum())
        return total

    return min(STRENGTHS, key=lambda strength: (round(loss(strength), 12), strength))


def _fit(x: Array, shares: Array, weights: Array, strength: float) -> Array:
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate([x, -x, x, -x])
    first = np.concatenate([np.ones(len(x)), np.zeros(len(x)), np.zeros(len(x)), np.ones(len(x))])
    count = np.concatenate([shares, shares, 1.0 - shares, 1.0 - shares]) * np.tile(weights, 4) / 2.0
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=2000)
    model.fit(rows, first, sample_weight=count)
    return np.asarray(model.coef_[0], dtype=np.float64)


def _losses(values: Array, x: Array, shares: Array) -> Array:
    """The log loss of each pair."""
    odds = x @ values
    return np.asarray(-(shares * log_expit(odds) + (1.0 - shares) * log_expit(-odds)))
