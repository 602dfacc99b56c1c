"""Turns the judgements of ordered pairs into one preference an unordered pair. Knows no text and asks nobody.

Three steps, each in the space where it is right:

1. Within one principle, the two orders are averaged as probabilities: what position adds in one order it
takes in the other. Several opinions of one order (repeats, several people) are averaged first; votes, which
carry no probability, stand there for `judges.probability.vote_share`. 2. Which
principles have a say. A principle *decides* a pair when both orders name the same winner and the averaged
probability is at least `DECIDED`. One that yields to another is left out where that other decides (and is not
itself left out). If rules decide, they alone are combined; otherwise the principles of the ordinary tier are.
A rule that finds no violation on either side says nothing about which response is better, and so does not
dilute the others. 3. Over principles, the weighted mean of log-odds, each clipped to
+-`judges.probability.LOGIT_CLIP`. A principle alone is passed on as it is.

An order that is missing (its question failed) leaves a probability with the judge's position bias in it. Such
a principle is left out if another one has both orders; if none has, the preference is made from one order and
says so: `p_shown_a` or `p_shown_b` is None. Ranking and pair selection leave it out by default. Outcomes that
are no opinion are not counted anywhere here.

Where one order is all that was asked for, on purpose, the caller gives the judge's position bias, in log-odds for
the response shown first. A missing order is then filled in as the judge would answer it by that bias, and steps 1
to 3 go on as with both; `p_shown_a` and `p_shown_b` still tell only what was answered.

A judge that gives no probabilities (a server without log-probabilities) is heard by its votes. What log-probabilities
would say is how often it names a response when asked; of that a vote is one observation in its order, so two orders
that agree come to 3/4 and two that do not to 1/2. A judge that is sure and one that barely prefers are then alike: the
figure holds no confidence, and says nothing of how often the judge is right.

Give it the judgements of one question list. Rows of an earlier wording of a principle are other questions,
and are not told apart here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from constitution.model import Constitution, Principle, Tier
from judges.probability import log_odds, mean, pool, sigmoid, vote_share
from tenet.records import Judgement, Outcome, Preference

DECIDED = 0.75
"""Averaged probability from which a principle decides a pair: odds of 3 to 1."""

_VOTES = {Outcome.FIRST: 1.0, Outcome.SECOND: 0.0, Outcome.TIE: 0.5}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one principle says of one unordered pair (a, b).

    `shown_a` and `shown_b` are P(a is better) with a, and with b, shown first; at least one is known.
    """

    principle: str
    shown_a: float | None
    shown_b: float | None

    @property
    def complete(self) -> bool:
        """Whether both orders are known."""
        return self.shown_a is not None and self.shown_b is not None

    @property
    def p_a(self) -> float:
        """P(a is better): the mean over the orders that are known."""
        return mean([p for p in (self.shown_a, self.shown_b) if p is not None])

    def filled(self, bias: float) -> Opinion:
        """The opinion with a missing order as `bias` (log-odds for the response shown first) would have it."""
        shown_a, shown_b = self.shown_a, self.shown_b
        if shown_b is None and shown_a is not None:
            shown_b = sigmoid(log_odds(shown_a) - 2.0 * bias)
        elif shown_a is None and shown_b is not None:
            shown_a = sigmoid(log_odds(shown_b) + 2.0 * bias)
        return Opinion(self.principle, shown_a, shown_b)

    @property
    def decides(self) -> bool:
        """Whether both orders name the same winner, clearly."""
        return self.complete and not self.flipped and max(self.p_a, 1.0 - self.p_a) >= DECIDED

    @property
    def flipped(self) -> bool:
        """Whether the two orders name different winners."""
        return differ(self.shown_a, self.shown_b)


@dataclass(slots=True)
class _Voices:
    """What was said of one pair in one order, all of it for a: probabilities, and votes (1, 0 or 1/2)."""

    ps: list[float] = field(default_factory=list)
    votes: list[float] = field(default_factory=list)

    @property
    def p_a(self) -> float | None:
        """The mean over all voices; None without any."""
        votes = len(self.votes)
        ps = [*self.ps, *[vote_share(math.fsum(self.votes), votes)] * votes]
        return mean(ps) if ps else None

    def __len__(self) -> int:
        return len(self.ps) + len(self.votes)


@dataclass(slots=True)
class _Heard:
    """What was said under one principle on one pair, by who was shown first."""

    shown_a: _Voices = field(default_factory=_Voices)
    shown_b: _Voices = field(default_factory=_Voices)
    versions: set[str] = field(default_factory=set)

    def opinion(self, principle: str) -> Opinion:
        return Opinion(principle, self.shown_a.p_a, self.shown_b.p_a)

    def __len__(self) -> int:
        return len(self.shown_a) + len(self.shown_b)


Pair = tuple[str, str, str]
"""A prompt's id and those of two of its responses, the smaller first."""


def preferences(
    judgements: Iterable[Judgement], constitution: Constitution, *, bias: float | None = None
) -> list[Preference]:
    """Combine judgements into one preference for every pair with an opinion, sorted by (prompt, a, b).

    With `bias` an order that was not answered is filled in; see the module.

    The result does not depend on the order of the judgements. A judgement that comes twice (by id) counts
    once. A principle that the constitution does not hold, as people may name one, counts with weight 1 and in
    the ordinary tier.
    """
    heard = _heard(judgements)
    known = {principle.id: principle for principle in constitution.principles}
    return [_preference(pair, heard[pair], known, bias) for pair in sorted(heard)]


