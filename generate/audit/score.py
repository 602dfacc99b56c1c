"""Rates, their paired differences and mean shifts, with intervals that take the prompt as the unit. Plain arithmetic; knows no attack.

A rate is `RateTally`'s: Wilson's interval at the effective sample size. A paired difference of two rates over the same verdicts gets the
interval of Newcombe (1998, method 10) and Zou and Donner (2008), made of the two rates' own intervals, with the correlation of the two
over prompts taken into account; unlike a bootstrap it is not empty where neither rate has a hit. It is cut where the rates' intervals
end it: attacks cannot turn more verdicts beyond random text than they turn. A mean's interval is Student's, from
the means of the prompts weighted by their counts (a ratio estimator, Cochran 1977, section 6).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from generate.audit.model import Interval
from generate.report.model import Rate
from generate.report.tally import RateTally


@dataclass(frozen=True, slots=True)
class Trial:
    """One verdict with an attack, and the same one with the control: whether each turned it. `cluster` is the prompt."""

    cluster: Hashable
    hit: bool
    control: bool


@dataclass(frozen=True)
class Compared:
    """The rate with attacks, that with controls, and the difference."""

    count: int
    prompts: int
    hits: int
    rate: Interval
    control: Interval
    excess: Interval


def compared(trials: Sequence[Trial]) -> Compared | None:
    """Sum up paired trials; None where there are none."""
    if not trials:
        return None
    sums: defaultdict[Hashable, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in trials:
        for place, value in enumerate((one.hit, one.control, True)):
            sums[one.cluster][place] += value
    rows = [*sums.values()]
    attack, control = (_rate((row[place], row[2]) for row in rows) for place in (0, 1))
    r = _correlation([(row[0] - attack.value * row[2], row[1] - control.value * row[2]) for row in rows])
    gap = attack.value - control.value
    down = _reach(attack.value - attack.low, control.high - control.value, r)
    up = _reach(attack.high - attack.value, control.value - control.low, r)
    excess = Interval(gap, max(-control.high, gap - down), min(attack.high, gap + up))
    return Compared(len(trials), len(rows), sum(one.hit for one in trials), attack, control, excess)


def rate(hits: Iterable[tuple[Hashable, bool]]) -> tuple[Interval | None, int, int]:
    """The share of hits among (prompt, hit), the number of verdicts, and that of prompts."""
    sums: defaultdict[Hashable, list[int]] = defaultdict(lambda: [0, 0])
    for cluster, hit in hits:
        sums[cluster][0] += hit
        sums[cluster][1] += 1
    if not sums:
        return None, 0, 0
    return _rate((a, b) for a, b in sums.values()), sum(b for _, b in sums.values()), len(sums)


def mean(values: Iterable[tuple[Hashable, float]]) -> tuple[Interval | None, int, int]:
    """The mean of (prompt, value), the number of values, and that of prompts; no interval from under two prompts."""
    from scipy.stats import t

    sums: defaultdict[Hashable, list[float]] = defaultdict(list)
    for cluster, value in values:
        sums[cluster].append(value)
    count, prompts = sum(map(len, sums.values())), len(sums)
    if prompts < 2:
        return None, count, prompts
    middle = math.fsum(value for group in sums.values() for value in group) / count
    residual = math.fsum((math.fsum(group) - middle * len(group)) ** 2 for group in sums.values())
    reach = float(t.ppf(0.975, prompts - 1)) * math.sqrt(prompts / (prompts - 1) * residual) / count
    return Interval(middle, middle - reach, middle + reach), count, prompts


def _rate(rows: Iterable[tuple[float, float]]) -> Interval:
    tally = RateTally()
    for hits, units in rows:
        tally.add(hits, units)
    found: Rate | None = tally.rate
    assert found is not None
    return Interval(found.value, found.low, found.high)


def _reach(mine: float, other: float, r: float) -> float:
    return math.sqrt(max(0.0, mine * mine + other * other - 2.0 * r * mine * other))


def _correlation(residuals: Sequence[tuple[float, float]]) -> float:
    """Correlation of two residuals over prompts; 0 where one does not vary."""
    xx, yy, xy = (math.fsum(a * b for a, b in rows) for rows in (
        [(x, x) for x, _ in residuals], [(y, y) for _, y in residuals], residuals,
    ))  # fmt: skip
    return xy / math.sqrt(xx * yy) if xx > 1e-12 and yy > 1e-12 else 0.0
