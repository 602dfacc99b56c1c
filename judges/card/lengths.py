"""Whether a judge prefers length beyond what people prefer. Pure functions of arrays; knows no text."""

from __future__ import annotations

import numpy as np

from judges.card.agreement import A, B, NONE, TIE
from judges.card.bootstrap import Floats, Ints, Resampler, percentiles, ratio, share
from judges.card.figures import Figure, unknown

_STEPS = 12
_LARGEST = 15.0


def longer_rate(said: Ints, gap: Floats, groups: Ints, draws: Resampler) -> Figure:
    """Share of winners that are the longer response, over pairs of unequal length; `gap` is the length of a less that of b."""
    known = (said != NONE) & (said != TIE) & (gap != 0)
    return draws.figure(share((said[known] == A) == (gap[known] > 0)), groups[known], ratio, none="no winner among pairs of unequal length")


def longer_excess(said: Ints, truth: Ints, gap: Floats, groups: Ints, draws: Resampler) -> Figure:
    """P(longer wins) by the judge less by people, over pairs of unequal length where both name a winner."""
    both = (said != NONE) & (said != TIE) & (truth != NONE) & (truth != TIE) & (gap != 0)
    longer = gap[both] > 0
    excess = ((said[both] == A) == longer).astype(float) - ((truth[both] == A) == longer)
    rows = np.column_stack([excess, np.ones(len(excess))])
    return draws.figure(rows, groups[both], ratio, none="no pair of unequal length has a winner by the judge and by people")


def length_bias(said: Ints, truth: Ints, gap: Floats, groups: Ints, draws: Resampler) -> Figure:
    """The weight of length in the judge's verdict at equal human label, in log-odds.

    logit P(judge names a) = x human + y tanh(gap / s), with human 1, -1 or 0 for a, b and a tie, and s the root mean square of the
    gaps; no intercept, so that it does not matter which response is called a. After the length control of
    Dubois et al. (2024).
    """
    known = (said != NONE) & (said != TIE) & (truth != NONE)
    if not known.any():
        return unknown("no pair has a winner by the judge and a label of people")
    scale = float(np.sqrt(np.mean(gap[known] ** 2)))
    if scale == 0.0:
        return unknown("all pairs are of equal length", int(known.sum()))
    human = np.where(truth[known] == A, 1.0, np.where(truth[known] == B, -1.0, 0.0))
    inputs = np.column_stack([human, np.tanh(gap[known] / scale)])
    named_a = (said[known] == A).astype(float)
    count = len(named_a)
    if np.linalg.matrix_rank(inputs) < inputs.shape[1]:
        return unknown("length and the labels of people say the same thing", count)
    point = fit_logits(inputs, named_a, np.ones((1, count)))[0]
    if not np.isfinite(point).all():
        return unknown("the judge's verdicts follow from the labels or the lengths without exception", count)
    own = groups[known]
    if len(np.unique(own)) < 2:
        return Figure(float(point[1]), count=count)
    low, high = percentiles(fit_logits(inputs, named_a, draws.weights[:, own])[:, 1])
    return Figure(float(point[1]), low, high, count)


def fit_logits(inputs: Floats, outcomes: Floats, weights: Floats) -> Floats:
    """Coefficients of many weighted logistic regressions at once, by Newton's method: inputs (n, k), weights (r, n), to (r, k).

    NaN where a fit does not settle within finite log-odds, as when the outcomes can be told without error. One fit equals
    statsmodels' to 1e-8 (tested); a thousand are one matrix product a step.
    """
    runs, width = len(weights), inputs.shape[1]
    found = np.zeros((runs, width))
    products = (inputs[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    settled = np.zeros(runs, dtype=bool)
    for _ in range(4 * _STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(found @ inputs.T, -30.0, 30.0)))
        slope = (weights * (outcomes - p)) @ inputs
        curve = ((weights * p * (1.0 - p)) @ products).reshape(runs, width, width) + 1e-10 * np.eye(width)
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        found = np.clip(found + np.clip(step, -2.0, 2.0), -2 * _LARGEST, 2 * _LARGEST)
        settled = np.abs(step).max(axis=1) < 1e-9
        if settled.all():
            break
    return np.where((settled & (np.abs(found).max(axis=1) < _LARGEST))[:, None], found, np.nan)
