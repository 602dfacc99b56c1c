"""Several judges heard as one: how far each is to be believed, and one judgement a question from all of theirs.

A panel is never an equal vote. Members weigh by their accuracies: counted on human anchors, or, without any, estimated from their
votes alone by Dawid-Skene, and then only if three of them at least agree pairwise above chance; otherwise it refuses. What comes out
is one judgement for every question and order, of the judge `NAME`; orders, principles and rules are then put together by
`judges.aggregate` as for any judge, and calibration by anchors comes after it. Without anchors the log-odds are tempered until the
panel claims to be right no more often than 1 less half its own flip rate; nothing then says that it is right even so.

Knows judgements; no text, no model, no file, and not how members were asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np

from judges.aggregate import Pair, p_first
from judges.probability import mean, sigmoid
from judges.reliability import anchored, dawid_skene
from judges.reliability.agreement import require_agreement
from judges.reliability.combine import heard, temper
from judges.reliability.votes import Votes
from tenet.errors import UsageError
from tenet.ids import Json, content_id
from tenet.records import Judgement, Outcome

NAME: Final = "panel"
_I = TypeVar("_I", bound=Hashable)
_Question = tuple[str, str, str, str | None, str | None]
"""A prompt, the responses shown first and second, the principle and its wording."""


@dataclass(frozen=True)
class Reliability:
    """How often each member is right in one order, what that was learnt from, and the slope that the panel's log-odds are brought to.

    `anchors` is their effective number, 0 where there were none: then the panel is not validated.
    """

    accuracies: Mapping[str, float]
    learnt_from: Literal["anchors", "votes"]
    anchors: float = 0.0
    slope: float = 1.0

    def as_json(self) -> dict[str, Json]:
        """What `panel.json` holds."""
        told: dict[str, Json] = {name: round(float(one), 6) for name, one in sorted(self.accuracies.items())}
        return {"learnt_from": self.learnt_from, "anchors": self.anchors, "slope": self.slope, "accuracies": told}


def by_anchors(
    judgements: Iterable[Judgement], anchors: Mapping[Pair, int], weights: Mapping[Pair, float] | None = None
) -> Reliability:
    """Count how often each member names the side that people chose.

    `anchors` say 1 for a pair (prompt, a, b), a < b, of which people prefer a, and -1 for b; `weights` are inverse chances of
    inclusion. All of a member's votes on one pair (orders, principles) count once together.

    Raises:
        UsageError: fewer than two members, no anchor that they have judged, or an anchor that is no side.
    """
    told = list(judgements)
    members = _members(told)
    pairs = sorted({pair for one in told if one.outcome.is_opinion and (pair := _pair(one)) in anchors})
    if not pairs:
        raise UsageError(
            f"none of {len(anchors):,} anchors is a pair that the panel has judged",
            hint="draw anchors from this run's own pairs, or name one judge",
        )
    drawn = None if weights is None else [weights[pair] for pair in pairs]
    found = anchored.accuracies(
        _votes(((_pair(one), one) for one in told), pairs, members), [anchors[p] for p in pairs], drawn
    )
    return Reliability(dict(zip(members, found.means.tolist(), strict=True)), "anchors", found.anchors)


def by_votes(judgements: Iterable[Judgement]) -> Reliability:
    """Estimate the members' accuracies from their votes alone, and temper what they come to.

    Whether they agree is tested on one question a prompt, so that the items are independent; all are fitted. A member's
    two orders are one vote: counted as two, every judge that is consistent would pass for one that is right.

    Raises:
        UsageError: fewer than two members, or fewer than three that agree pairwise above chance.
    """
    told = list(judgements)
    members = _members(told)
    filed = [((_pair(one), one.principle or ""), one) for one in told]
    items = sorted({item for item, one in filed if one.outcome.is_opinion})
    votes = _votes(filed, items, members).once
    first_of_prompt = {pair[0]: number for number, (pair, _) in reversed(list(enumerate(items)))}
    require_agreement(votes.take(sorted(first_of_prompt.values())), members)
    found = dawid_skene.fit(votes)
    accuracies = dict(zip(members, found.accuracies.tolist(), strict=True))
    odds = _log_odds(told, Reliability(accuracies, "votes"))
    return Reliability(accuracies, "votes", slope=temper(np.array(list(odds.values())), 1.0 - _flip_rate(odds) / 2.0))


def combined(judgements: Iterable[Judgement], reliability: Reliability) -> list[Judgement]:
    """One judgement of the panel for each question that a member has an opinion on, in the order of the questions.

    Raises:
        UsageError: a judgement of a judge whose reliability is not known.
    """
    told = list(judgements)
    strangers = {one.judge for one in told} - set(reliability.accuracies)
    if strangers:
        raise UsageError(
            f"nothing is known of how reliable {', '.join(sorted(strangers))} is",
            hint="learn the weights anew from judgements of all members",
        )
    odds = _log_odds(told, reliability)
    return [_judgement(question, sigmoid(reliability.slope * odds[question])) for question in sorted(odds, key=repr)]


def _members(told: Sequence[Judgement]) -> tuple[str, ...]:
    members = tuple(sorted({one.judge for one in told}))
    if len(members) < 2:
        raise UsageError(
            f"a panel needs two members or more; {members[0] if members else 'nobody'} is alone",
            hint="add a judge of another family, or use the one without a panel: kind: pairwise",
        )
    return members


def _pair(one: Judgement) -> Pair:
    return (one.prompt_id, *sorted((one.first_id, one.second_id)))  # type: ignore[return-value]


def _votes(filed: Iterable[tuple[_I, Judgement]], items: Sequence[_I], members: Sequence[str]) -> Votes:
    """The members' votes on the items; a probability of exactly one half is a tie."""
    place, column = {item: n for n, item in enumerate(items)}, {name: n for n, name in enumerate(members)}
    for_a, for_b = np.zeros((len(items), len(members))), np.zeros((len(items), len(members)))
    for item, one in filed:
        p = p_first(one)
        if p is None or item not in place:
            continue
        named = 0.5 + 0.5 * np.sign(p - 0.5)
        a = named if one.first_id < one.second_id else 1.0 - named
        for_a[place[item], column[one.judge]] += a
        for_b[place[item], column[one.judge]] += 1.0 - a
    return Votes(for_a, for_b)


