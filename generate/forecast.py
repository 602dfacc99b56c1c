"""Counts the comparisons that a schedule will ask of a prompt: exactly where it asks everything at once, else as an
expectation with an upper bound. Knows no run; what is recorded comes in as answers.

How many pairs a prompt comes to does not depend on any answer (`generate.schedule`), but which pairs, and how many
second orders, does. The expectation takes the share of close answers from the run's own calibration where that is
recorded, and `USUAL_CLOSE` before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise
from typing import Final

from constitution.model import Constitution
from generate.orders import Asking, PositionBias, position_bias
from generate.prefixes import Prefixes
from generate.questions import Asker
from generate.rounds import Subject, in_showing_order, replay
from judges.pairwise import PairAsk
from tenet.records import Judgement

USUAL_CLOSE: Final = 0.4
"""Share of second orders asked for `close_within: 1.0` in `benchmarks/ranking.py --schedules`; it grows with the width."""


@dataclass(frozen=True)
class Forecast:
    """Questions in all, still owed, and answered by other runs (`reused`), and prompt tokens of those owed: expected, at least and at
    most; `cached` of the tokens are expected in a prefix cache.
    """

    calls: float = 0.0
    calls_at_least: int = 0
    calls_at_most: int = 0
    owed: float = 0.0
    owed_at_least: int = 0
    owed_at_most: int = 0
    tokens: float = 0.0
    tokens_at_least: float = 0.0
    tokens_at_most: float = 0.0
    cached: float = 0.0
    reused: float = 0.0
    reused_at_least: int = 0
    reused_at_most: int = 0

    def __add__(self, other: Forecast) -> Forecast:
        return Forecast(*(one + more for one, more in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Forecaster:
    """Forecasts of one run. `bias` is None while it is not measured; `close` is the share of answers that are close."""

    asking: Asking
    constitution: Constitution
    bias: PositionBias | None = None
    close: float = USUAL_CLOSE

    @classmethod
    def of(cls, asking: Asking, constitution: Constitution, heard: Sequence[Judgement] | None) -> Forecaster:
        """A forecaster that knows what the calibration heard (None: not all of it yet)."""
        bias = None if heard is None else position_bias(heard)
        if not heard or bias is None:
            return cls(asking, constitution, bias, min(1.0, USUAL_CLOSE * (asking.orders.close_within or 1.0)))
        close = sum(asking.orders.is_close(one, bias) for one in heard) / len(heard)
        return cls(asking, constitution, bias, close)

    def drawn(self, asker: Asker, prefixes: Prefixes) -> Forecast:
        """Of a prompt whose samples are there; `prefixes` goes on counting what a cache holds."""
        subject = asker.subject
        found = replay(self.asking, subject, asker.settled, self.bias, self.constitution)
        due = found.questions
        new = [question for question in due if asker.settled(question) is None]
        if self.asking.adaptive and not found.finished:
            pairs = self.asking.schedule.pairs(len(subject.ids)) * len(subject.principles)
            expected, most = self.asked_of(subject.place, pairs)[1], 2 * pairs
            least = max(len(due), round(self.asked_of(subject.place, pairs)[0]))
        else:
            expected = least = most = len(due)
        lengths = {question: len(asker.ask(question).tokens) for question in (due if most > len(due) else new)}
        tokens = sum(lengths[question] for question in new)
        further, further_at_most = max(0.0, expected - len(due)), most - len(due)
        mean = sum(lengths.values()) / len(lengths) if lengths else 0.0
        longest = max(lengths.values(), default=0)
        if further_at_most and self.asking.schedule.adaptive:
            longest = max(longest, *(len(ask.tokens) for ask in _longest(asker)))
        cached = prefixes.count(asker.ask(question).tokens for question in in_showing_order(new, subject))
        done = len(due) - len(new)
        lent = sum(asker.lent(question) for question in due)
        share = lent / len(due) if due else 0.0  # of the further ones too, it is expected
        owing, possible = further * (1 - share), further_at_most if asker.told.elsewhere else 0
        return Forecast(
            len(due) + further, least, most, len(new) + owing, least - done - min(possible, least - len(due)), most - done,
            tokens + owing * mean, tokens, tokens + further_at_most * longest, cached + owing * prefixes.head,
            lent + further * share, lent, lent + possible,
        )  # fmt: skip

    def asked_of(self, place: int, pairs: float) -> tuple[float, float, float]:
        """Questions about so many pairs of a prompt under one principle: at least, expected, at most."""
        if self.asking.orders.calibrates(place):
            return 2 * pairs, 2 * pairs, 2 * pairs
        return pairs, pairs * (1.0 + self.close), 2 * pairs

    def opening(self, place: int, samples: int, principles: int) -> tuple[int, int, int]:
        """How the first questions of a prompt follow each other: (about the same pair as the one before in the same order, with the
        same first response, others).
        """
        names = tuple(f"{number:03d}" for number in range(samples))
        subject = Subject("", place, names, tuple(f"{number:03d}" for number in range(principles)))
        (wave, *_) = replay(self.asking, subject, lambda _: None, self.bias, self.constitution).waves or ((),)
        ordered = in_showing_order(wave, subject)
        same = sum((a.first_id, a.second_id) == (b.first_id, b.second_id) for a, b in pairwise(ordered))
        first = sum(a.first_id == b.first_id for a, b in pairwise(ordered)) - same
        return same, first, len(ordered) - same - first


def _longest(asker: Asker) -> list[PairAsk]:
    """The questions about the two longest samples, in one order."""
    count = asker.judge.engine.tokenizer.count
    *_, one, other = sorted(asker.samples.values(), key=lambda sample: (count(sample.text), sample.id))
    return asker.judge.asks(asker.prompt, one, other)
