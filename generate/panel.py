"""The panel of a run: its members' judgements in stages of their own, heard as one judge in the stage that every reader knows.

Each member answers in `judgements-by-KEY`, where KEY is from its fingerprint; so a member that joins is asked everything, one that leaves
keeps its rows, unheard, and one that comes back is heard again. What they come to, one judgement a question, is derived data: it lies
in `judgements`, is made anew before the pairs are, and `panel.json` says how the members weigh. Weights come from people's labels where
the run holds enough of them about judged pairs, else from the votes alone, if three members agree pairwise above chance; else nothing is
heard. Knows no model; how members are weighed is `judges.panel`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from generate.calibrated import PANEL_FILE
from generate.calibrating import split_of
from generate.context import MEMBER, Context, Step
from generate.schedule import field_of
from judges.aggregate import Pair
from judges.anchors import SPLIT_FROM, Anchor, Side, make_anchors
from judges.calibration.fitting import LEAST_ANCHORS
from judges.humans.designs import run_labels
from judges.humans.matching import Texts
from judges.pairwise import PairwiseJudge
from tenet.errors import UsageError
from tenet.ids import digest, unit_interval
from tenet.records import Choice, Judgement, prompt_id
from tenet.runs import Row, Run

if TYPE_CHECKING:
    from judges.panel import Reliability

MOST_PROMPTS: Final = 5000
"""Most prompts whose votes weigh the members where there are no anchors; of more, so many are drawn by content."""
_SIDES: Final = {Choice.A: 1, Choice.B: -1}


@dataclass(frozen=True)
class Member:
    """A judge of a panel: the name that its judgements are heard under, which no other member has, and the judge itself."""

    name: str
    judge: PairwiseJudge

    @property
    def stage(self) -> str:
        """The stage that its judgements are recorded in."""
        return f"{MEMBER}{self.key}"

    @property
    def key(self) -> str:
        """A short digest of its fingerprint."""
        return digest(self.judge.fingerprint)[:12]


def seat(judges: Sequence[PairwiseJudge]) -> tuple[Member, ...]:
    """Make judges a panel; where two have one model, their names are told apart by their keys.

    Raises:
        UsageError: two members are the same judge.
    """
    members = [Member(judge.name, judge) for judge in judges]
    for place, one in enumerate(members):
        if any(one.key == other.key for other in members[:place]):
            raise UsageError(
                f"{one.name} sits in the panel twice: the same model, asked in the same way",
                hint="leave one of the two out; a judge of another family adds more than a second copy",
            )
    names = [one.name for one in members]
    return tuple(
        replace(one, name=f"{one.name}#{one.key[:6]}") if names.count(one.name) > 1 else one for one in members
    )


def hear(context: Context, members: Sequence[Member]) -> Reliability:
    """Weigh the members, and write what they come to into the stage of judgements, with `panel.json` beside it.

    Raises:
        UsageError: neither labels nor votes can weigh the members, or no label is about a pair of this run; what was heard before stands.
    """
    from judges.panel import combined

    found = _weighed(context, members)
    stage = context.run.stage(Step.JUDGEMENTS, Judgement)
    counted = 0
    for shard in range(len(context.shards)):
        here = {prompt.id for prompt in context.shards[shard]}
        told = combined((one for one in said(context.run, members, shard) if one.prompt_id in here), found)
        stage.replace(shard, [Row(one.id, one, ok=True) for one in told])
        counted += len(told)
    stage.plan(counted)
    context.run.write_json(PANEL_FILE, {"members": {one.key: one.name for one in members}, **found.as_json()})
    return found


def weighing(found: Reliability) -> str:
    """A line for people: how the members weigh, and by what."""
    told = ", ".join(f"{name} {share:.3f}" for name, share in sorted(found.accuracies.items()))
    by = (
        f"{found.anchors:,.0f} anchors"
        if found.learnt_from == "anchors"
        else "their votes alone (no person has confirmed it)"
    )
    return f"panel: right in one order, by {by}: {told}"


def said(run: Run, members: Iterable[Member], shard: int) -> Iterator[Judgement]:
    """All that the members said in a shard, each under its name in the panel."""
    for one in members:
        stage = run.stage(one.stage, Judgement)
        yield from (replace(told, judge=one.name) for told in stage.records(shard, ok=None))


def _weighed(context: Context, members: Sequence[Member]) -> Reliability:
    from judges.panel import by_anchors, by_votes

    anchors = _anchors(context, members)
    if len(anchors) >= LEAST_ANCHORS:
        prompts = {one.prompt_id for one in anchors}
        sides = {_pair(one): _SIDES[one.majority] for one in anchors}
        weights = {_pair(one): one.weight for one in anchors}
        return by_anchors(_of(context, members, prompts), sides, weights)
    try:
        return by_votes(_of(context, members, _drawn(context)))
    except UsageError as error:
        held = (
            f"{len(anchors)} labelled pairs are too few to weigh them by ({LEAST_ANCHORS} are needed). "
            if anchors
            else ""
        )
        raise UsageError(
            f"the panel's answers are recorded, and no pair can be made of them: {error.message}",
            hint=f"{held}Label pairs of this run, tell it with: tenet labels import FILE --to {context.run.path}, and give "
            "the same command again; or name one judge alone. An equal vote is never used in their place.",
        ) from error


def _anchors(context: Context, members: Sequence[Member]) -> list[Anchor]:
    """What people say of pairs that a member has judged, ties left out; of many prompts those alone that no card scores by."""
    labels = run_labels(context.run.path)
    if not labels:
        return []
    wanted = {prompt_id(label.prompt) for label in labels}
    texts = Texts()
    judged: set[Pair] = set()
    for shard in range(len(context.shards)):
        here = {prompt.id for prompt in context.shards[shard]} & wanted
        if not here:
            continue
        for name, samples in context.samples(shard).items():
            if name in here:
                texts.add(field_of(samples).samples)
        for told in said(context.run, members, shard):
            if told.prompt_id in here and told.outcome.is_opinion:
                low, high = sorted((told.first_id, told.second_id))
                judged.add((told.prompt_id, low, high))
    found = make_anchors(labels, texts).anchors
    own = [one for one in found if _pair(one) in judged and one.majority in _SIDES]
    split = split_of(context.run)
    if len({one.prompt_id for one in own}) >= SPLIT_FROM:
        own = [one for one in own if split.side(one.prompt_id) is Side.FIT]
    return own


def _drawn(context: Context) -> set[str]:
    share = MOST_PROMPTS / max(1, context.shards.total)
    return {prompt.id for shard in context.shards for prompt in shard if unit_interval("panel", prompt.id) < share}


def _of(context: Context, members: Sequence[Member], prompts: set[str]) -> list[Judgement]:
    return [
        one
        for shard in range(len(context.shards))
        for one in said(context.run, members, shard)
        if one.prompt_id in prompts
    ]


def _pair(anchor: Anchor) -> Pair:
    return anchor.prompt_id, anchor.a_id, anchor.b_id
