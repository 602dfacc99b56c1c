"""Replays a schedule on what is recorded: which questions a prompt has been due so far, wave by wave. Pure.

A wave is what can be asked at once: a round of the schedule, then, where one order may be enough, the second orders
of that round. What a wave asks depends on the answers of earlier waves alone, so a run that was stopped and one that
was not come to the same questions. Knows ids and judgements; no text, no key, no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from constitution.model import Constitution
from generate.orders import Asking, PositionBias
from generate.schedule import Pair
from judges.aggregate import preferences
from tenet.records import Judgement


@dataclass(frozen=True, slots=True)
class Question:
    """One principle (None: the whole constitution) asked about two samples, the first of which is shown first."""

    first_id: str
    second_id: str
    principle: str | None

    def turned(self) -> Question:
        """The same question with the samples shown the other way round."""
        return Question(self.second_id, self.first_id, self.principle)


@dataclass(frozen=True, slots=True)
class Settled:
    """A question that will not be asked again: answered, or given up (then `judgement` may be None)."""

    judgement: Judgement | None


Told = Callable[[Question], Settled | None]
"""What is recorded of a question; None while it is owed."""


@dataclass(frozen=True)
class Subject:
    """A prompt as the replay sees it: its place in the run from 0, its comparable samples, the principles asked about."""

    prompt_id: str
    place: int
    ids: tuple[str, ...]
    principles: tuple[str | None, ...]


@dataclass(frozen=True)
class Replay:
    """The questions of each wave that can be told yet, and whether nothing can follow on them."""

    waves: tuple[tuple[Question, ...], ...]
    finished: bool

    @property
    def questions(self) -> list[Question]:
        """All questions of all waves."""
        return [question for wave in self.waves for question in wave]


def replay(
    asking: Asking, subject: Subject, told: Told, bias: PositionBias | None, constitution: Constitution
) -> Replay:
    """Tell the waves of one prompt as far as the answers allow.

    The last one may be owed in part or whole. `bias` is None while it is not measured yet; then no wave of second
    orders can be told, but for the prompts that it is measured on.
    """
    waves: list[tuple[Question, ...]] = []
    results: dict[Pair, float | None] = {}
    orders, lean = asking.orders, not asking.orders.calibrates(subject.place)
    while subject.principles and (pairs := asking.schedule.owed(subject.prompt_id, subject.ids, results)):
        waves.append(tuple(_opening(asking, subject, pairs)))
        answers = _answers(waves[-1], told)
        if answers is None or (lean and bias is None):
            return Replay(tuple(waves), finished=False)
        if orders.close_within is not None:
            close = (
                q.turned() for q, judgement in answers.items() if lean and bias and orders.is_close(judgement, bias)
            )
            waves.append(tuple(close))
            second = _answers(waves[-1], told)
            if second is None:
                return Replay(tuple(waves), finished=False)
            answers |= second
        heard = answers.values() if asking.schedule.adaptive else ()
        found = preferences(
            [judgement for judgement in heard if judgement is not None],
            constitution,
            bias=bias.log_odds if lean and bias else None,
        )
        results |= dict.fromkeys(pairs) | {(one.a_id, one.b_id): one.p_a for one in found}
    return Replay(tuple(waves), finished=True)


def calibration(asking: Asking, subject: Subject) -> Iterator[Question]:
    """The questions of a prompt from which the position bias is measured: its first round; none where it is not measured on."""
    if asking.orders.close_within is not None and asking.orders.calibrates(subject.place):
        yield from _opening(asking, subject, asking.schedule.owed(subject.prompt_id, subject.ids, {}))


def _opening(asking: Asking, subject: Subject, pairs: Sequence[Pair]) -> Iterator[Question]:
    """The questions with which a round begins: one order of each pair, or both."""
    both = asking.orders.calibrates(subject.place)
    for pair in pairs:
        first, second = asking.orders.shown(subject.prompt_id, pair)
        for principle in subject.principles:
            yield Question(first, second, principle)
            if both:
                yield Question(second, first, principle)


def _answers(wave: Sequence[Question], told: Told) -> dict[Question, Judgement | None] | None:
    """What became of the questions of a wave; None while one of them is owed."""
    found: dict[Question, Judgement | None] = {}
    for question in wave:
        settled = told(question)
        if settled is None:
            return None
        found[question] = settled.judgement
    return found


def in_showing_order(questions: Sequence[Question], subject: Subject) -> list[Question]:
    """Questions with the same first response together, so that a prefix cache keeps it; in the order of the samples."""
    place: Mapping[str, int] = {name: number for number, name in enumerate(subject.ids)}
    principle = {name: number for number, name in enumerate(subject.principles)}
    return sorted(questions, key=lambda q: (place[q.first_id], place[q.second_id], principle[q.principle]))
