"""In which order a pair is shown, whether the other order is asked too, and how far a judge leans to one place.

The model: a judge's log-odds for the response shown first are d + b, where d is what it thinks of the pair and b
its position bias. Asked both ways round the two answers' mean is free of b. Where only one order is asked, b is
taken off: it is the median, over the pairs and principles of the first `CALIBRATION_PROMPTS` prompts of the run,
of (l(first, second) + l(second, first)) / 2. Those prompts are always asked in both orders, whatever comes of the
first, so that the estimate is not made from close pairs alone; of each only the first round counts, since later
rounds are chosen by results. Votes without a probability say nothing of b and are never far from even: of a judge
that gives no more, every pair is asked in both orders. The median keeps a few pairs that one order saturated from moving it.

By b an answer in one order foretells the other one. The second order is asked where either of the two, as told or as
foretold, lies within `close_within` log-odds of even, or where they would name different winners; that is where d is within
`close_within` + |b| of even. The larger a bias, the more it differs from pair to pair, and the more its mere mean misses.

Which response of a pair is shown first when one order is asked is drawn from the content of (seed, pair). Knows no
model, no text and no file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from generate.schedule import Pair, Schedule, make_schedule
from judges.probability import log_odds
from tenet.ids import unit_interval
from tenet.records import Judgement

if TYPE_CHECKING:
    from tenet.runconfig import ScheduleConfig

CALIBRATION_PROMPTS: Final = 64
LEAST_PAIRS: Final = 16
"""Fewest pairs answered both ways that give a bias; with fewer every second order is asked."""


@dataclass(frozen=True, slots=True)
class PositionBias:
    """What the calibration came to: log-odds that the place shown first adds, over `pairs`; None if they were too few."""

    log_odds: float | None
    pairs: int


@dataclass(frozen=True)
class Orders:
    """How pairs are shown. `close_within` is None where every pair is asked in both orders.

    `calibrating` is how many prompts of the run, its first ones, the position bias is measured on.
    """

    close_within: float | None = None
    seed: int = 0
    calibrating: int = 0

    def shown(self, prompt_id: str, pair: Pair) -> Pair:
        """The order in which a pair is asked first, or alone."""
        return pair if unit_interval("shown first", self.seed, prompt_id, *pair) < 0.5 else (pair[1], pair[0])

    def calibrates(self, place: int) -> bool:
        """Whether the prompt at this place of the run, from 0, is asked in both orders in any case."""
        return self.close_within is None or place < self.calibrating

    def is_close(self, told: Judgement | None, bias: PositionBias) -> bool:
        """Whether an answer in one order leaves the other one owed: close to even, a vote, no opinion, or a bias not known."""
        p = None if told is None or not told.outcome.is_opinion else told.p_first
        if bias.log_odds is None or p is None:
            return True
        return self.leaves_open(log_odds(p), bias.log_odds)

    def leaves_open(self, told: float, bias: float) -> bool:
        """Whether an answer of so many log-odds for the response shown first leaves the other order owed; see the module."""
        return self.close_within is None or abs(told - bias) < self.close_within + abs(bias)


@dataclass(frozen=True)
class Asking:
    """A run's schedule and orders: everything that says what is asked. Pure."""

    schedule: Schedule
    orders: Orders

    @property
    def adaptive(self) -> bool:
        """Whether any question depends on an answer."""
        return self.schedule.adaptive or self.orders.close_within is not None

    def waves(self, n: int) -> int:
        """How many times `n` samples are asked about: once a round, twice where a second order may follow."""
        return self.schedule.rounds(n) * (1 if self.orders.close_within is None else 2)


def make_asking(config: ScheduleConfig, seed: int) -> Asking:
    """What a run's configuration asks; `seed` is the run's."""
    within = config.close_within if config.second_order == "close" else None
    return Asking(make_schedule(config, seed), Orders(within, seed, 0 if within is None else CALIBRATION_PROMPTS))


def position_bias(judgements: Iterable[Judgement]) -> PositionBias:
    """Estimate the bias from judgements of pairs, many of them in both orders; see the module."""
    heard: dict[tuple[str, str, str, str], float] = {}
    for one in judgements:
        if one.outcome.is_opinion and one.p_first is not None:
            heard[one.prompt_id, one.principle or "", one.first_id, one.second_id] = log_odds(one.p_first)
    sums = [
        (told + heard[prompt, principle, second, first]) / 2.0
        for (prompt, principle, first, second), told in heard.items()
        if first < second and (prompt, principle, second, first) in heard
    ]
    return PositionBias(median(sums) if len(sums) >= LEAST_PAIRS else None, len(sums))