def opinions_of(judgements: Iterable[Judgement]) -> dict[Pair, list[Opinion]]:
    """What each principle says of every pair with an opinion, by pair; the principles of a pair by id."""
    heard = _heard(judgements)
    return {pair: [heard[pair][name].opinion(name) for name in sorted(heard[pair])] for pair in sorted(heard)}


def combined(opinions: Sequence[Opinion], known: Mapping[str, Principle], bias: float | None = None) -> float:
    """P(a is better) by one or more opinions of a pair, as `preferences` combines them; `known` are the principles by id."""
    speaking = _speaking(opinions, known, bias)
    return pool([o.p_a for o in speaking], _weights(speaking, known))


def p_first(judgement: Judgement) -> float | None:
    """P(the response shown first is better) as the judgement has it, of a vote its share alone; None where it is no opinion."""
    return vote_share(_VOTES[judgement.outcome], 1) if judgement.is_vote else judgement.p_first


def differ(p: float | None, q: float | None) -> bool:
    """Whether two probabilities of the same thing lie on different sides of 0.5; no where one is unknown."""
    return p is not None and q is not None and (p - 0.5) * (q - 0.5) < 0.0


def _heard(judgements: Iterable[Judgement]) -> dict[Pair, dict[str, _Heard]]:
    """File opinions by pair and principle, each once."""
    heard: dict[Pair, dict[str, _Heard]] = {}
    seen: set[str] = set()
    for judgement in judgements:
        if judgement.outcome.is_opinion and judgement.id not in seen:
            seen.add(judgement.id)
            _hear(heard, judgement)
    return heard


def _hear(heard: dict[Pair, dict[str, _Heard]], judgement: Judgement) -> None:
    """File one opinion under its unordered pair, told of the smaller id."""
    p = _VOTES[judgement.outcome] if judgement.p_first is None else judgement.p_first
    a_first = judgement.first_id < judgement.second_id
    first, second = judgement.first_id, judgement.second_id
    pair = (judgement.prompt_id, first, second) if a_first else (judgement.prompt_id, second, first)
    voices = heard.setdefault(pair, {}).setdefault(judgement.principle or "", _Heard())
    if judgement.version is not None:
        voices.versions.add(judgement.version)
    order = voices.shown_a if a_first else voices.shown_b
    (order.votes if judgement.is_vote else order.ps).append(p if a_first else 1.0 - p)


def _preference(
    pair: Pair, heard: Mapping[str, _Heard], known: Mapping[str, Principle], bias: float | None
) -> Preference:
    """Combine what each principle says of one pair."""
    asked = sorted(heard)
    told = {name: heard[name].opinion(name) for name in asked}
    speaking = _speaking(list(told.values()), known, bias)
    weights = _weights(speaking, known)
    shown_a = _pool([told[o.principle].shown_a for o in speaking], weights)
    shown_b = _pool([told[o.principle].shown_b for o in speaking], weights)
    prompt_id, a_id, b_id = pair
    return Preference(
        prompt_id=prompt_id,
        a_id=a_id,
        b_id=b_id,
        p_a=pool([o.p_a for o in speaking], weights),
        p_shown_a=shown_a,
        p_shown_b=shown_b,
        flipped=differ(shown_a, shown_b),
        judgements=sum(len(voices) for voices in heard.values()),
        principles=tuple(asked),
        principle_versions=tuple(sorted({version for voices in heard.values() for version in voices.versions})),
    )


def _speaking(opinions: Sequence[Opinion], known: Mapping[str, Principle], bias: float | None) -> list[Opinion]:
    return participants([o if bias is None else o.filled(bias) for o in opinions], known)


def _weights(opinions: Sequence[Opinion], known: Mapping[str, Principle]) -> list[float]:
    return [known[o.principle].weight if o.principle in known else 1.0 for o in opinions]


def participants(opinions: Sequence[Opinion], known: Mapping[str, Principle]) -> list[Opinion]:
    """Choose the opinions that are combined; at least one, and all of them with the same orders known."""
    usable = [o for o in opinions if o.complete] or _one_order(opinions)
    by_id = {o.principle: o for o in usable}
    heard = [o for o in usable if not _yields(o.principle, by_id, known, frozenset())]
    rules = [o for o in heard if o.principle in known and known[o.principle].tier is Tier.RULE]
    deciding = [o for o in rules if o.decides]
    return deciding or [o for o in heard if o not in rules] or rules


def _one_order(opinions: Sequence[Opinion]) -> list[Opinion]:
    """Of opinions with one order each, those of the order that more of them know."""
    a_first = [o for o in opinions if o.shown_a is not None]
    b_first = [o for o in opinions if o.shown_b is not None]
    return a_first if len(a_first) >= len(b_first) else b_first


def _yields(name: str, opinions: Mapping[str, Opinion], known: Mapping[str, Principle], above: frozenset[str]) -> bool:
    """Whether a principle is left out because one that it yields to decides and is not left out itself."""
    if name not in known or name in above:
        return False
    return any(
        other in opinions and opinions[other].decides and not _yields(other, opinions, known, above | {name})
        for other in known[name].yields_to
    )


def _pool(ps: Sequence[float | None], weights: Sequence[float]) -> float | None:
    """Combine one order's probabilities; None where that order is unknown."""
    given = [p for p in ps if p is not None]
    return pool(given, weights) if len(given) == len(ps) else None
