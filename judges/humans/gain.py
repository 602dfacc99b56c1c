"""What one more label is worth, and when more stop paying. Knows numbers only.

Labels are there to say how often the judge agrees with people. What is said is an interval (Wilson 1927), over the effective number
of labels n = (sum w)^2 / sum w^2 (Kish 1965), w = 1 / probability of being drawn. One more label narrows it, on average, by

    h(n) - h(n + k),    k = n / labels so far,    h(n) = half the interval's width,

where the share found so far stands in for the unknown one. More labels stop paying for this purpose where the next `NEXT` of them narrow
the interval by less than `LEAST`; they may still pay as labels, since each mends the judge's verdict with probability min(p, 1 - p).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tenet.ids import Json
from tenet.intervals import wilson

NEXT: Final = 50
LEAST: Final = 0.01
TARGET: Final = 0.05
"""Half the width of an interval that tells 75 % from 80 %."""
_MOST: Final = 1_000_000


@dataclass(frozen=True)
class Worth:
    """How far the labels have come: agreement with its interval, and what more of them would narrow."""

    labels: int
    effective: float
    agreement: float | None
    low: float
    high: float
    per_label: float
    next: int
    next_narrow: float
    to_target: int | None

    @property
    def pays(self) -> bool:
        """Whether the `next` labels narrow the interval by `LEAST` or more."""
        return self.next_narrow >= LEAST

    def as_json(self) -> dict[str, Json]:
        """For the page and `--json`."""
        return {
            "labels": self.labels, "effective": self.effective, "agreement": self.agreement, "low": self.low, "high": self.high,
            "per_label": self.per_label, "next": self.next, "next_narrow": self.next_narrow, "to_target": self.to_target,
            "target": TARGET, "pays": self.pays,
        }  # fmt: skip


def worth(agreed: Sequence[float], weights: Sequence[float], left: int = NEXT) -> Worth:
    """What labels so far show: `agreed` is 1 where judge and person agree, 0 where not, one half for a tie of one of them.

    `left` are the pairs that nobody has labelled yet: no more than these are foretold.
    """
    coming = min(NEXT, left)
    count = len(agreed)
    if not count:
        start = _half(0.5, 0.0)
        return Worth(
            0,
            0.0,
            None,
            0.0,
            1.0,
            start - _half(0.5, 1.0),
            coming,
            start - _half(0.5, coming),
            _to_target(0.5, 0.0, 1.0),
        )
    total = sum(weights)
    effective = total * total / sum(weight * weight for weight in weights)
    share = sum(one * weight for one, weight in zip(agreed, weights, strict=True)) / total
    low, high = wilson(share, effective)
    step = effective / count
    here = _half(share, effective)
    return Worth(
        count, effective, share, low, high, here - _half(share, effective + step), coming,
        here - _half(share, effective + coming * step), _to_target(share, effective, step),
    )  # fmt: skip


def _half(share: float, count: float) -> float:
    low, high = wilson(share, count)
    return (high - low) / 2.0


def _to_target(share: float, effective: float, step: float) -> int | None:
    """The labels still needed for half a width of `TARGET`, by bisection; None where no million of them would do."""
    if _half(share, effective) <= TARGET:
        return 0
    low, high = 0, _MOST
    if _half(share, effective + high * step) > TARGET:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _half(share, effective + middle * step) <= TARGET else (middle, high)
    return high
