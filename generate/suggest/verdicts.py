"""What a run's judge makes of labelled pairs once candidates are added to its principles: how far each verdict agrees with people.

Verdicts are combined as the run combines them. With `each`, the opinions of all that applies, by `judges.aggregate.combined`. With
`whole`, the file and the candidates are one question. With `sampled`, a prompt hears one principle drawn by weight: the agreement is
the expected one over that draw, where the principle that the prompt draws today stands for the file. Every pair is asked in both
orders; an answer that is recorded is not asked for. A verdict is 1 where it names the response that people prefer, 0 where the other,
and 1/2 where it names none. Knows no ranking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from constitution.model import Constitution, Principle
from constitution.select import applies, applying
from engines.base import Engine
from generate.answers import Answers
from generate.suggest.evidence import Labelled
from judges.aggregate import Opinion, Pair, combined, opinions_of
from judges.pairwise import Mode, PairAsk, PairwiseJudge
from judges.registry import create_judge
from tenet.budget import Spent
from tenet.errors import BudgetReached
from tenet.records import Judgement
from tenet.runconfig import JudgeConfig

NO_WINNER: Final = 0.5
_EVEN: Final = 1e-9

Agreement = Mapping[Pair, float]
"""How far the verdict of each pair agrees with people, from 0 to 1."""
Added = tuple[Principle, ...]
"""Candidates that are added to the file."""


@dataclass(frozen=True)
class Owed:
    """Questions without a recorded answer, and the tokens that they come to, answers of one token included."""

    calls: int = 0
    tokens: int = 0


class Verdicts:
    """The judge of a run on labelled pairs. `limit` is the most tokens that may be spent on answers; None for no limit."""

    def __init__(
        self, engine: Engine, file: Constitution, config: JudgeConfig, seed: int, answers: Answers,
        *, limit: int | None = None,
    ) -> None:  # fmt: skip
        self.file = file
        self.mode = Mode(config.principles)
        self._engine = engine
        self._config = config
        self._seed = seed
        self._answers = answers
        self._limit = limit
        self._opinions: dict[Pair, dict[str, Opinion]] = {}
        self.judge = self._made(())

    def owed(self, sets: Sequence[Added], pairs: Iterable[Labelled]) -> Owed:
        """What `hear` would ask for these sets of candidates on these pairs."""
        return self._owed(self._asks(sets, pairs))

    def hear(self, sets: Sequence[Added], pairs: Sequence[Labelled], title: str) -> None:
        """Have the answers of all that `agreement` needs for these sets of candidates on these pairs.

        Raises:
            BudgetReached: they might take more tokens than the limit leaves; nothing of them is asked.
            TooManyFailures, Interrupted, EngineError, RunLocked: as `generate.answers.Answers.get`.
        """
        asks = self._asks(sets, pairs)
        require_room(self._owed(asks).tokens, self._answers.spent, self._limit)
        known = self._answers.get(self.judge, asks, title)
        if self.mode is not Mode.WHOLE:
            self._note(known[ask.record_id] for ask in asks if ask.record_id in known)

    def agreement(self, added: Added, pairs: Sequence[Labelled]) -> Agreement:
        """How far the verdicts under the file with these candidates agree with people, pair by pair. `hear` comes first."""
        if self.mode is Mode.WHOLE:
            return self._whole(added, pairs)
        of_pair = self._drawn if self.mode is Mode.SAMPLED else self._together
        return {one.key: of_pair(one, added) for one in pairs}

    def own(self, candidate: Principle, pairs: Sequence[Labelled]) -> Agreement:
        """How far a candidate's own verdicts agree with people, of the pairs where it names a winner; empty where it is not asked alone."""
        said = ((one, self._opinions.get(one.key, {}).get(candidate.id)) for one in pairs)
        found = {one.key: _agrees(one, opinion) for one, opinion in said}
        return {key: agrees for key, agrees in found.items() if agrees != NO_WINNER}

    def _whole(self, added: Added, pairs: Sequence[Labelled]) -> Agreement:
        asks = _asks(self._made(added), pairs)
        known = self._answers.recorded(ask.record_id for ask in asks)
        found = opinions_of(known[ask.record_id] for ask in asks if ask.record_id in known)
        return {one.key: _agrees(one, next(iter(found.get(one.key, ())), None)) for one in pairs}

    def _together(self, one: Labelled, added: Added) -> float:
        known = {principle.id: principle for principle in (*self.file.active, *added)}
        heard = [told for name, told in self._opinions.get(one.key, {}).items() if name in known and told.complete]
        return _side(one, combined(heard, known)) if heard else NO_WINNER

    def _drawn(self, one: Labelled, added: Added) -> float:
        told = self._opinions.get(one.key, {})
        speaking = [new for new in added if _reaches(new, one)]
        file = sum(held.weight for held in applying(self.file, one.case.prompt))
        total = file + sum(new.weight for new in speaking)
        if not total:
            return NO_WINNER
        drawn = next(iter(self.judge.principles(one.case.prompt)), "")
        agreed = file * _agrees(one, told.get(drawn)) + sum(
            new.weight * _agrees(one, told.get(new.id)) for new in speaking
        )
        return agreed / total

    def _asks(self, sets: Sequence[Added], pairs: Iterable[Labelled]) -> list[PairAsk]:
        """The questions behind these sets, each once: with `whole` one a set, else the file's own and one for each candidate."""
        pairs = list(pairs)
        if self.mode is Mode.WHOLE:
            judges = [self._made(added) for added in sets]
        else:
            new = tuple(dict.fromkeys(one for added in sets for one in added))
            alone = replace(self._config, principles=Mode.EACH.value)
            asked = create_judge(self._engine, replace(self.file, principles=new), alone, seed=self._seed)
            judges = [self.judge, *([asked] if new else [])]
        return list({ask.record_id: ask for judge in judges for ask in _asks(judge, pairs)}.values())

    def _owed(self, asks: Sequence[PairAsk]) -> Owed:
        known = self._answers.recorded(ask.record_id for ask in asks)
        owed = [ask for ask in asks if ask.record_id not in known]
        return Owed(len(owed), sum(len(ask.tokens) + 1 for ask in owed))

    def _made(self, added: Added) -> PairwiseJudge:
        file = replace(self.file, principles=(*self.file.principles, *added))
        return create_judge(self._engine, file, self._config, seed=self._seed)

    def _note(self, judgements: Iterable[Judgement]) -> None:
        for pair, told in opinions_of(judgements).items():
            self._opinions.setdefault(pair, {}).update({one.principle: one for one in told})


