"""Turns recorded judgements into preferences and pairs. Derived data: made anew from what is recorded, in the place of what was there.

Knows no model. A shard's preferences and pairs depend on its judgements and the configuration alone, so they are the same whenever and in
whatever order the judgements came in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from constitution.model import Constitution
from generate.context import PREFERENCES, Context, Step
from generate.pairs import choose
from generate.rank import rank
from judges.aggregate import preferences
from tenet.ids import content_id
from tenet.records import Judgement, Preference, PreferencePair, Prompt
from tenet.runconfig import PairsConfig
from tenet.runs import Row

NO_OPINION = "no response pair was judged"


def derive(context: Context) -> int:
    """Write the preferences and pairs of every shard; gives the number of pairs. `context.left_out` counts why others were not made."""
    judged = context.run.stage(Step.JUDGEMENTS, Judgement)
    told = context.run.stage(PREFERENCES, Preference)
    chosen = context.run.stage(Step.PAIRS, PreferencePair)
    left_out: Counter[str] = Counter()
    total = counted = 0
    for number, prompts in enumerate(context.shards):
        found = preferences_of(prompts, judged.records(number, ok=None), context.constitution)
        pairs, reasons = pairs_of(prompts, found, context.config.pairs, context.config.seed)
        left_out.update(reasons)
        told.replace(number, [Row(_preference_key(one), one, ok=True) for one in found])
        chosen.replace(number, [Row(pair.id, pair, ok=True) for pair in pairs])
        total, counted = total + len(pairs), counted + len(found)
    told.plan(counted)
    chosen.plan(total)
    context.left_out, context.derived = dict(left_out), True
    return total


def preferences_of(
    prompts: Sequence[Prompt], judgements: Iterable[Judgement], constitution: Constitution
) -> list[Preference]:
    """The preferences of a shard in the order of its prompts."""
    place = {prompt.id: number for number, prompt in enumerate(prompts)}
    known = sorted(
        (one for one in judgements if one.prompt_id in place), key=lambda one: (place[one.prompt_id], one.id)
    )
    found = preferences(known, constitution)
    return sorted(found, key=lambda one: (place[one.prompt_id], one.a_id, one.b_id))


def pairs_of(
    prompts: Sequence[Prompt], found: Iterable[Preference], config: PairsConfig, seed: int
) -> tuple[list[PreferencePair], Counter[str]]:
    """The pairs of a shard in the order of its prompts, and how many candidates were left out for which reason."""
    grouped: dict[str, list[Preference]] = defaultdict(list)
    for one in found:
        grouped[one.prompt_id].append(one)
    pairs: list[PreferencePair] = []
    left_out: Counter[str] = Counter()
    for prompt in prompts:
        own = grouped.get(prompt.id, [])
        if not own:
            left_out[NO_OPINION] += 1
            continue
        selection = choose(rank(prompt.id, own), own, config, seed)
        pairs += selection.pairs
        left_out.update({reason.value: count for reason, count in selection.left_out.items()})
    return pairs, left_out


def _preference_key(one: Preference) -> str:
    return content_id("preference", one.prompt_id, one.a_id, one.b_id)
