"""Shares, means and differences with their 95 % intervals. Plain numpy; knows no model.

Responses to one prompt resemble each other, so the unit is the prompt: shares get Wilson's interval on the number of
prompts (Wilson 1927), which stays honest at 0 and 1; differences of shares Newcombe's (1998, method 10), which treats
the two as independent and so errs on the wide side for paired prompts; means are bootstrapped over prompts.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tenet.ids import Json
from tenet.intervals import wilson

RESAMPLES: Final = 2_000


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; `count` is the number of prompts that it rests on."""

    value: float
    low: float
    high: float
    count: int

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count}


def share(values: Sequence[float], prompts: Sequence[Hashable]) -> Estimate:
    """Give the mean of values in [0, 1] (a half is a tie) with Wilson's interval on the number of prompts.

    Args:
        values: (responses,) each 0, 1 or between.
        prompts: (responses,) which prompt each belongs to.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values to take a share of")
    count = len(set(prompts))
    p = sum(values) / len(values)
    low, high = wilson(p, count)
    return Estimate(p, low, high, count)


def difference(before: Estimate, after: Estimate) -> Estimate:
    """Give after minus before, for two shares, with Newcombe's hybrid score interval."""
    gap = after.value - before.value
    down = math.hypot(after.value - after.low, before.high - before.value)
    up = math.hypot(after.high - after.value, before.value - before.low)
    return Estimate(gap, max(-1.0, gap - down), min(1.0, gap + up), min(before.count, after.count))


def mean(values: Sequence[float], prompts: Sequence[Hashable], *, seed: int = 0) -> Estimate:
    """Give the mean of any numbers with a percentile bootstrap over prompts.

    Args:
        values: (responses,)
        prompts: (responses,) which prompt each belongs to.
        seed: of the resampling.

    Raises:
        ValueError: there are no values.
    """
    return ratio(values, [1.0] * len(values), prompts, seed=seed)


def ratio(values: Sequence[float], sizes: Sequence[float], prompts: Sequence[Hashable], *, seed: int = 0) -> Estimate:
    """Give the sum of values over the sum of sizes with a percentile bootstrap over prompts.

    Args:
        values: (responses,) what is added up.
        sizes: (responses,) positive: what it is divided by, such as tokens.
        prompts: (responses,) which prompt each belongs to.
        seed: of the resampling.

    Raises:
        ValueError: there are no values.
    """
    import numpy as np

    if not values:
        raise ValueError("no values to take a mean of")
    groups: dict[Hashable, tuple[list[float], list[float]]] = {}
    for value, size, prompt in zip(values, sizes, prompts, strict=True):
        found = groups.setdefault(prompt, ([], []))
        found[0].append(value)
        found[1].append(size)
    sums, totals = (np.array([sum(group[side]) for group in groups.values()], dtype=np.float64) for side in (0, 1))
    draws = np.random.default_rng(seed).multinomial(len(groups), np.full(len(groups), 1 / len(groups)), RESAMPLES)
    low, high = np.quantile((draws @ sums) / (draws @ totals), [0.025, 0.975])
    return Estimate(float(sums.sum() / totals.sum()), float(low), float(high), len(groups))


def mean_difference(
    before: Mapping[Hashable, float], after: Mapping[Hashable, float], *, seed: int = 0
) -> Estimate | None:
    """Give the mean of after minus before over the prompts that both have; None if they share none.

    Args:
        before: one number a prompt (the mean over its responses).
        after: likewise.
        seed: of the resampling.
    """
    common = [prompt for prompt in before if prompt in after]
    if not common:
        return None
    return mean([after[prompt] - before[prompt] for prompt in common], common, seed=seed)
