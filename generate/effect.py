"""Measures what an edit of the principles does to a run's verdicts: a sample of its pairs is judged under both files.

A verdict flips where both files name a winner and not the same one; which change of a principle turned it is for `generate.blame` to
find. Reads the run and changes nothing of it; what had to be asked is kept beside it (`generate.answers`). Knows no terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from constitution.diff import Change, Difference
from generate.answers import Answers
from generate.blame import Blame
from generate.context import Context, Step
from generate.deriving import bias_of
from generate.flip_rate import Share, share
from generate.identity import PRINCIPLES
from generate.orders import Asking, make_asking
from generate.reach import Case, Reach, reach
from generate.schedule import pair_of
from judges.aggregate import preferences
from judges.pairwise import PairAsk, PairwiseJudge
from tenet.budget import Spent
from tenet.errors import UsageError
from tenet.records import Judgement, Preference


@dataclass(frozen=True)
class Verdict:
    """Who wins a pair, and by how much: P(the response with the smaller id is better). None where nobody does, or nothing was answered."""

    winner: str | None = None
    p_a: float | None = None

    @classmethod
    def of(cls, found: Preference | None, *, one_order: bool) -> Verdict:
        """Read a preference. One of a single order names no winner, unless `one_order`: it holds the judge's position bias."""
        if found is None or not (one_order or (found.p_shown_a is not None and found.p_shown_b is not None)):
            return cls()
        if found.p_a == 0.5:
            return cls(None, 0.5)
        return cls(found.a_id if found.p_a > 0.5 else found.b_id, found.p_a)


@dataclass(frozen=True)
class Compared:
    """One pair of the sample under both files; `blamed` are the changes that turned it."""

    case: Case
    before: Verdict
    after: Verdict
    blamed: tuple[Change, ...] = ()

    @property
    def flipped(self) -> bool:
        """Whether both name a winner, and not the same."""
        return turned(self.before, self.after)

    @property
    def swing(self) -> float:
        """How far P moved; 0 where one of them is not known."""
        return (
            abs(self.before.p_a - self.after.p_a) if self.before.p_a is not None and self.after.p_a is not None else 0.0
        )


@dataclass(frozen=True)
class Effect:
    """What an edit does to a run, as far as a sample tells. `taken` answers were recorded, `spent` is what was asked."""

    reach: Reach
    compared: tuple[Compared, ...]
    taken: int
    spent: Spent

    @cached_property
    def flips(self) -> tuple[Compared, ...]:
        """The pairs that flip, those that swing furthest first."""
        found = [one for one in self.compared if one.flipped]
        return tuple(sorted(found, key=lambda one: (-one.swing, one.case.key)))

    @property
    def within(self) -> Share:
        """The share of pairs within the edit's reach that flip."""
        return share(len(self.flips), len(self.compared), self.reach.reached)

    @property
    def rate(self) -> Share:
        """The share of the run's pairs that flip: those out of reach cannot."""
        return self.within.scaled(self.reach.reached / self.reach.pairs if self.reach.pairs else 0.0)

    @property
    def lost(self) -> int:
        """Pairs of the sample that had a winner and have none any more."""
        return sum(one.before.winner is not None and one.after.winner is None for one in self.compared)

    @property
    def gained(self) -> int:
        """Pairs of the sample that had no winner and have one now."""
        return sum(one.before.winner is None and one.after.winner is not None for one in self.compared)

    def by_change(self) -> list[tuple[Change, int]]:
        """How many flips each change is blamed for, most first; several may share one."""
        count = Counter(change for one in self.flips for change in one.blamed)
        return sorted(count.items(), key=lambda found: (-found[1], found[0].id))


def turned(before: Verdict, after: Verdict) -> bool:
    """Whether both name a winner, and not the same."""
    return before.winner is not None and after.winner is not None and before.winner != after.winner