def _log_odds(told: Iterable[Judgement], reliability: Reliability) -> dict[_Question, float]:
    """Log-odds for the response shown first by question, not tempered; a member's repeats are averaged."""
    said: dict[_Question, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in told:
        p = p_first(one)
        if p is not None:
            question = (one.prompt_id, one.first_id, one.second_id, one.principle, one.principle_digest)
            said[question][one.judge].append(p)
    names = sorted(reliability.accuracies)
    shares = np.array([[mean(by[name]) if name in by else np.nan for name in names] for by in said.values()])
    odds = heard(shares.reshape(-1, len(names)), [reliability.accuracies[name] for name in names]).sum(axis=1)
    return dict(zip(said, odds.tolist(), strict=True))


def _flip_rate(odds: Mapping[_Question, float]) -> float:
    """The share of pairs asked in both orders whose orders name different winners."""
    both = [
        odds[question] * odds[turned] > 0.0
        for question in odds
        if question[1] < question[2] and (turned := (question[0], question[2], question[1], *question[3:])) in odds
    ]
    return sum(both) / len(both) if both else 0.0


def _judgement(question: _Question, p: float) -> Judgement:
    prompt_id, first_id, second_id, principle, digest = question
    outcome = Outcome.TIE if p == 0.5 else Outcome.FIRST if p > 0.5 else Outcome.SECOND
    return Judgement(
        content_id(NAME, *question), prompt_id, first_id, second_id, NAME, outcome, p,
        principle=principle, principle_digest=digest,
    )  # fmt: skip
