"""Turns recorded judgements into preferences and pairs. Derived data: made anew from what is recorded, in the place of what was there.

Knows no model. A shard's preferences and pairs depend on its judgements and the configuration alone, so they are the same whenever and in
whatever order the judgements came in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from constitution.model import Constitution
from generate.byprompt import RATED, kind_of, preferences_rated, weights_of, write_votes
from generate.calibrated import AS_GIVEN, Labelling, labelling_of
from generate.context import FOR_PEOPLE, PREFERENCES, Context, Step, by_prompt
from generate.orders import Asking, make_asking, position_bias
from generate.pairs import LeftOut, Selection, choose
from generate.prompt_shards import PromptShards
from generate.questions import calibration_shards
from generate.rank import parts, rank
from generate.report.source import as_mapping
from generate.rounds import Question, Subject, calibration
from generate.schedule import field_of
from generate.shards import PROMPTS_PER_SHARD
from judges.aggregate import preferences
from judges.calibration.tempering import Sureness
from tenet.ids import content_id
from tenet.records import Judgement, Preference, PreferencePair, Prompt, Sample
from tenet.runconfig import PairsConfig, ScheduleConfig
from tenet.runs import Row, Run


def derive(context: Context) -> int:
    """Write the preferences of every shard, and then the pairs; gives the number of pairs. `context.left_out` counts why others were
    not made. Preferences come first, for how far a judge that nobody checked is tempered depends on all of them.

    Raises:
        FingerprintMismatch, InvalidInput: the run's calibration is another judge's, or does not read back; preferences are written.
    """
    bias = bias_of(context.run, context.shards, make_asking(context.config.schedule, context.config.seed))
    sureness = _write_preferences(context, bias)
    context.labelling = labelling_of(context.run, context.config.pairs, sureness)
    total = _write_pairs(context, one_order=bias is not None)
    context.derived = True
    if context.unlinked:
        context.console.say(
            f"{context.unlinked:,} prompts: the answered comparisons do not link all responses that were compared; pairs come from "
            "the largest linked group"
        )
    return total


def labelling_for(context: Context) -> Labelling:
    """How the run's pairs are labelled, also where this command does not derive them.

    Raises:
        FingerprintMismatch, InvalidInput: see `generate.calibrated.labelling_of`.
    """
    if context.derived:
        return context.labelling
    sureness, told = Sureness(), context.run.stage(PREFERENCES, Preference)
    for number in range(len(context.shards)):
        sureness.add(told.records(number))
    return labelling_of(context.run, context.config.pairs, sureness)


def _write_preferences(context: Context, bias: float | None) -> Sureness:
    write_votes(context.run, len(context.shards))
    told = context.run.stage(PREFERENCES, Preference)
    sureness = Sureness()
    counted = context.unlinked = 0
    kind = context.config.judge.kind
    weights = weights_of(context.config.judge)
    for number, prompts in enumerate(context.shards):
        if kind in RATED:
            found = preferences_rated(context.run, number, kind, prompts, context.constitution, weights)
        else:
            judgements = list(context.run.stage(Step.JUDGEMENTS, Judgement).records(number, ok=None))
            found = preferences_of(prompts, judgements, context.constitution, bias=bias)
            context.unlinked += unlinked(judgements, found, one_order=bias is not None)
        if kind not in RATED:  # no order was shown: nothing can flip
            sureness.add(found)
        told.replace(number, [Row(_preference_key(one), one, ok=True) for one in found])
        counted += len(found)
    told.plan(counted)
    return sureness


def _write_pairs(context: Context, *, one_order: bool) -> int:
    """Write the pairs, and those left to people where an agreement was asked for, now or before."""
    told = context.run.stage(PREFERENCES, Preference)
    chosen = context.run.stage(Step.PAIRS, PreferencePair)
    waits = context.config.pairs.min_agreement is not None or FOR_PEOPLE in context.run.manifest.stages
    waiting = context.run.stage(FOR_PEOPLE, PreferencePair) if waits else None
    left_out: Counter[str] = Counter()
    total = left = 0
    for number, prompts in enumerate(context.shards):
        selections = list(
            selections_of(
                prompts, told.records(number), context.config.pairs, context.config.seed,
                one_order=one_order, labelling=context.labelling,
            )
        )  # fmt: skip
        pairs = [pair for one in selections for pair in one.pairs]
        people = [pair for one in selections for pair in one.for_people]
        for one in selections:
            left_out.update({reason.value: count for reason, count in one.left_out.items()})
        chosen.replace(number, [Row(pair.id, pair, ok=True) for pair in pairs])
        if waiting is not None:
            waiting.replace(number, [Row(pair.id, pair, ok=True) for pair in people])
        total, left = total + len(pairs), left + len(people)
    chosen.plan(total)
    if waiting is not None:
        waiting.plan(left)
    context.left_out = dict(left_out)
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
    prompts: Sequence[Prompt], found: Iterable[Preference], config: PairsConfig, seed: int, *, one_order: bool = False,
    labelling: Labelling = AS_GIVEN,
) -> list[PreferencePair]:  # fmt: skip
    """The pairs of a shard in the order of its prompts; see `selections_of`."""
    made = selections_of(prompts, found, config, seed, one_order=one_order, labelling=labelling)
    return [pair for one in made for pair in one.pairs]


def selections_of(
    prompts: Sequence[Prompt], found: Iterable[Preference], config: PairsConfig, seed: int, *, one_order: bool = False,
    labelling: Labelling = AS_GIVEN,
) -> Iterator[Selection]:  # fmt: skip
    """What is chosen of each prompt of a shard, in the order of its prompts, and why candidates were left out.

    `one_order` counts preferences that were asked in one order only; `labelling` makes `p_chosen` of p.
    """
    grouped: dict[str, list[Preference]] = defaultdict(list)
    for one in found:
        grouped[one.prompt_id].append(one)
    for prompt in prompts:
        own = sorted(grouped.get(prompt.id, []), key=lambda one: (one.a_id, one.b_id))
        if not own:
            yield Selection((), {LeftOut.NO_OPINION: 1})
            continue
        ranking = rank(prompt.id, own, one_order=one_order)
        yield choose(ranking, own, config, seed, one_order=one_order, labelling=labelling)


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
    if asking.orders.close_within is None:
        return None
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


def recorded_bias(run: Run) -> float | None:
    """The position bias that a run's preferences were made with, from what it holds; None where it has no answers yet."""
    if (
        kind_of(run.config) in RATED
        or Step.JUDGEMENTS not in run.manifest.stages
        or Step.SAMPLES not in run.manifest.stages
    ):
        return None
    given = as_mapping(run.config.get("schedule"))
    values = {one.name: given[one.name] for one in fields(ScheduleConfig) if one.name in given}
    seed = run.config.get("seed")
    asking = make_asking(ScheduleConfig(**values), seed if isinstance(seed, int) else 0)  # type: ignore[arg-type]
    return bias_of(run, PromptShards(run.stage(Step.PROMPTS, Prompt)), asking)


def _preference_key(one: Preference) -> str:
    return content_id("preference", one.prompt_id, one.a_id, one.b_id)
