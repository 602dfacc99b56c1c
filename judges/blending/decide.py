"""Decides one pair: whose probability it gets, or why it gets none. Pure; knows no run, and of a strategy only what it does to one pair.

A judge's p and people's votes are told of the same pair (a, b). What comes out is P(a is better) and its source: `ai`, `human`, or
`blend` where both were added up. Adding up is the sum of log-odds, which is right where their mistakes are independent. How far people
and judge are believed moves p and nothing else: rows are weighted by design alone (see `Decision.by_label`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from judges.blending.people import People, Vote
from judges.blending.trust import Trusted
from judges.probability import logit, sigmoid

_EVEN: Final = 1e-9


class Source(StrEnum):
    """Where a pair's p came from."""

    AI = "ai"
    HUMAN = "human"
    BLEND = "blend"


class Conflict(StrEnum):
    """What to do where people and judge name different winners and the strategy takes one of the two."""

    KEEP = "keep"
    HUMAN = "human"
    AI = "ai"
    POOL = "pool"
    DROP = "drop"


class Dropped(StrEnum):
    """Why a pair is not in the blend."""

    NO_LABEL = "for people by the strategy, and no person has labelled it"
    NO_JUDGE = "for the judge by the strategy, which has no opinion of it"
    CONFLICT = "people and judge name different winners"
    TIE = "neither response is likelier to be better"
    NO_AXIS = "on no axis"
    NOT_IN_BOTH = "not labelled by both, people and judge, with a winner"


@dataclass(frozen=True, slots=True)
class Opinions:
    """What is known of a pair (a, b).

    `exported` is P(a is better) as the run exports it, `said` as the judge gave it; both None where the run itself left the pair out and
    only people speak. `group` is the judge's name in `Trusted`.
    """

    exported: float | None
    said: float | None
    votes: tuple[Vote, ...] = ()
    group: str = ""
    tags: Collection[str] = ()
    principles: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a pair gets. `by_label`: it is here because it was drawn for labelling, and stands for others that were not; its weight is
    the inverse of that chance. `conflict`: people and judge name different winners.
    """

    p_a: float = 0.5
    source: Source = Source.AI
    dropped: Dropped | None = None
    by_label: bool = False
    conflict: bool = False


@dataclass(frozen=True)
class Axis:
    """Pairs whose prompt has one of `tags`, or that were judged by one of `principles`: they get what `source` says."""

    source: Source
    tags: frozenset[str] = frozenset()
    principles: frozenset[str] = frozenset()

    def holds(self, pair: Opinions) -> bool:
        """Whether a pair is on the axis."""
        return not self.tags.isdisjoint(pair.tags) or not self.principles.isdisjoint(pair.principles)


@dataclass(frozen=True)
class Believed:
    """How far people and the judge are believed, and the rule for conflicts: what all strategies share."""

    people: People
    judge: Trusted
    conflict: Conflict = Conflict.KEEP

    def calibrated(self, pair: Opinions) -> float | None:
        """The judge's p through the map of its group; as the run exports it where there are too few anchors for a map."""
        fit = self.judge.of(pair.group).fit
        return pair.exported if fit is None or pair.said is None else fit(pair.said)

    def human_first(self, pair: Opinions) -> Decision:
        """People where they have labelled, the judge elsewhere, as the run exports it."""
        if pair.votes:
            return self._settle(pair, Source.HUMAN)
        return self._settle(pair, Source.AI)

    def weighted(self, pair: Opinions) -> Decision:
        """The sum of the log-odds of all who have an opinion: people by their reliability, the judge through its calibration."""
        own = self.calibrated(pair)
        if not pair.votes:
            return _decision(own, Source.AI)
        people = self.people.p(pair.votes)
        if own is None:
            return _decision(people, Source.HUMAN, by_label=True)
        return _decision(self._pooled(pair), Source.BLEND, conflict=_opposed(people, own))

    def routed(self, pair: Opinions) -> Decision:
        """The judge where it agrees with people as often as stated, people elsewhere."""
        rule = self.judge.of(pair.group).rule
        if rule is not None and pair.said is not None and rule.accepts(pair.said):
            return self._settle(pair, Source.AI)
        return self._settle(pair, Source.HUMAN, by_label=True)

    def by_axis(self, pair: Opinions, axes: Sequence[Axis], otherwise: Source | None) -> Decision:
        """People on some axes, the judge on others: what the first axis that holds says, else `otherwise` (None: left out)."""
        source = next((axis.source for axis in axes if axis.holds(pair)), otherwise)
        if source is None:
            return Decision(dropped=Dropped.NO_AXIS)
        return self._settle(pair, source, by_label=source is Source.HUMAN)

    def in_both(self, pair: Opinions) -> bool:
        """Whether people and judge each name a winner: such pairs can be labelled by either in an experiment."""
        p = pair.exported
        return bool(pair.votes) and p is not None and not _even(p) and not _even(self.people.p(pair.votes))

    def pure(self, pair: Opinions, source: Source) -> Decision:
        """The p of one source alone, whatever the other says."""
        if not self.in_both(pair):
            return Decision(dropped=Dropped.NOT_IN_BOTH)
        own, people = pair.exported, self.people.p(pair.votes)
        assert own is not None
        return _decision(people if source is Source.HUMAN else own, source, conflict=_opposed(people, own))

    def _settle(self, pair: Opinions, source: Source, *, by_label: bool = False) -> Decision:
        """The p of one source, or what the rule for conflicts makes of it."""
        people = self.people.p(pair.votes) if pair.votes else None
        if source is Source.HUMAN and people is None:
            return Decision(dropped=Dropped.NO_LABEL)
        if source is Source.AI and pair.exported is None:
            return Decision(dropped=Dropped.NO_JUDGE)
        opposed = people is not None and pair.exported is not None and _opposed(people, pair.exported)
        if opposed and self.conflict is Conflict.DROP:
            return Decision(dropped=Dropped.CONFLICT, conflict=True)
        if opposed and self.conflict is Conflict.POOL:
            return _decision(self._pooled(pair), Source.BLEND, by_label=by_label, conflict=True)
        if opposed and self.conflict is not Conflict.KEEP:
            source = Source(self.conflict.value)
        return _decision(
            people if source is Source.HUMAN else pair.exported, source, by_label=by_label, conflict=opposed
        )

    def _pooled(self, pair: Opinions) -> float:
        own = self.calibrated(pair)
        assert own is not None
        return sigmoid(self.people.log_odds(pair.votes) + logit(own))


def _even(p: float) -> bool:
    return abs(p - 0.5) <= _EVEN


def _opposed(one: float, other: float) -> bool:
    return not _even(one) and not _even(other) and (one > 0.5) is not (other > 0.5)


def _decision(p: float | None, source: Source, *, by_label: bool = False, conflict: bool = False) -> Decision:
    if p is None:
        return Decision(dropped=Dropped.NO_JUDGE)
    return Decision(0.5 if _even(p) else p, source, None, by_label, conflict)
