"""Numbers that are not known yet: exact, an estimate with a 95 % interval, or bounds. Arithmetic only.

What a total over prompts that are not drawn will come to is predicted from those that are, a prompt with all its responses being one
observation, so that responses to one prompt may resemble each other as they like. The interval is that of a prediction: it holds
both how little is known of the mean and how far the prompts to come will scatter about it; Student's t keeps its coverage where few
prompts are drawn. It rests on the drawn prompts being like the others, which `--probe` sees to by drawing them at random.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tenet.ids import Json

if TYPE_CHECKING:
    import numpy as np

LEAST_PROMPTS: Final = 8
"""Fewest drawn prompts from which others are predicted; with fewer there are bounds only."""
CONFIDENCE: Final = 0.95


class Kind(StrEnum):
    """How far an amount is known. An interval is meant to hold the truth in 95 of 100 cases, bounds always do."""

    EXACT = "exact"
    INTERVAL = "interval"
    BOUNDS = "bounds"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number from `low` to `high`; `expected` is None where nothing speaks for any value between bounds."""

    expected: float | None = 0.0
    low: float = 0.0
    high: float = 0.0
    bounded: bool = False

    @classmethod
    def exact(cls, value: float) -> Amount:
        """A number that is known."""
        return cls(value, value, value)

    @classmethod
    def bounds(cls, low: float, high: float, expected: float | None = None) -> Amount:
        """A number that lies between these for certain."""
        return cls.exact(low) if low == high else cls(expected, low, high, bounded=True)

    @property
    def kind(self) -> Kind:
        """How far the number is known."""
        if self.low == self.high:
            return Kind.EXACT
        return Kind.BOUNDS if self.bounded else Kind.INTERVAL

    def holds(self, value: float) -> bool:
        """Whether a value lies in the interval, up to rounding."""
        slack = 1e-9 * max(1.0, abs(value))
        return self.low - slack <= value <= self.high + slack

    def within(self, low: float, high: float) -> Amount:
        """The same, cut to what is possible."""
        expected = None if self.expected is None else min(max(self.expected, low), high)
        return Amount(expected, min(max(self.low, low), high), max(min(self.high, high), low), self.bounded)

    def scaled(self, factor: float) -> Amount:
        """So many times the amount."""
        expected = None if self.expected is None else self.expected * factor
        return Amount(expected, self.low * factor, self.high * factor, self.bounded)

    def __add__(self, other: Amount) -> Amount:
        """The sum; ends are added as they are, for the parts of a plan err together."""
        known = self.expected is not None and other.expected is not None
        expected = (self.expected or 0.0) + (other.expected or 0.0) if known else None
        return Amount(expected, self.low + other.low, self.high + other.high, self.bounded or other.bounded)

    def as_json(self) -> dict[str, Json]:
        """For `--json` and files: whole numbers where it is exact."""
        low, high, expected = (None if v is None else _plain(v) for v in (self.low, self.high, self.expected))
        return {"expected": expected, "low": low, "high": high, "kind": self.kind.value}


NOTHING: Final = Amount()


def _plain(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 4)


def total(amounts: list[Amount]) -> Amount:
    """The sum of amounts; exactly 0 of none."""
    whole = NOTHING
    for amount in amounts:
        whole += amount
    return whole


def loosened(amount: Amount, drawn: int, floor: float, ceiling: float) -> Amount:
    """An interval of some width where all that is drawn was alike: with 95 % confidence less than 3 of `drawn` prompts in so many are
    otherwise (the rule of three), and those may be as far off as `floor` and `ceiling`.
    """
    if amount.low < amount.high or amount.expected is None or floor == ceiling:
        return amount
    share, middle = min(1.0, 3.0 / drawn), amount.expected
    return Amount(
        middle, middle + share * (min(floor, middle) - middle), middle + share * (max(ceiling, middle) - middle)
    )


def predicted(weights: np.ndarray, seen: np.ndarray) -> Amount:
    """The sum over prompts i not drawn of weights[i] . x[i], from the x of prompts that are drawn.

    `weights` is (prompts to come, features), `seen` (prompts drawn, features); the x are taken for independent draws from one
    distribution. With S their covariance, m their mean and w the sum of the weights, the error of w . m has the variance
    w'Sw / n + sum_i w_i'S w_i.

    Raises:
        ValueError: fewer than two prompts are drawn.
    """
    import numpy as np
    from scipy.stats import t

    drawn = len(seen)
    if drawn < 2:
        raise ValueError("a prediction needs two drawn prompts at least")
    whole = weights.sum(axis=0)
    expected = float(whole @ seen.mean(axis=0))
    covariance = np.atleast_2d(np.cov(seen, rowvar=False, ddof=1))
    variance = whole @ covariance @ whole / drawn + np.einsum("if,fg,ig->", weights, covariance, weights)
    half = float(t.ppf((1 + CONFIDENCE) / 2, drawn - 1)) * math.sqrt(max(0.0, float(variance)))
    return Amount(expected, max(0.0, expected - half), expected + half)
