"""Asks a judge about pairs in both orders, each by one principle of the caller's choice, whatever prompts it applies to.

For measurements of principles and judges: tests, steerability. The layout and the reading of an answer are those of
`judges.pairwise`. Knows no run folder and draws no conclusion.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from constitution.model import Constitution, Principle, Status
from engines.base import Engine
from judges.aggregate import differ
from judges.pairwise import Mode, PairAsk, PairwiseJudge
from judges.probability import mean, vote_share
from tenet.console import Progress
from tenet.records import Judgement, Outcome, Prompt, Sample

Asker = Callable[[PairwiseJudge, Sequence[PairAsk]], Mapping[str, Judgement]]
"""Answers questions, by their ids; what it leaves out counts as not answered."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which of two responses follows a principle better? The samples' ids must differ."""

    principle: Principle
    prompt: Prompt
    a: Sample
    b: Sample


@dataclass(frozen=True, slots=True)
class Answer:
    """P(a follows the principle better) by which was shown first; None where that question was not answered, then with a `reason`."""

    shown_a: float | None
    shown_b: float | None
    reason: str = ""

    @property
    def p_a(self) -> float | None:
        """The mean over both orders; None unless both are known."""
        return None if self.shown_a is None or self.shown_b is None else mean([self.shown_a, self.shown_b])

    @property
    def flipped(self) -> bool:
        """Whether the two orders name different winners."""
        return differ(self.shown_a, self.shown_b)


def ask_both_ways(
    engine: Engine, questions: Sequence[Question], progress: Progress | None = None, *, ask: Asker | None = None
) -> list[Answer]:
    """Answer questions in their order; equal ones are asked once. `ask` takes the place of asking the engine here and now.

    Raises:
        JudgeUnfit: the engine reads no label log-probabilities, or a label is no single token for it.
        EngineError: the engine itself has failed.
    """
    judges: dict[Principle, PairwiseJudge] = {}
    pairs: list[tuple[PairAsk, PairAsk]] = []
    for one in questions:
        if one.principle not in judges:
            judges[one.principle] = _judge(engine, one.principle)
        own = judges[one.principle]
        (forth,), (back,) = own.asks(one.prompt, one.a, one.b), own.asks(one.prompt, one.b, one.a)
        pairs.append((forth, back))
    asks = {one.record_id: one for pair in pairs for one in pair}
    if not asks:
        return []
    judge = next(iter(judges.values()))
    found = _streamed(judge, asks.values(), progress) if ask is None else ask(judge, [*asks.values()])
    return [_answer(found.get(forth.record_id), found.get(back.record_id)) for forth, back in pairs]


def _streamed(judge: PairwiseJudge, asks: Collection[PairAsk], progress: Progress | None) -> dict[str, Judgement]:
    if progress is not None:
        progress.start(len(asks))
    found: dict[str, Judgement] = {}
    for judgement in judge.stream(asks):
        found[judgement.id] = judgement
        if progress is not None:
            progress.advance(1)
    return found


def _judge(engine: Engine, principle: Principle) -> PairwiseJudge:
    """A judge by this principle alone, on every prompt. Any one of them can answer the questions of all."""
    asked = replace(principle, status=Status.ACTIVE, applies_when=(), yields_to=())
    return PairwiseJudge(engine, Constitution(asked.id, "", "", "", (asked,)), Mode.EACH)


def _answer(forth: Judgement | None, back: Judgement | None) -> Answer:
    reasons = dict.fromkeys(
        "not answered" if one is None else f"{one.outcome.value}: {one.reason or 'no reason given'}"
        for one in (forth, back)
        if one is None or not one.outcome.is_opinion
    )
    shown_b = _p_first(back)
    return Answer(_p_first(forth), None if shown_b is None else 1.0 - shown_b, "; ".join(reasons))


def _p_first(judgement: Judgement | None) -> float | None:
    """P(the response shown first is better); a vote without a probability stands for `judges.probability.vote_share`."""
    if judgement is None:
        return None
    if not judgement.is_vote:
        return judgement.p_first
    return vote_share({Outcome.FIRST: 1.0, Outcome.TIE: 0.5}.get(judgement.outcome, 0.0), 1)
