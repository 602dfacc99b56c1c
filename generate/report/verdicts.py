"""Counts what a judge said, prompt by prompt: certainty, order, label mass, outcomes, and what each principle did.

Knows records only; where they come from is `generate.report.data`'s business. One pass, and nothing is held but the
counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from generate.report.model import LabelMass, Margins, Positions
from generate.report.tally import HistogramTally, MeanTally, RateTally, merge, share
from judges.aggregate import p_first
from judges.probability import logit
from tenet.records import Judgement, Preference, Ranking, Rating

CLOSE = 0.6
"""A winner's probability under which a pair is a close call."""
GRID = 10
RATED = "rated"
"""The outcome of a call that rated a response."""
_FINE = 400


@dataclass(frozen=True, slots=True)
class Question:
    """One principle asked about one unordered pair: P(a better) with a shown first, and with b; None: no opinion."""

    a_id: str
    b_id: str
    principle: str
    p_shown_a: float | None
    p_shown_b: float | None

    @property
    def opinions(self) -> tuple[float, ...]:
        """The one or two probabilities that there are."""
        return tuple(p for p in (self.p_shown_a, self.p_shown_b) if p is not None)

    @property
    def p_a(self) -> float | None:
        """The mean over the orders that gave an opinion."""
        return sum(self.opinions) / len(self.opinions) if self.opinions else None

    @property
    def agreed(self) -> bool:
        """True where both orders gave an opinion and name the same winner."""
        return len(self.opinions) == 2 and (self.opinions[0] - 0.5) * (self.opinions[1] - 0.5) > 0


def questions(judgements: Iterable[Judgement]) -> list[Question]:
    """Put the two orders of each pair and principle together, in a fixed order."""
    found: dict[tuple[str, str, str], list[float | None]] = {}
    for one in judgements:
        first_is_a = one.first_id < one.second_id
        a, b = (one.first_id, one.second_id) if first_is_a else (one.second_id, one.first_id)
        place = found.setdefault((a, b, one.principle or ""), [None, None])
        if (p := p_first(one)) is not None:
            place[0 if first_is_a else 1] = p if first_is_a else 1.0 - p
    return [Question(*key, *orders) for key, orders in sorted(found.items())]


@dataclass
class PrincipleTally:
    """What one principle did so far; fields as in `PrincipleRow`."""

    prompts: int = 0
    asked: int = 0
    questions: int = 0
    failures: int = 0
    decided: RateTally = field(default_factory=RateTally)
    followed: RateTally = field(default_factory=RateTally)
    strength: MeanTally = field(default_factory=MeanTally)

    def add(self, asked: Sequence[Judgement], own: Sequence[Question], place: Mapping[str, int]) -> None:
        """Add one prompt; `place` gives each sample's place in the final ranking (0 is best)."""
        answered = [q for q in own if q.p_a is not None]
        decided = [q for q in answered if q.agreed and q.a_id in place and q.b_id in place]
        self.prompts += 1
        self.asked += len(asked)
        self.failures += sum(not one.outcome.is_opinion for one in asked)
        self.questions += len(answered)
        self.decided.add(sum(q.agreed for q in answered), sum(len(q.opinions) == 2 for q in answered))
        self.followed.add(sum((q.opinions[0] > 0.5) == (place[q.a_id] < place[q.b_id]) for q in decided), len(decided))
        for question in answered:
            self.strength.add(abs(logit(question.p_a or 0.0)))


