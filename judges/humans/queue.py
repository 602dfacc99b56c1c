"""Which pairs people are asked about, and with what probability each came into the queue. Knows no file and no text.

A queue of N pairs has two parts. The random stratum, at least `RANDOM` of N, stands for all M pairs alike and keeps the queue honest:
from targeted pairs alone nothing can be said of the others. The rest is taken from the pairs that the queue is after: those of which the
judge is least sure, say. A targeted pair that the random stratum would have drawn too is asked about once and counts for both, so that
with K pairs targeted and R of the other M - K drawn, the random stratum is those R and R / (M - K) of the targeted ones: a random sample
of all pairs, stratified in proportion. K is the largest number with which it is as large as it must be:
K (1 - `RANDOM` N / M) <= (1 - `RANDOM`) N.

    pi(pair) = t + (1 - t) * R / (M - K)

is the probability with which a pair is in the queue: t is the share of its group that is targeted (1 for the pairs before the cut, a
fraction for pairs that tie there, 0 after it). It is exact, for the K targeted pairs are always as many and every other pair is drawn
alike; labels weigh 1 / pi (Horvitz and Thompson 1952). The chosen pairs are shown in random order, so that whoever stops early has
labelled a random part of the queue, and all probabilities are too large by one and the same factor.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from math import ceil
from typing import Final

from judges.aggregate import Pair
from tenet.errors import UsageError
from tenet.ids import Json, unit_interval

RANDOM: Final = 0.2
"""Least share of a budget that is the random stratum."""
_STEP: Final = 1e-9


class Queue(StrEnum):
    """What a queue is after."""

    RANDOM = "random"
    UNCERTAIN = "uncertain"
    DISAGREEMENT = "disagreement"
    SAFETY = "safety"
    STRATIFIED = "stratified"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that people may be asked about: `p` is the judge's calibrated P(a is better), `disagreement` how far its orders or the
    members of a panel are apart, `stratum` the principle or tag that it stands for.
    """

    pair: Pair
    p: float
    disagreement: float = 0.0
    safety: bool = False
    stratum: str = ""

    @property
    def doubt(self) -> float:
        """The probability that the judge's verdict is wrong, if p is calibrated: min(p, 1 - p)."""
        return min(self.p, 1.0 - self.p)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A pair in the queue, the probability with which it came there, and whether it is one of the random stratum."""

    pair: Pair
    probability: float
    random: bool
    doubt: float

    def as_json(self) -> list[Json]:
        """A short row for the file of the queue."""
        return [list(self.pair), self.probability, self.random, self.doubt]


@dataclass(frozen=True)
class Plan:
    """A drawn queue: its pairs in the order of showing, drawn from `pool` pairs."""

    kind: Queue
    seed: int
    pool: int
    chosen: tuple[Chosen, ...]

    @property
    def mended(self) -> float:
        """How many of the judge's verdicts a label mends on average, if p is calibrated and the person is right."""
        return sum(one.doubt for one in self.chosen) / len(self.chosen)


def draw(candidates: Iterable[Candidate], kind: Queue, budget: int, seed: int, number: int = 0) -> Plan:
    """Draw a queue of `budget` pairs, or of all where there are no more. The order of the candidates does not matter.

    Queues of different `number` are drawn independently of each other, also with one seed.

    Raises:
        UsageError: there is no candidate, or the queue has nothing to go by (no pair that it is after).
    """
    pool = sorted(candidates, key=lambda one: one.pair)
    if not pool:
        raise UsageError(
            "there is no pair to label", hint="judge some first: tenet generate run.yaml, then tenet labels page"
        )
    budget = min(budget, len(pool))
    order = sorted(pool, key=lambda one: unit_interval("queue", seed, number, *one.pair))
    groups, slots = _targets(kind, order, budget)
    targeted = {one.pair for (group, _), count in zip(groups, slots, strict=True) for one in group[:count]}
    drawn = budget - len(targeted)
    sought, others = [one for one in order if one.pair in targeted], [one for one in order if one.pair not in targeted]
    sought.sort(key=lambda one: unit_interval("both", seed, number, *one.pair))
    others.sort(key=lambda one: unit_interval("others", seed, number, *one.pair))
    share = drawn / len(others) if others else 1.0
    both = max(round(share * len(sought)), ceil(RANDOM * budget - _STEP) - drawn)
    probability = inclusion(pool, kind, budget)
    rows = [
        Chosen(one.pair, probability[one.pair], place < both or place >= len(sought), one.doubt)
        for place, one in enumerate([*sought, *others[:drawn]])
    ]
    rows.sort(key=lambda one: unit_interval("shown", seed, number, *one.pair))
    return Plan(kind, seed, len(pool), tuple(rows))


