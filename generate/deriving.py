"""Turns recorded judgements into preferences and pairs. Derived data: made anew from what is recorded, in the place of what was there.

Knows no model. A shard's preferences and pairs depend on its judgements and the configuration alone, so they are the same whenever and in
whatever order the judgements came in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from constitution.model import Constitution
from generate.context import PREFERENCES, Context, Step, by_prompt
from generate.orders import Asking, make_asking, position_bias
from generate.pairs import choose
from generate.prompt_shards import PromptShards
from generate.questions import calibration_shards
from generate.rank import parts, rank
from generate.rounds import Question, Subject, calibration
from generate.schedule import field_of
from generate.shards import PROMPTS_PER_SHARD
from judges.aggregate import preferences
from tenet.ids import content_id
from tenet.records import Judgement, Preference, PreferencePair, Prompt, Sample
from tenet.runconfig import PairsConfig
from tenet.runs import Row, Run

NO_OPINION = "no response pair was judged"


def derive(context: Context) -> int:
    """Write the preferences and pairs of every shard; gives the number of pairs. `context.left_out` counts why others were not made."""
    judged = context.run.stage(Step.JUDGEMENTS, Judgement)
    bias = bias_of(context.run, context.shards, make_asking(context.config.schedule, context.config.seed))
    told = context.run.stage(PREFERENCES, Preference)
    chosen = context.run.stage(Step.PAIRS, PreferencePair)
    left_out: Counter[str] = Counter()
    total = counted = apart = 0
    for number, prompts in enumerate(context.shards):
        judgements = list(judged.records(number, ok=None))
        found = preferences_of(prompts, judgements, context.constitution, bias=bias)
        pairs, reasons = pairs_of(prompts, found, context.config.pairs, context.config.seed, one_order=bias is not None)
        apart += unlinked(judgements, found, one_order=bias is not None)
        left_out.update(reasons)
        told.replace(number, [Row(_preference_key(one), one, ok=True) for one in found])
        chosen.replace(number, [Row(pair.id, pair, ok=True) for pair in pairs])
        total, counted = total + len(pairs), counted + len(found)
    told.plan(counted)
    chosen.plan(total)
    context.left_out, context.unlinked, context.derived = dict(left_out), apart, True
    if apart:
        context.console.say(
            f"{apart:,} prompts: the answered comparisons do not link all responses that were compared; pairs come from "
            "the largest linked group"
        )
    return total


def preferences_of(
    prompts: Sequence[Prompt],
    judgements: Iterable[Judgement],
    constitution: Constitution,
    *,
    bias: float | None = None,
) -> list[Preference]:
    """The preferences of a shard in the order of its prompts; `bias` as in `judges.aggregate.preferences`."""
    place = {prompt.id: number for number, prompt in enumerate(prompts)}
    known = sorted(
        (one for one in judgements if one.prompt_id in place), key=lambda one: (place[one.prompt_id], one.id)
    )
    found = preferences(known, constitution, bias=bias)
    return sorted(found, key=lambda one: (place[one.prompt_id], one.a_id, one.b_id))


def pairs_of(
    prompts: Sequence[Prompt], found: Iterable[Preference], config: PairsConfig, seed: int, *, one_order: bool = False
) -> tuple[list[PreferencePair], Counter[str]]:
    """The pairs of a shard in the order of its prompts, and how many candidates were left out for which reason.

    `one_order` counts preferences that were asked in one order only.
    """
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
        selection = choose(rank(prompt.id, own, one_order=one_order), own, config, seed, one_order=one_order)
        pairs += selection.pairs
        left_out.update({reason.value: count for reason, count in selection.left_out.items()})
    return pairs, left_out


def unlinked(judgements: Iterable[Judgement], found: Iterable[Preference], *, one_order: bool = False) -> int:
    """Count the prompts in which the usable preferences do not link all responses that a question was about."""
    asked: dict[str, set[str]] = defaultdict(set)
    told: dict[str, list[Preference]] = defaultdict(list)
    for judgement in judgements:
        asked[judgement.prompt_id] |= {judgement.first_id, judgement.second_id}
    for one in found:
        told[one.prompt_id].append(one)
    return sum(parts(told[name], one_order=one_order) != [ids] for name, ids in asked.items() if name in told)


def bias_of(run: Run, shards: PromptShards, asking: Asking) -> float | None:
    """The judge's position bias where pairs may be asked in one order only; None where both are, or it is not known."""
    judged = run.stage(Step.JUDGEMENTS, Judgement)
    drawn = run.stage(Step.SAMPLES, Sample)
    wanted: set[tuple[str, Question]] = set()
    heard: list[Judgement] = []
    for number in range(calibration_shards(asking, shards.total)):
        samples = by_prompt(drawn.records(number, ok=None))
        for place, prompt in enumerate(shards[number], number * PROMPTS_PER_SHARD):
            ids = field_of(samples.get(prompt.id, ())).ids
            subject = Subject(prompt.id, place, ids, (None,))  # the pairs are the same under every principle
            wanted |= {(prompt.id, question) for question in calibration(asking, subject)}
        found = judged.records(number)
        heard += [one for one in found if (one.prompt_id, Question(one.first_id, one.second_id, None)) in wanted]
    return position_bias(heard).log_odds


def _preference_key(one: Preference) -> str:
    return content_id("preference", one.prompt_id, one.a_id, one.b_id)
