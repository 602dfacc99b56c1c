"""Tempers a judge that nobody checked: it may not claim to be right more often than its two orders allow.

Of a pair that flips when its responses change places, one of the two verdicts is wrong. So of all verdicts at most
1 - (flip rate) / 2 are right, whatever the judge is like, and the mean of max(p, 1 - p) must not be above that. Where it is,
all log-odds are multiplied by the largest slope below 1 that brings it there. This bounds a claim and proves none: a
consistent judge can be consistently wrong. Knows no anchors; what it takes of a run is a histogram of fixed size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from judges.calibration.maps import REACH, Slope
from judges.probability import logit
from judges.reliability.combine import sureness, temper
from tenet.records import Preference

_BINS: Final = 3000


@dataclass
class Sureness:
    """How sure a judge was of the pairs shown in both orders, and how many of them flipped; grows with no pair."""

    pairs: int = 0
    flipped: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * _BINS)
    sums: list[float] = field(default_factory=lambda: [0.0] * _BINS)

    def add(self, told: Iterable[Preference]) -> None:
        """Count the preferences that both orders were asked for; others are left out."""
        for one in told:
            if one.p_shown_a is not None and one.p_shown_b is not None:
                reach = abs(logit(one.p_a, REACH))
                place = min(_BINS - 1, int(reach / REACH * _BINS))
                self.counts[place] += 1
                self.sums[place] += reach
                self.pairs += 1
                self.flipped += one.flipped

    @property
    def most(self) -> float:
        """The largest share of verdicts that can be right: 1 - flip rate / 2; 1 without pairs."""
        return 1.0 - self.flipped / self.pairs / 2.0 if self.pairs else 1.0

    def mean(self, slope: float = 1.0) -> float:
        """The mean of max(p, 1 - p) with log-odds times `slope`; 0.5 without pairs."""
        return sureness([slope * one for one in self._reaches()], self.counts)

    def tempered(self) -> Slope:
        """The slope to temper with, 1 where the judge claims no more than its flips allow."""
        return Slope(temper(self._reaches(), self.most, self.counts))

    def _reaches(self) -> list[float]:
        """The mean log-odds of each bin, without their sign."""
        return [held / max(count, 1) for count, held in zip(self.counts, self.sums, strict=True)]