def inclusion(candidates: Sequence[Candidate], kind: Queue, budget: int) -> dict[Pair, float]:
    """The probability of every candidate to be in a queue of `budget` pairs, over all seeds."""
    groups, slots = _targets(kind, candidates, budget)
    wanted = sum(slots)
    rate = (budget - wanted) / (len(candidates) - wanted) if wanted < len(candidates) else 0.0
    share = {one.pair: count / len(group) for (group, _), count in zip(groups, slots, strict=True) for one in group}
    return {one.pair: (t := share.get(one.pair, 0.0)) + (1.0 - t) * rate for one in candidates}


def _targets(kind: Queue, order: Sequence[Candidate], budget: int) -> tuple[list[Group], list[int]]:
    """What a queue is after, and how many of each group it gets."""
    if kind is Queue.RANDOM or budget == len(order):
        return [], []
    groups = _groups(kind, order)
    most = (1.0 - RANDOM) * budget / (1.0 - RANDOM * budget / len(order))
    return groups, _slots(groups, min(int(most + _STEP), sum(len(group) for group, _ in groups)))


Group = tuple[Sequence[Candidate], int]
"""Pairs among which no difference is made, in random order, and which turn they come at."""


def _groups(kind: Queue, order: Sequence[Candidate]) -> list[Group]:
    """The pairs that a queue is after, grouped; a later turn gets what an earlier one leaves."""
    if kind is Queue.STRATIFIED:
        strata: defaultdict[str, list[Candidate]] = defaultdict(list)
        for one in order:
            strata[one.stratum].append(one)
        return [(strata[name], 0) for name in sorted(strata)]
    if kind is Queue.SAFETY:
        tagged = [one for one in order if one.safety]
        if not tagged:
            raise UsageError(
                "no pair's prompt has a tag of safety", hint="name the tags of your prompts: --safety-tag NAME"
            )
        return [(tagged, 0)]
    score: Callable[[Candidate], int] = (
        (lambda one: round(-one.doubt / _STEP))
        if kind is Queue.UNCERTAIN
        else (lambda one: round(-one.disagreement / _STEP))
    )
    if kind is Queue.DISAGREEMENT and not any(one.disagreement > 0 for one in order):
        raise UsageError(
            "no pair has judges or orders that disagree", hint="take another queue: --queue uncertain or random"
        )
    wanted = [one for one in order if kind is Queue.UNCERTAIN or one.disagreement > 0]
    by_score = groupby(sorted(wanted, key=score), key=score)
    return [(list(group), turn) for turn, (_, group) in enumerate(by_score)]


def _slots(groups: Sequence[Group], wanted: int) -> list[int]:
    """How many of each group are targeted: turn by turn, and within a turn alike, as far as the groups reach."""
    slots = [0] * len(groups)
    for turn in sorted({turn for _, turn in groups}):
        here = sorted(
            (place for place, group in enumerate(groups) if group[1] == turn), key=lambda place: len(groups[place][0])
        )
        for place, number in enumerate(here):
            slots[number] = min(len(groups[number][0]), wanted // (len(here) - place))
            wanted -= slots[number]
    return slots


def strata_of(labels: Mapping[Pair, Sequence[str]]) -> dict[Pair, str]:
    """The stratum of each pair by its names (principles, tags): the rarest of them, so that small strata are filled."""
    counts = Counter(name for names in labels.values() for name in names)
    return {pair: min(names, key=lambda name: (counts[name], name), default="") for pair, names in labels.items()}
