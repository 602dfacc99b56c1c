"""Bootstrap intervals by prompt, for any figure that is a function of sums over rows.

Rows of one prompt are not independent, so prompts are drawn and not rows (the cluster bootstrap; Davison and Hinkley 1997, section
3.8). A figure is a function of the column sums of a matrix with a line a row: a share is hits over tries, a kappa a function of
its table, an alpha of its coincidences. So a replicate is a product of its draw and the sums by prompt, and all of them are
one matrix product. Beyond `MOST_UNITS` prompts, random blocks of prompts are drawn in their place, so that the work does not grow with
the run. Knows no metric.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from judges.card.figures import Figure, unknown
from tenet.ids import Json
from tenet.intervals import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEVEL = 0.95
FEWEST = 2
MOST_UNITS = 2000


@dataclass(frozen=True)
class Resampler:
    """`replicates` draws of `prompts` prompts, with replacement, from a seed."""

    prompts: int
    replicates: int = 1000
    seed: int = 0

    @cached_property
    def weights(self) -> Floats:
        """How often each replicate drew each unit: (replicates, units)."""
        draw = np.random.default_rng(self.seed)
        chances = np.full(self.units, 1.0 / self.units)
        return draw.multinomial(self.units, chances, size=self.replicates).astype(np.float64)

    @property
    def units(self) -> int:
        """What is drawn: prompts, or as many blocks of them."""
        return max(1, min(self.prompts, MOST_UNITS))

    @cached_property
    def unit_of(self) -> Ints:
        """The unit of each prompt."""
        if self.prompts <= MOST_UNITS:
            return np.arange(self.prompts, dtype=np.int64)
        shuffled = np.random.default_rng([self.seed, 1]).permutation(self.prompts)
        return (shuffled % MOST_UNITS).astype(np.int64)

    def figure(
        self,
        rows: Floats,
        groups: Ints,
        statistic: Callable[[Floats], Floats],
        *,
        none: str,
        count: int | None = None,
        more: dict[str, Json] | None = None,
    ) -> Figure:
        """The figure `statistic` of the column sums of `rows` (n, m); `groups` (n,) are the prompts of the rows.

        `statistic` takes sums (..., m) to values (...), NaN where it is not defined; `none` is the reason given where it is
        not defined on all rows. The interval is that of the percentiles of the replicates in which it is defined, and is
        left out where fewer than two prompts have rows or a tenth of the replicates do not define it. Rows that are all
        alike make all replicates alike, which shows no certainty: a share (`ratio`) of none or all then has Wilson's
        interval over the effective number of prompts (Kish 1965), and any other figure has none.
        """
        units = len(rows) if count is None else count
        if not len(rows):
            return unknown(none)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(statistic(rows.sum(axis=0)))
            if not np.isfinite(value):
                return unknown(none or "not defined on these rows", units)
            low, high = self._interval(rows, groups, statistic)
        return Figure(value, low, high, units, more=more or {})

    def _interval(
        self, rows: Floats, groups: Ints, statistic: Callable[[Floats], Floats]
    ) -> tuple[float | None, float | None]:
        units = self.unit_of[groups]
        there = np.unique(units)
        if len(there) < FEWEST:
            return None, None
        sums = np.zeros((self.units, rows.shape[1]))
        np.add.at(sums, units, rows)
        low, high = percentiles(np.asarray(statistic(self.weights[:, there] @ sums[there])))
        if low is None or low != high:
            return low, high
        return wilson(low, _effective(rows[:, 1], groups)) if statistic is ratio and low in (0.0, 1.0) else (None, None)


def _effective(weights: Floats, groups: Ints) -> float:
    """The number of prompts of equal weight that tell as much as these do."""
    held = np.bincount(groups, weights)
    return float(held.sum() ** 2 / (held**2).sum())


def percentiles(values: Floats) -> tuple[float | None, float | None]:
    """The central 95 % of the replicates; None where more than a tenth of them are not defined."""
    defined = values[np.isfinite(values)]
    if len(defined) < 0.9 * len(values) or not len(defined):
        return None, None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def ratio(sums: Floats) -> Floats:
    """First column over second, of the rows of a share: from 0 to 1."""
    return np.asarray(sums[..., 0] / sums[..., 1])


def average(sums: Floats) -> Floats:
    """First column over second: the weighted mean of values that need not be yes or no."""
    return ratio(sums)


def share(hits: Bools | Floats, weights: Floats | None = None) -> Floats:
    """The rows of a share: (weight of a hit, weight)."""
    of = np.ones(len(hits)) if weights is None else weights
    return np.column_stack([of * hits, of])
