"""Counts what each principle of a run does, prompt by prompt. Knows records and numbers; no run folder and no words.

What a preference would be without a principle is worked out by the rule that makes preferences
(`judges.aggregate.combined`) from the other principles' opinions. Only opinions with both orders count, or with the
other filled in by the judge's position bias; what is left of a question that half failed carries the bias whole.
Nothing is held but the counts: one set a principle, and one a pair of principles that were asked about one pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from constitution.model import Principle
from generate.report.tally import MeanTally, RateTally
from judges.aggregate import Opinion, Pair, combined, opinions_of, p_first
from judges.probability import logit
from tenet.records import Judgement

Votes = Mapping[Pair, Mapping[str, float]]
"""What people say of pairs: by the principle that they were asked about ("" for none in particular), the share for a."""

_EVEN = 1e-9


@dataclass
class Share:
    """A share that is added up within a prompt, and then counted with the prompt as one cluster."""

    tally: RateTally = field(default_factory=RateTally)
    hits: float = 0.0
    units: float = 0.0

    def add(self, hit: float, unit: float = 1.0) -> None:
        """Add `hit` of `unit` to the prompt at hand."""
        self.hits += hit
        self.units += unit

    def close(self) -> None:
        """End the prompt at hand."""
        self.tally.add(self.hits, self.units)
        self.hits = self.units = 0.0


@dataclass
class PrincipleTally:
    """What one principle did so far; fields as in `PrincipleCoverage`."""

    prompts: int = 0
    calls: int = 0
    pairs: int = 0
    alone: int = 0
    decides: Share = field(default_factory=Share)
    first: Share = field(default_factory=Share)
    consistent: Share = field(default_factory=Share)
    people: Share = field(default_factory=Share)
    changed: Share = field(default_factory=Share)
    moved: MeanTally = field(default_factory=MeanTally)

    def close(self) -> None:
        """End the prompt at hand."""
        for share in (self.decides, self.first, self.consistent, self.people, self.changed):
            share.close()


@dataclass
class AgreementTally:
    """How two principles agreed so far; fields as in `Agreement`."""

    agreement: Share = field(default_factory=Share)
    decided: Share = field(default_factory=Share)
    gap: MeanTally = field(default_factory=MeanTally)


class CoverageTally:
    """Everything that the coverage of a run counts.

    `known` are the principles by id, None where what they weigh is not known: then nothing is left out. `margin` is in
    log-odds, `bias` as in `judges.aggregate.preferences`, and `weights` are those of labels by pair.
    """

    def __init__(self, known: Mapping[str, Principle] | None, margin: float, bias: float | None = None) -> None:
        self.principles: defaultdict[str, PrincipleTally] = defaultdict(PrincipleTally)
        self.agreements: defaultdict[tuple[str, str], AgreementTally] = defaultdict(AgreementTally)
        self.people = Share()
        self.pairs = 0
        self._known = known
        self._margin = margin
        self._bias = bias

    def add(self, judgements: Sequence[Judgement], votes: Votes, weights: Mapping[Pair, float]) -> None:
        """Add one prompt's judgements, and what people say of its pairs."""
        touched = self._add_calls(judgements)
        agreeing: set[tuple[str, str]] = set()
        for pair, told in opinions_of(judgements).items():
            self.pairs += 1
            opinions = [one if self._bias is None else one.filled(self._bias) for one in told]
            self._add_opinions(told, opinions)
            whole = [one for one in opinions if one.complete]
            agreeing |= self._compare(whole)
            self._leave_out(whole)
            if pair in votes:
                self._ask_people(whole, votes[pair], weights.get(pair, 1.0))
        for name in touched:
            self.principles[name].close()
        for names in agreeing:
            self.agreements[names].agreement.close()
            self.agreements[names].decided.close()
        self.people.close()

    def decides(self, opinion: Opinion) -> bool:
        """Whether an opinion decides its pair."""
        return opinion.complete and not opinion.flipped and abs(logit(opinion.p_a)) >= max(self._margin, 1e-9)

    def _add_calls(self, judgements: Iterable[Judgement]) -> set[str]:
        touched: set[str] = set()
        for one in judgements:
            name = one.principle or ""
            own = self.principles[name]
            own.prompts += name not in touched
            own.calls += 1
            touched.add(name)
            if one.outcome.is_opinion and (p := p_first(one)) is not None:
                own.first.add(_won(p))
        return touched

    def _add_opinions(self, told: Sequence[Opinion], opinions: Sequence[Opinion]) -> None:
        for asked, opinion in zip(told, opinions, strict=True):
            own = self.principles[opinion.principle]
            own.pairs += 1
            own.decides.add(self.decides(opinion))
            if asked.complete:
                same = asked.shown_a is not None and asked.shown_b is not None and _same(asked.shown_a, asked.shown_b)
                own.consistent.add(same)

    def _compare(self, whole: Sequence[Opinion]) -> set[tuple[str, str]]:
        """Hold the winners that principles name against one another; gives which were."""
        named = [one for one in whole if _won(one.p_a) != 0.5]
        for one, other in combinations(named, 2):
            own = self.agreements[one.principle, other.principle]
            same = _same(one.p_a, other.p_a)
            own.agreement.add(same)
            own.gap.add(abs(logit(one.p_a) - logit(other.p_a)))
            if self.decides(one) and self.decides(other):
                own.decided.add(same)
        return {(one.principle, other.principle) for one, other in combinations(named, 2)}

    def _leave_out(self, whole: Sequence[Opinion]) -> None:
        """What the preference would be without each principle in turn."""
        if len(whole) == 1:
            self.principles[whole[0].principle].alone += 1
        if len(whole) < 2 or self._known is None:
            return
        full = combined(whole, self._known)
        for left in whole:
            without = combined([one for one in whole if one is not left], self._known)
            own = self.principles[left.principle]
            own.changed.add(_won(full) != _won(without))
            own.moved.add(abs(logit(full) - logit(without)))

    def _ask_people(self, whole: Sequence[Opinion], votes: Mapping[str, float], weight: float) -> None:
        for one in whole:
            vote = votes.get(one.principle, votes.get(""))
            if vote is not None and _won(vote) != 0.5 and _won(one.p_a) != 0.5:
                self.principles[one.principle].people.add(weight * _same(vote, one.p_a), weight)
        vote = votes.get("")
        if not whole or vote is None or _won(vote) == 0.5 or self._known is None:
            return
        p = combined(whole, self._known)
        if _won(p) != 0.5:
            self.people.add(weight * _same(vote, p), weight)


def _won(p: float) -> float:
    """1 where p names the one, 0 where it names the other, a half where neither."""
    return 0.5 if abs(p - 0.5) <= _EVEN else float(p > 0.5)


def _same(p: float, q: float) -> bool:
    """Whether two probabilities name the same winner; no where one names none."""
    return _won(p) == _won(q) != 0.5
