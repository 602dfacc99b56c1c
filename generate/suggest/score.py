"""Which candidates explain labels that a file gets wrong: chosen on some labels, measured on others. Knows numbers; asks through others.

Candidates are chosen one after the other, each time the one that turns most verdicts to people's side, net of those that it turns
away (greedy forward selection), until none gains. What is told of a candidate comes from held-out labels: the verdicts that it turns
when it is added to the file alone, and its own verdicts, heard by themselves. It is supported where the 95 % intervals of two shares lie
above one half: that of the turned verdicts that go to people's side, and that of its own that agree with people. The first alone would
support whatever contradicts a file that is wrong more often than right. It is contradicted where the first interval lies below.
Intervals are Wilson's with the prompt as the unit (`generate.report.tally.RateTally`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from constitution.model import Principle
from generate.report.model import Rate
from generate.report.tally import RateTally
from generate.suggest.evidence import Labelled
from generate.suggest.verdicts import Added, Agreement, Verdicts
from judges.pairwise import Mode


class Standing(StrEnum):
    """What held-out labels say of a candidate, and whether it was chosen. Only SUPPORTED ones are written to the draft."""

    SUPPORTED = "supported"
    NOT_CHOSEN = "not chosen"
    NOT_SUPPORTED = "not supported"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True)
class Effect:
    """What adding principles does to verdicts on labelled pairs.

    `fixed` verdicts turn to people's side and `broken` ones away from it; `share` is that of the fixed among both, None where there
    are none. `before` and `after` are the shares of labels that the verdicts agree with.
    """

    fixed: int
    broken: int
    share: Rate | None
    before: Rate
    after: Rate

    @property
    def net(self) -> int:
        """Fixed minus broken."""
        return self.fixed - self.broken


@dataclass(frozen=True)
class Scored:
    """A candidate: its place in the choice (from 1; None where it was not chosen), and what it does alone on either part.

    `own` is the share of held-out labels that its own verdicts agree with; None where it gives none (`judge.principles: whole`).
    """

    principle: Principle
    place: int | None
    fit: Effect
    held_out: Effect
    own: Rate | None = None

    @property
    def standing(self) -> Standing:
        """See `Standing`."""
        share = self.held_out.share
        if share is not None and share.high < 0.5:
            return Standing.CONTRADICTED
        if share is None or share.low <= 0.5 or (self.own is not None and self.own.low <= 0.5):
            return Standing.NOT_SUPPORTED
        return Standing.NOT_CHOSEN if self.place is None else Standing.SUPPORTED


@dataclass(frozen=True)
class Ranked:
    """All candidates, best first, and what the supported ones do together on held-out labels (None where there are none)."""

    candidates: tuple[Scored, ...]
    together: Effect | None

    @property
    def supported(self) -> tuple[Scored, ...]:
        """Those that the draft proposes."""
        return tuple(one for one in self.candidates if one.standing is Standing.SUPPORTED)


def rank(
    verdicts: Verdicts, candidates: Sequence[Principle], fit: Sequence[Labelled], held_out: Sequence[Labelled], *, most: int
) -> Ranked:  # fmt: skip
    """Choose at most `most` candidates on `fit`, and measure every candidate on `held_out`.

    Raises:
        BudgetReached, TooManyFailures, Interrupted, EngineError: as `Verdicts.hear`; what was answered is kept.
    """
    alone = [(one,) for one in candidates]
    verdicts.hear([(), *alone], [*fit, *held_out], "asking about the candidates")
    chosen = choose(verdicts, candidates, fit, most=most)
    places = {one.id: place for place, one in enumerate(chosen, 1)}
    scored = [
        Scored(one, places.get(one.id), _effect(verdicts, (one,), fit), _effect(verdicts, (one,), held_out), own)
        for one in candidates
        for own in [agreement_rate(verdicts.own(one, held_out))]
    ]
    order = list(Standing)
    scored.sort(key=lambda one: (order.index(one.standing), -one.held_out.net, -one.fit.net, one.principle.id))
    supported = tuple(one.principle for one in scored if one.standing is Standing.SUPPORTED)
    if not supported:
        return Ranked(tuple(scored), None)
    verdicts.hear([supported], held_out, "asking about those supported, together")
    return Ranked(tuple(scored), _effect(verdicts, supported, held_out))


def choose(verdicts: Verdicts, candidates: Sequence[Principle], fit: Sequence[Labelled], *, most: int) -> Added:
    """Add the candidate with the largest net gain on `fit`, again and again, until none gains or there are `most`.

    Of equal gains the one whose agreement rises more goes first, then the one that stands first. Raises as `Verdicts.hear`.
    """
    chosen: Added = ()
    before = verdicts.agreement((), fit)
    while len(chosen) < most:
        left = [one for one in candidates if one not in chosen]
        sets = [(*chosen, one) for one in left]
        if chosen and verdicts.mode is Mode.WHOLE:  # a set is a question of its own
            verdicts.hear(sets, fit, f"asking about {len(chosen) + 1} candidates together")
        found = [verdicts.agreement(added, fit) for added in sets]
        gains = [_gain(before, after) for after in found]
        if not gains or max(gains)[0] <= 0:
            break
        best = gains.index(max(gains))
        before, chosen = found[best], sets[best]
    return chosen


def effect(before: Agreement, after: Agreement, pairs: Sequence[Labelled]) -> Effect:
    """Count what an addition turns on these pairs."""
    turned, was, is_now = RateTally(), RateTally(), RateTally()
    fixed = broken = 0
    for _, group in groupby(sorted(pairs, key=lambda one: one.key), key=lambda one: one.case.prompt.id):
        keys = [one.key for one in group]
        up = sum(after[key] > before[key] for key in keys)
        down = sum(after[key] < before[key] for key in keys)
        fixed, broken = fixed + up, broken + down
        turned.add(up, up + down)
        was.add(sum(before[key] for key in keys), len(keys))
        is_now.add(sum(after[key] for key in keys), len(keys))
    assert was.rate is not None
    assert is_now.rate is not None
    return Effect(fixed, broken, turned.rate, was.rate, is_now.rate)


def agreement_rate(own: Agreement) -> Rate | None:
    """The mean of an agreement, with the prompt as the unit of its interval; None where there is nothing."""
    tally = RateTally()
    for _, group in groupby(sorted(own), key=lambda key: key[0]):
        keys = list(group)
        tally.add(sum(own[key] for key in keys), len(keys))
    return tally.rate


def _effect(verdicts: Verdicts, added: Added, pairs: Sequence[Labelled]) -> Effect:
    return effect(verdicts.agreement((), pairs), verdicts.agreement(added, pairs), pairs)


def _gain(before: Mapping[tuple[str, str, str], float], after: Agreement) -> tuple[int, float]:
    """Verdicts turned to people's side net of those turned away, and by how much agreement rises."""
    net = sum((after[key] > was) - (after[key] < was) for key, was in before.items())
    return net, sum(after.values()) - sum(before.values())
