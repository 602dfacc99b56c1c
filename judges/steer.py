"""Steerability of a judge: whether turning a principle into its opposite turns the verdict.

A pair is asked about under the principle and under its opposite, each in both orders. A verdict is one answer in one
order; it is decided where the named response gets at least `DECIDED`, and reversed where the opposite, in the same order,
gives it less than one half. Orders are not averaged first: a judge that only looks at the place decides every question and
reverses none, and an average would hide it as a tie. Knows no run folder and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from constitution.model import Constitution, Principle
from engines.base import Engine
from judges.aggregate import DECIDED
from judges.bothways import Answer, Asker, Question, ask_both_ways
from tenet.console import Progress
from tenet.errors import UsageError
from tenet.records import Prompt, Sample

NEGATION: Final = "The response does the opposite of this: {text}"
READS: Final = 0.8
CHANCE: Final = 0.5
LEAST_PROMPTS: Final = 10


class Reading(StrEnum):
    """What a share of reversed verdicts says of a judge."""

    READS = "reads the file"
    PARTLY = "partly reads the file"
    IGNORES = "ignores the file"
    UNKNOWN = "too few decided verdicts"


@dataclass(frozen=True, slots=True)
class Swap:
    """A principle and what stands against it."""

    principle: Principle
    opposite: Principle

    @property
    def is_negation(self) -> bool:
        """Whether the opposite is the principle's own negation by the template."""
        return self.opposite == negated(self.principle)


@dataclass(frozen=True, slots=True)
class Case:
    """A pair of responses to ask about under both sides of a swap."""

    swap: Swap
    prompt: Prompt
    a: Sample
    b: Sample


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of the verdicts (one an order) on one pair: decided ones, those of them that reversed, unanswered questions."""

    case: Case
    decided: int
    reversed: int
    unread: int
    reason: str = ""


def negated(principle: Principle) -> Principle:
    """Return the opposite by the template `NEGATION`, with the derived question in place of one written for the principle."""
    return replace(principle, text=NEGATION.format(text=principle.text), compare=None)


def swaps(constitution: Constitution, opposite: Constitution | None = None) -> list[Swap]:
    """Set each active principle against its opposite: by id if the other file has all ids, else by position.

    Without another file each is negated.

    Raises:
        UsageError: the two files do not match, or a principle would be set against itself.
    """
    if opposite is None:
        return [Swap(one, negated(one)) for one in constitution.active]
    by_id = {one.id: one for one in opposite.active}
    if all(one.id in by_id for one in constitution.active):
        found = [Swap(one, by_id[one.id]) for one in constitution.active]
    elif len(opposite.active) == len(constitution.active):
        found = [Swap(one, other) for one, other in zip(constitution.active, opposite.active, strict=True)]
    else:
        missing = [one.id for one in constitution.active if one.id not in by_id]
        raise UsageError(
            f"{opposite.name} has no opposite for {', '.join(missing)} of {constitution.name}",
            hint="give it the same ids, or as many principles in the same order",
        )
    same = [one.principle.id for one in found if one.principle.digest == one.opposite.digest]
    if same:
        raise UsageError(f"{', '.join(same)}: the opposite says the same", hint="reword the opposite")
    return found


def turn(
    engine: Engine, cases: Sequence[Case], progress: Progress | None = None, *, ask: Asker | None = None
) -> list[Turned]:
    """Ask about each case under both sides of its swap, and tell in order what reversed; `ask` as in `ask_both_ways`.

    Raises:
        JudgeUnfit, EngineError: see `judges.bothways.ask_both_ways`.
    """
    questions = [
        Question(side, case.prompt, case.a, case.b)
        for case in cases
        for side in (case.swap.principle, case.swap.opposite)
    ]
    answers = iter(ask_both_ways(engine, questions, progress, ask=ask))
    return [_compared(case, next(answers), next(answers)) for case in cases]


def reading(share: float | None, low: float, prompts: int) -> Reading:
    """Name what a share of reversed verdicts means; `low` is the lower end of its interval, `prompts` how many decided.

    A judge that answers by chance reverses half, one that looks elsewhere none: up to `CHANCE` it ignores the file. From
    `READS` on, with the interval above chance, it reads it.
    """
    if share is None or prompts < LEAST_PROMPTS:
        return Reading.UNKNOWN
    if share <= CHANCE:
        return Reading.IGNORES
    return Reading.READS if share >= READS and low > CHANCE else Reading.PARTLY


def _compared(case: Case, before: Answer, after: Answer) -> Turned:
    orders = ((before.shown_a, after.shown_a), (before.shown_b, after.shown_b))
    read = [(p, q) for p, q in orders if p is not None and q is not None]
    decided = [(p, q) for p, q in read if max(p, 1.0 - p) >= DECIDED]
    turned = sum((p - 0.5) * (q - 0.5) < 0.0 for p, q in decided)
    return Turned(case, len(decided), turned, len(orders) - len(read), before.reason or after.reason)
