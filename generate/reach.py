"""Which pairs of a run an edit of the principles can reach, and a fixed sample of them. Asks nobody.

A prompt is out of reach where judges would be asked the same of it before and after, and combine the answers in the same way: its verdicts
cannot change, and a sample of them would tell nothing. Of the other prompts' pairs the sample is a simple random one, drawn by content:
the pairs with the smallest digests of (seed, prompt, pair), so the same seed gives the same pairs and a larger sample holds a smaller one.
Where a schedule chooses pairs by earlier answers, the pairs are those that the run has judged, shown in the orders in which it showed them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest

from constitution.model import Principle
from generate.context import Context, Step
from generate.orders import Asking
from generate.schedule import Pair, field_of, pair_of
from judges.pairwise import Mode, PairwiseJudge, listed
from tenet.ids import Json, canonical_json, content_id
from tenet.records import Judgement, Prompt, Sample

Showings = tuple[Pair, ...]
"""The orders in which a pair is shown, each (first, second)."""


@dataclass(frozen=True)
class Case:
    """One pair of a prompt's samples (`a`'s id is the smaller), and the orders in which it is shown."""

    prompt: Prompt
    a: Sample
    b: Sample
    showings: Showings

    @property
    def key(self) -> tuple[str, str, str]:
        """What a preference of it is told by."""
        return self.prompt.id, self.a.id, self.b.id

    def shown(self) -> Iterator[tuple[Sample, Sample]]:
        """The samples in each order."""
        named = {self.a.id: self.a, self.b.id: self.b}
        return ((named[first], named[second]) for first, second in self.showings)


@dataclass(frozen=True)
class Reach:
    """How far an edit reaches: `pairs` of the run that are judged before or after, those of them it can turn, on so many prompts, and
    a sample of those.
    """

    pairs: int
    reached: int
    prompts: int
    sample: tuple[Case, ...]


@dataclass
class _Counted:
    pairs: int = 0
    reached: int = 0
    prompts: int = 0


def reach(
    context: Context, asking: Asking, before: PairwiseJudge, after: PairwiseJudge, *, size: int, seed: int
) -> Reach:
    """Go through a run once and draw `size` of the pairs within reach; all of them where there are no more.

    The sample comes in the order of the prompts' ids, pairs of one prompt together.

    Raises:
        MissingInput: a shard does not read back.
    """
    counted = _Counted()
    drawn = nsmallest(
        size, _cases(context, asking, before, after, counted), key=lambda case: content_id("diff", seed, *case.key)
    )
    return Reach(counted.pairs, counted.reached, counted.prompts, tuple(sorted(drawn, key=lambda case: case.key)))


def question(judge: PairwiseJudge, prompt: Prompt) -> str:
    """Everything on which a prompt's verdicts depend but its responses; empty where nothing is asked."""
    ids = judge.principles(prompt)
    asked = [one for one in judge.constitution.active if one.id in ids]
    if not asked:
        return ""
    if judge.mode is Mode.WHOLE:
        return listed(asked)
    whole = judge.mode is Mode.EACH and len(asked) > 1
    return canonical_json([_asked(one, whole=whole) for one in (sorted(asked, key=lambda one: one.id))])


def _asked(one: Principle, *, whole: bool) -> Json:
    """One principle by itself is heard as it is; with others its weight and standing count."""
    told: list[Json] = [one.text, one.compare_question]
    return [*told, one.id, one.weight, one.tier.value, sorted(one.yields_to)] if whole else told


def _cases(
    context: Context, asking: Asking, before: PairwiseJudge, after: PairwiseJudge, counted: _Counted
) -> Iterator[Case]:
    for shard, prompts in enumerate(context.shards):
        samples = context.samples(shard)
        recorded = _recorded(context, shard) if asking.adaptive else {}
        for prompt in prompts:
            questions = question(before, prompt), question(after, prompt)
            if not any(questions):
                continue
            named = {sample.id: sample for sample in field_of(samples.get(prompt.id, ())).samples}
            if asking.adaptive:
                shown = {
                    pair: orders for pair, orders in recorded.get(prompt.id, {}).items() if named.keys() >= {*pair}
                }
            else:
                shown = {pair: (pair, pair[::-1]) for pair in asking.schedule.owed(prompt.id, tuple(named), {})}
            counted.pairs += len(shown)
            if questions[0] != questions[1] and shown:
                counted.reached += len(shown)
                counted.prompts += 1
                yield from (Case(prompt, named[a], named[b], orders) for (a, b), orders in shown.items())


def _recorded(context: Context, shard: int) -> Mapping[str, Mapping[Pair, Showings]]:
    """The pairs of a shard that the run has judged, by prompt, with the orders shown."""
    return showings(context.run.stage(Step.JUDGEMENTS, Judgement).records(shard, ok=None))


def showings(judgements: Iterable[Judgement]) -> Mapping[str, Mapping[Pair, Showings]]:
    """The pairs that judgements are about, by prompt, each with the orders in which it was shown."""
    found: dict[str, dict[Pair, set[Pair]]] = defaultdict(lambda: defaultdict(set))
    for one in judgements:
        found[one.prompt_id][pair_of(one.first_id, one.second_id)].add((one.first_id, one.second_id))
    return {prompt: {pair: tuple(sorted(orders)) for pair, orders in pairs.items()} for prompt, pairs in found.items()}
