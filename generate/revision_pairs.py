"""Pairs of (revision, original): the judge compares what a revision came to with what it was made from, in both orders like any pair.

Constitutional AI trains on revisions as they are; here a revision that the judge does not find better is a pair the other way round, or
none. Kept in stages of their own, apart from the pairs of samples. Knows no model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from generate.context import Context, Step
from generate.deriving import preferences_of
from generate.jobs import Address, Job, Part, carry_out
from generate.judging import judged
from generate.pairs import choose
from generate.rank import rank
from generate.revising import rounds_of, stage_name
from generate.schedule import round_robin
from generate.shards import LazyShards
from generate.spending import JUDGE, need
from generate.supersede import supersede
from judges.pairwise import PairAsk, PairwiseJudge
from judges.revise import as_sample
from tenet.records import Judgement, Preference, PreferencePair, Prompt, Revision, Sample
from tenet.runs import Row, Run
from tenet.workers.local import Task

JUDGEMENTS: Final = "revision-judgements"
PAIRS: Final = "revision-pairs"
SOURCE: Final = "revision"


def pair_revisions(context: Context, judge: PairwiseJudge) -> None:
    """Judge each original against its last revision, and write the pairs that come of it.

    Raises:
        TooManyFailures: more than `max_failures` of the questions failed.
    """
    job = revision_job(context, judge)
    supersede(context.run, job.stage, job.shards)
    carry_out(context, job)
    _derive(context)


def revision_job(context: Context, judge: PairwiseJudge) -> Job[PairAsk, Judgement]:
    """The comparisons of revisions with what they were made from."""

    def make(shard: int) -> list[Task[PairAsk]]:
        return [
            Task(ask.record_id, ask)
            for prompt, original, revised in last_revisions(context.run, context.shards[shard], shard)
            for first, second in round_robin([original, revised])
            for ask in judge.asks(prompt, first, second)
        ]

    return Job(
        Address(Part.REVISION_JUDGEMENTS), Step.REVISIONS, JUDGE, "judging revisions",
        context.run.stage(JUDGEMENTS, Judgement), LazyShards(len(context.shards), make), partial(judged, judge), need(),
        servers=judge.engine.stats,
    )  # fmt: skip


def last_revisions(run: Run, prompts: Sequence[Prompt], shard: int) -> Iterator[tuple[Prompt, Sample, Sample]]:
    """(prompt, original, last revision as a sample) of every revised sample of a shard, in the order of the prompts."""
    originals = {sample.id: sample for sample in run.stage(Step.SAMPLES, Sample).records(shard)}
    made: dict[str, Revision] = {}
    for number in rounds_of(run):
        made.update({one.parent_id: one for one in run.stage(stage_name(number), Revision).records(shard)})
    ends: dict[str, list[tuple[Sample, Revision]]] = defaultdict(list)
    for name, sample in originals.items():
        if name in made:
            end = made[name]
            while end.id in made:
                end = made[end.id]
            ends[sample.prompt_id].append((sample, end))
    for prompt in prompts:
        for sample, end in sorted(ends.get(prompt.id, ()), key=lambda one: one[0].id):
            yield prompt, sample, as_sample(end, sample)


def _derive(context: Context) -> None:
    judged = context.run.stage(JUDGEMENTS, Judgement)
    chosen = context.run.stage(PAIRS, PreferencePair)
    total = 0
    for number, prompts in enumerate(context.shards):
        grouped: dict[str, list[Preference]] = defaultdict(list)
        for one in preferences_of(prompts, judged.records(number, ok=None), context.constitution):
            grouped[one.prompt_id].append(one)
        found = [
            replace(pair, source=SOURCE)
            for name, own in grouped.items()
            for pair in choose(rank(name, own), own, context.config.pairs, context.config.seed).pairs
        ]
        chosen.replace(number, [Row(pair.id, pair, ok=True) for pair in found])
        total += len(found)
    chosen.plan(total)