def measure(
    context: Context, difference: Difference, before: PairwiseJudge, after: PairwiseJudge, answers: Answers, *,
    size: int, seed: int,
) -> Effect:  # fmt: skip
    """Judge a sample of `size` pairs of a run under both files; see the module.

    Raises:
        UsageError: the run has no two responses to compare, or is one of other principles: nothing that it recorded answers a question of
            the first file, though it has judgements.
        Interrupted, TooManyFailures, EngineError: from asking; what was answered is kept.
    """
    asking = make_asking(context.config.schedule, context.config.seed)
    found = reach(context, asking, before, after, size=size, seed=seed)
    if not found.pairs:
        raise UsageError(
            f"{context.run.path} has no two responses to compare that a principle of either file applies to",
            hint=f"draw responses first, with: {context.run.command}",
        )
    bench = _Bench(context, asking, answers, bias_of(context.run, context.shards, asking))
    _require_own_principles(bench, before, found.sample)
    first = bench.verdicts(before, found.sample, "judging by the first file")
    second = bench.verdicts(after, found.sample, "judging by the second file")
    flips = [case for case in found.sample if turned(first[case.key], second[case.key])]
    blame = Blame(difference, before, after)

    def again(judge: PairwiseJudge, cases: Sequence[Case]) -> Mapping[tuple[str, str, str], str | None]:
        verdicts = bench.verdicts(judge, cases, "looking for the cause")
        return {case.key: verdicts[case.key].winner for case in cases}

    winners = {case.key: (first[case.key].winner, second[case.key].winner) for case in flips}
    blamed = blame.of(flips, winners, again)
    compared = tuple(
        Compared(case, first[case.key], second[case.key], blamed.get(case.key, ())) for case in found.sample
    )
    return Effect(found, compared, answers.taken, answers.spent)


@dataclass(frozen=True)
class _Bench:
    """Where cases are judged: by which schedule, with whose answers, and with which position bias where one order was enough."""

    context: Context
    asking: Asking
    answers: Answers
    bias: float | None

    def verdicts(
        self, judge: PairwiseJudge, cases: Sequence[Case], title: str
    ) -> Mapping[tuple[str, str, str], Verdict]:
        """The verdict of every case under a judge's principles."""
        asks = self.asks(judge, cases)
        known = self.answers.get(judge, asks, title)
        heard = [known[ask.record_id] for ask in asks if ask.record_id in known]
        found = {(one.prompt_id, one.a_id, one.b_id): one for one in self._preferences(heard, judge)}
        return {case.key: Verdict.of(found.get(case.key), one_order=self.bias is not None) for case in cases}

    def asks(self, judge: PairwiseJudge, cases: Sequence[Case]) -> list[PairAsk]:
        """The questions about the cases. Where one order may be enough, an order that the run left out is left out here too."""
        asks = [
            ask for case in cases for first, second in case.shown() for ask in judge.asks(case.prompt, first, second)
        ]
        if self.asking.orders.close_within is None:
            return asks
        known = self.answers.recorded(ask.record_id for ask in asks)
        answered = {_subject(ask) for ask in asks if ask.record_id in known}
        return [ask for ask in asks if ask.record_id in known or _subject(ask) not in answered]

    def _preferences(self, heard: Collection[Judgement], judge: PairwiseJudge) -> list[Preference]:
        return preferences(heard, judge.constitution, bias=self.bias)


def _subject(ask: PairAsk) -> tuple[str, str, str, str | None]:
    return ask.prompt_id, *pair_of(ask.first_id, ask.second_id), ask.principle


def _require_own_principles(bench: _Bench, judge: PairwiseJudge, cases: Sequence[Case]) -> None:
    """Refuse a run that was judged by other principles throughout.

    Raises:
        UsageError: see `measure`.
    """
    run = bench.context.run
    told = run.fingerprint.growth.get(PRINCIPLES)
    asks = bench.asks(judge, cases)
    if not asks or told in (None, judge.constitution.digest) or not run.stage(Step.JUDGEMENTS, Judgement).counts().rows:
        return
    known = bench.answers.recorded(ask.record_id for ask in asks)
    if not any(ask.record_id in known for ask in asks):
        raise UsageError(
            f"{run.path} was judged by other principles than {judge.constitution.path}: it answers none of their questions",
            hint=f"name the run's own file first: {run.config.get('principles')}",
        )