class VerdictTally:
    """Everything that the judgements of a run come to. `votes` are opinions without a probability.

    `ratings` counts answers about single responses; their pairs have preferences without a judgement. Of rankings the votes are counted.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.ratings = 0
        self.principles: defaultdict[str, PrincipleTally] = defaultdict(PrincipleTally)
        self.compared = self.votes = 0
        self.pairs = 0
        self._certainty = HistogramTally(0.5, 1.0, _FINE)
        self._mass = HistogramTally(0.0, 1.0, _FINE)
        self._single = self._flips = self._both = 0
        self._gap = MeanTally()
        self._agreed = RateTally()
        self._first = RateTally()
        self._grid = [[0] * GRID for _ in range(GRID)]

    def add(self, judgements: Sequence[Judgement], preferences: Sequence[Preference], ranking: Ranking) -> None:
        """Add one prompt's judgements, what they were combined to, and the ranking made of that."""
        asked = questions(judgements)
        place = {sample: i for i, sample in enumerate(ranking.sample_ids)}
        by_principle: defaultdict[str, list[Judgement]] = defaultdict(list)
        for one in judgements:
            by_principle[one.principle or ""].append(one)
        for principle, own in by_principle.items():
            self.principles[principle].add(own, [q for q in asked if q.principle == principle], place)
        self._add_calls(judgements)
        self._add_orders(asked)
        self.compared += len({(q.a_id, q.b_id) for q in asked}) if asked else len(preferences)
        self.pairs += len(preferences)
        for preference in preferences:
            self._certainty.add(max(preference.p_a, 1.0 - preference.p_a))

    def add_rating(self, one: Rating) -> None:
        """Add an answer about one response: a call, in no order."""
        self.ratings += 1
        self.outcomes[RATED if one.outcome.is_opinion else one.outcome.value] += 1
        if one.label_mass is not None:
            self._mass.add(one.label_mass)

    def _add_calls(self, judgements: Sequence[Judgement]) -> None:
        first = opinions = 0.0
        for one in judgements:
            self.outcomes[one.outcome.value] += 1
            if one.label_mass is not None:
                self._mass.add(one.label_mass)
            if (p := p_first(one)) is not None:
                opinions += 1
                first += 0.5 if p == 0.5 else float(p > 0.5)
                self.votes += one.is_vote
                if not one.is_vote:
                    self._gap.add(p - 0.5)
        self._first.add(first, opinions)

    def _add_orders(self, asked: Sequence[Question]) -> None:
        both = [q for q in asked if len(q.opinions) == 2]
        self._single += sum(len(q.opinions) == 1 for q in asked)
        self._both += len(both)
        self._flips += sum((q.opinions[0] - 0.5) * (q.opinions[1] - 0.5) < 0 for q in both)
        self._agreed.add(sum(q.agreed for q in both), len(both))
        scale = HistogramTally(0.0, 1.0, GRID)
        for question in both:
            shown_a, shown_b = question.opinions
            a_wins = shown_a + shown_b >= 1.0
            when_first, when_second = (shown_a, shown_b) if a_wins else (1.0 - shown_b, 1.0 - shown_a)
            self._grid[scale.bin(when_second)][scale.bin(when_first)] += 1

    @property
    def calls(self) -> int:
        """How many judgements were added, opinions or not."""
        return sum(self.outcomes.values())

    @property
    def margins(self) -> Margins | None:
        """How certain the combined verdicts are; None while there is none."""
        median = self._certainty.quantile(0.5)
        if median is None:
            return None
        close = sum(self._certainty.counts[: self._certainty.bin(CLOSE)])
        return Margins(merge(self._certainty.histogram, 20), median, share(close, self.pairs), self.pairs)

    @property
    def positions(self) -> Positions | None:
        """What the order of showing did; None while no question was answered in both orders."""
        agreed, first = self._agreed.rate, self._first.rate
        if agreed is None or first is None:
            return None
        grid = tuple(tuple(row) for row in self._grid)
        return Positions(self._both, self._flips, self._single, agreed, first, self._gap.mean, grid)

    @property
    def label_mass(self) -> LabelMass | None:
        """How much of the judge's answers was a verdict; None where the judge gives none."""
        median, lowest = self._mass.quantile(0.5), self._mass.quantile(0.1)
        if median is None or lowest is None:
            return None
        return LabelMass(merge(self._mass.histogram, 20), median, lowest)
