"""How far a judge's probabilities can be taken at their word: Brier score, log loss, expected calibration error.

Pure functions of P(a better) and of whether people prefer a, over pairs where people name a winner. None of them depends on which
response is called a. Knows no record.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from judges.card.bootstrap import Floats, Ints, Resampler, average
from judges.card.figures import Figure, unknown

BINS: Final = 10
CLIP: Final = 1e-6
_NOTHING: Final = "no pair has a probability of the judge and a winner named by people"


def brier(p: Floats, won: Floats, groups: Ints, draws: Resampler, weights: Floats) -> Figure:
    """Mean squared difference (Brier 1950); 0.25 is a judge that always says one half."""
    return draws.figure(np.column_stack([weights * (p - won) ** 2, weights]), groups, average, none=_NOTHING)


def log_loss(p: Floats, won: Floats, groups: Ints, draws: Resampler, weights: Floats) -> Figure:
    """Mean negative log-likelihood in nats, p clipped to [1e-6, 1 - 1e-6]; 0.693 is a judge that always says one half."""
    held = np.clip(p, CLIP, 1.0 - CLIP)
    loss = -(won * np.log(held) + (1.0 - won) * np.log1p(-held))
    return draws.figure(np.column_stack([weights * loss, weights]), groups, average, none=_NOTHING)


def calibration_error(p: Floats, won: Floats, groups: Ints, draws: Resampler, weights: Floats) -> Figure:
    """Mean distance of certainty and share right, over at most ten bins of equal mass of max(p, 1 - p) (Guo et al. 2017).

    Bins never part equal certainties. The interval is that of the resampled estimate with the bins held fixed; the
    estimate is biased upwards where bins are small.
    """
    if not len(p):
        return unknown(_NOTHING)
    certainty = np.maximum(p, 1.0 - p)
    right = np.where(p == 0.5, 0.5, np.where(p > 0.5, won, 1.0 - won))
    bins = equal_mass(certainty)
    count = int(bins.max()) + 1
    rows = np.zeros((len(p), 3 * count))
    for column, values in enumerate((weights * certainty, weights * right, weights)):
        rows[np.arange(len(p)), column * count + bins] = values

    def statistic(sums: Floats) -> Floats:
        sure, hit, mass = (sums[..., part * count : (part + 1) * count] for part in range(3))
        return np.asarray(np.abs(sure - hit).sum(axis=-1) / mass.sum(axis=-1))

    return draws.figure(rows, groups, statistic, none=_NOTHING, more={"bins": count})


def equal_mass(values: Floats, bins: int = BINS) -> Ints:
    """The bin of each value: about equal numbers in each, equal values in the same one; numbered from 0 without gaps."""
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    placed = np.searchsorted(edges, values, side="left")
    return np.unique(placed, return_inverse=True)[1].astype(np.int64)
