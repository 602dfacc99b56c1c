"""A figure of a judge card: a value with its interval, or the reason why there is none. Knows no metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenet.ids import Json


@dataclass(frozen=True)
class Figure:
    """A value over `count` units, with its 95 % interval where one could be made; None with a `reason` where it cannot be told.

    `more` are numbers that belong to it, as the p-value of a test.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0
    reason: str = ""
    more: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ValueError("a figure has a value, or a reason why it has none")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a figure cannot be {self.value}")

    def as_json(self) -> dict[str, Json]:
        """For `card.json`."""
        if self.value is None:
            return {"value": None, "reason": self.reason, "count": self.count}
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count, **self.more}


def unknown(reason: str, count: int = 0) -> Figure:
    """A figure that cannot be told."""
    return Figure(None, count=count, reason=reason)
