"""Pairs of (revision, original): the judge compares what a revision came to with what it was made from, in both orders like any pair.

Constitutional AI trains on revisions as they are; here a revision that the judge does not find better is a pair the other way round, or
none. Where one principle is drawn a prompt, the judge is asked about those that the response was revised under, not about the one that
the prompt's samples are judged by. Kept in stages of their own, apart from the pairs of samples. Knows no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from generate.context import Context, Step
from generate.deriving import labelling_for, preferences_of
from generate.jobs import Address, Job, Part, carry_out
from generate.judging import judged
from generate.pairs import choose
from generate.rank import rank
from generate.revision_chain import Chain, chains_of
from generate.schedule import round_robin
from generate.shards import LazyShards
from generate.spending import JUDGE
from generate.supersede import supersede
from judges.pairwise import PairAsk, PairwiseJudge
from tenet.ids import content_id
from tenet.records import Judgement, Preference, PreferencePair, Prompt, Sample
from tenet.runs import Row, Run
from tenet.workers.local import Task

JUDGEMENTS: Final = "revision-judgements"
PREFERENCES: Final = "revision-preferences"
PAIRS: Final = "revision-pairs"
SOURCE: Final = "revision"


def pair_revisions(context: Context, judge: PairwiseJudge | None, *, check: bool = True) -> None:
    """Judge each original against its last revision, and write the pairs that come of it; without `check`, or a judge of pairs, there
    are neither.

    Raises:
        TooManyFailures: more than `max_failures` of the questions failed.
    """
    if check and judge is not None:
        job = revision_job(context, judge)
        supersede(context.run, job.stage, job.shards)
        carry_out(context, job)
    else:
        supersede(context.run, context.run.stage(JUDGEMENTS, Judgement), ())
    _derive(context)


def revision_job(context: Context, judge: PairwiseJudge) -> Job[PairAsk, Judgement]:
    """The comparisons of revisions with what they were made from."""

    def make(shard: int) -> list[Task[PairAsk]]:
        return [
            Task(ask.record_id, ask)
            for prompt, chain in revised_chains(context.run, context.shards[shard], shard)
            for ask in checks(judge, prompt, chain)
        ]

    return Job(
        Address(Part.REVISION_JUDGEMENTS), Step.REVISIONS, JUDGE, "judging revisions",
        context.run.stage(JUDGEMENTS, Judgement), LazyShards(len(context.shards), make), partial(judged, judge), judge.need,
        servers=judge.engine.stats,
    )  # fmt: skip


def checks(judge: PairwiseJudge, prompt: Prompt, chain: Chain) -> list[PairAsk]:
    """The questions about a response and what it was revised to; none where both have the same text."""
    return [
        ask
        for first, second in round_robin([chain.original, chain.shown])
        for ask in judge.asks_under(prompt, first, second, chain.principles)
    ]


def revised_chains(run: Run, prompts: Sequence[Prompt], shard: int) -> Iterator[tuple[Prompt, Chain]]:
    """Every response of a shard that has a usable revision, in the order of the prompts, then of the ids."""
    found = [(prompt, chain) for prompt, chain in chains_of(run, prompts, shard) if chain.principles]
    place = {prompt.id: number for number, prompt in enumerate(prompts)}
    yield from sorted(found, key=lambda one: (place[one[0].id], one[1].original.id))


def last_revisions(run: Run, prompts: Sequence[Prompt], shard: int) -> Iterator[tuple[Prompt, Sample, Sample]]:
    """(prompt, original, last revision as a sample) of `revised_chains`."""
    for prompt, chain in revised_chains(run, prompts, shard):
        yield prompt, chain.original, chain.shown


def _derive(context: Context) -> None:
    """Every chain is judged by itself: revisions of two samples of a prompt were never compared. Pairs of a prompt share its weight."""
    judged = context.run.stage(JUDGEMENTS, Judgement)
    told = context.run.stage(PREFERENCES, Preference)
    chosen = context.run.stage(PAIRS, PreferencePair)
    labelling = labelling_for(context)
    preferences = total = 0
    for number, prompts in enumerate(context.shards):
        found = preferences_of(prompts, judged.records(number, ok=None), context.constitution)
        pairs = [
            replace(pair, source=SOURCE)
            for one in found
            for pair in choose(
                rank(one.prompt_id, [one]), [one], context.config.pairs, context.config.seed, labelling=labelling
            ).pairs
        ]
        shares = Counter(pair.prompt_id for pair in pairs)
        told.replace(number, [Row(content_id(PREFERENCES, one.a_id, one.b_id), one, ok=True) for one in found])
        weighed = [replace(pair, weight=1.0 / shares[pair.prompt_id]) for pair in pairs]
        chosen.replace(number, [Row(pair.id, pair, ok=True) for pair in weighed])
        preferences, total = preferences + len(found), total + len(pairs)
    told.plan(preferences)
    chosen.plan(total)
