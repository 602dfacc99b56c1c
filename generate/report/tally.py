"""Counting in one pass: shares with honest intervals, histograms, and means, without holding the rows.

Knows numbers only. Verdicts about the same prompt hang together, so a share's interval treats the prompt, not the
verdict, as the unit that was drawn.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from generate.report.model import Histogram, Rate
from tenet.intervals import wilson


@dataclass
class RateTally:
    """A share whose units come in clusters (one prompt, one cluster): add each cluster once, then ask for the `rate`.

    The variance is that of a ratio estimator over clusters, linearised (Cochran 1977, section 6); the interval is
    Wilson's at the effective sample size p(1 - p) / variance, never larger than the number of units (Korn and
    Graubard 1998). Where the variance is 0 (all or none), the number of clusters stands in for it.
    """

    clusters: int = 0
    units: float = 0.0
    hits: float = 0.0
    _hits_squared: float = 0.0
    _hits_units: float = 0.0
    _units_squared: float = 0.0

    def add(self, hits: float, units: float) -> None:
        """Add one cluster: `hits` of its `units`. A cluster without units changes nothing."""
        if units <= 0:
            return
        self.clusters += 1
        self.units += units
        self.hits += hits
        self._hits_squared += hits * hits
        self._hits_units += hits * units
        self._units_squared += units * units

    @property
    def rate(self) -> Rate | None:
        """The share and its interval, or None while nothing was added."""
        if not self.clusters:
            return None
        share = self.hits / self.units
        low, high = wilson(share, self._effective(share))
        return Rate(share, low, high, round(self.units))

    def _effective(self, share: float) -> float:
        residual = self._hits_squared - 2 * share * self._hits_units + share * share * self._units_squared
        if self.clusters < 2 or residual <= 1e-12:
            return float(self.clusters)
        variance = self.clusters / (self.clusters - 1) * residual / (self.units * self.units)
        return min(share * (1 - share) / variance, self.units)


@dataclass
class MeanTally:
    """The mean of numbers added one by one."""

    count: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        """Add one number."""
        self.count += 1
        self.total += value

    @property
    def mean(self) -> float | None:
        """The mean, or None while nothing was added."""
        return self.total / self.count if self.count else None


@dataclass
class HistogramTally:
    """Counts in `bins` equal bins of [`low`, `high`]; what lies outside is counted in the nearest bin."""

    low: float
    high: float
    bins: int
    counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * self.bins

    def bin(self, value: float) -> int:
        """The index of the bin that a value falls into."""
        place = math.floor((value - self.low) / (self.high - self.low) * self.bins + 1e-9)
        return min(max(place, 0), self.bins - 1)

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[self.bin(value)] += 1

    @property
    def histogram(self) -> Histogram:
        """The counts with their edges."""
        width = (self.high - self.low) / self.bins
        edges = tuple(round(self.low + width * i, 10) for i in range(self.bins + 1))
        return Histogram(edges, tuple(self.counts))

    def quantile(self, share: float) -> float | None:
        """The value below which `share` of the values lie, read off the bins by straight lines; None while empty."""
        total = sum(self.counts)
        if not total:
            return None
        reached, edges = [0], self.histogram.edges
        for count in self.counts:
            reached.append(reached[-1] + count)
        target = share * total
        place = min(max(bisect_right(reached, target) - 1, 0), self.bins - 1)
        inside = (target - reached[place]) / self.counts[place] if self.counts[place] else 0.0
        return edges[place] + min(max(inside, 0.0), 1.0) * (edges[place + 1] - edges[place])


def merge(histogram: Histogram, into: int) -> Histogram:
    """The same counts in `into` wider bins; the number of bins must be a multiple of it.

    Raises:
        ValueError: the bins do not divide.
    """
    if len(histogram.counts) % into:
        raise ValueError(f"{len(histogram.counts)} bins cannot be merged into {into}")
    step = len(histogram.counts) // into
    counts = tuple(sum(histogram.counts[i : i + step]) for i in range(0, len(histogram.counts), step))
    return Histogram(histogram.edges[::step], counts)


def share(part: float, whole: float) -> float:
    """`part` over `whole`, 0 where the whole is 0."""
    return part / whole if whole else 0.0


def column_sums(rows: Sequence[Sequence[int]]) -> list[int]:
    """The sum of each column of a rectangular table."""
    return [sum(column) for column in zip(*rows, strict=True)]