def require_room(tokens: int, spent: Spent, limit: int | None) -> None:
    """Stop where what is to be asked may pass the limit.

    Raises:
        BudgetReached: it may.
    """
    if limit is not None and spent.tokens + tokens > limit:
        raise BudgetReached(
            f"Stopped as the limit says: {spent.tokens:,} of {limit:,} tokens spent, and the next questions take {tokens:,}. "
            "What was answered is kept.",
            hint=f"go on with --max-tokens {spent.tokens + tokens} or more",
        )


def _asks(judge: PairwiseJudge, pairs: Iterable[Labelled]) -> list[PairAsk]:
    return [
        ask for one in pairs for first, second in one.case.shown() for ask in judge.asks(one.case.prompt, first, second)
    ]


def _reaches(principle: Principle, one: Labelled) -> bool:
    return applies(principle, one.case.prompt.tags, one.case.prompt.text)


def _agrees(one: Labelled, opinion: Opinion | None) -> float:
    return NO_WINNER if opinion is None or not opinion.complete else _side(one, opinion.p_a)


def _side(one: Labelled, p_a: float) -> float:
    """Whether P(a is better) names the response that people prefer."""
    return NO_WINNER if abs(p_a - 0.5) < _EVEN else float((p_a > 0.5) is one.a_wins)
