"""Maps from a judge's probability to a calibrated one that keep f(1 - p) = 1 - f(p): what is said of (a, b) follows from (b, a).

Plain arithmetic without numpy, for these are applied to every pair that is exported. How they are fitted is in `fitting`.
All are increasing: none turns a verdict round. A map may send p to exactly 0.5, which says that people cannot be told
from a coin there.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from judges.probability import logit, sigmoid
from tenet.errors import UsageError
from tenet.ids import Json

REACH: Final = 15.0
"""Log-odds are clipped here, at p = 1 - 3e-7: far out, for a judge that is too sure has much of its mass there, and clipped nearer it
would seem better calibrated than it is.
"""


class Map(Protocol):
    """A map of probabilities."""

    name: ClassVar[str]

    def __call__(self, p: float) -> float:
        """The calibrated probability for the judge's."""
        ...

    def as_json(self) -> dict[str, Json]:
        """The map as it is stored; `map_from_json` reads it back."""
        ...


@dataclass(frozen=True)
class Slope:
    """Log-odds, clipped to +-`REACH`, times `slope`, at least 0: 1 / temperature."""

    name: ClassVar[str] = "slope"
    slope: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and self.slope >= 0):
            raise ValueError(f"a slope of {self.slope} turns verdicts round")

    def __call__(self, p: float) -> float:
        """The calibrated probability for the judge's."""
        return sigmoid(self.slope * logit(p, REACH))

    def as_json(self) -> dict[str, Json]:
        """The map as it is stored."""
        return {"map": self.name, "slope": self.slope}


@dataclass(frozen=True)
class Isotonic:
    """A line through knots of (distance of p from 0.5, distance of f(p) from 0.5), both rising from (0, 0); level beyond the last."""

    name: ClassVar[str] = "isotonic"
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(b > a for a, b in zip(self.x, self.x[1:], strict=False))
        level = all(b >= a for a, b in zip(self.y, self.y[1:], strict=False))
        if len(self.x) != len(self.y) or not self.x or self.x[0] != 0 or self.y[0] != 0 or not (rising and level):
            raise ValueError("the knots of an isotonic map must rise from (0, 0)")

    def __call__(self, p: float) -> float:
        """The calibrated probability for the judge's."""
        reach = self._height(abs(p - 0.5))
        return 0.5 + (reach if p > 0.5 else -reach)

    def _height(self, x: float) -> float:
        place = bisect_right(self.x, x)
        if place == len(self.x):
            return self.y[-1]
        (x0, x1), (y0, y1) = self.x[place - 1 : place + 1], self.y[place - 1 : place + 1]
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)

    def as_json(self) -> dict[str, Json]:
        """The map as it is stored."""
        return {"map": self.name, "x": list(self.x), "y": list(self.y)}


def map_from_json(value: Mapping[str, Json]) -> Map:
    """Read a stored map back.

    Raises:
        UsageError: it is none.
    """
    try:
        if value.get("map") == Slope.name:
            return Slope(float(value["slope"]))  # type: ignore[arg-type]
        if value.get("map") == Isotonic.name:
            return Isotonic(_numbers(value["x"]), _numbers(value["y"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"a stored calibration cannot be read: {error}", hint="fit it again: tenet calibrate"
        ) from error
    raise UsageError(f"a stored calibration has the map {value.get('map')!r}", hint="fit it again: tenet calibrate")


def _numbers(value: Json) -> tuple[float, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError("knots are no list")
    return tuple(float(one) for one in value)  # type: ignore[arg-type]
