"""The stages that ask a judge: comparisons of samples, critiques of exported ones, and revisions. Knows no model and no file.

Tasks are made in the order of the prompts, all questions of one prompt together, so that a prefix cache holds what they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from constitution.model import Principle
from constitution.select import applying
from generate.context import Context, Step
from generate.schedule import round_robin
from generate.shards import LazyShards
from generate.supersede import supersede
from judges.critique import CritiqueAsk, CritiqueJudge
from judges.pairwise import PairAsk, PairwiseJudge
from judges.preflight import preflight
from tenet.errors import TooManyFailures
from tenet.records import Critique, Judgement, Outcome, PreferencePair, Prompt, Sample, Verdict
from tenet.runs import Row, Stage
from tenet.workers.local import Task, run_stage
from tenet.workers.survey import survey


def comparisons(context: Context, judge: PairwiseJudge) -> LazyShards[PairAsk]:
    """The questions of every shard: each pair of a prompt's comparable samples in both orders."""

    def make(shard: int) -> list[Task[PairAsk]]:
        samples = context.samples(shard)
        return [
            Task(ask.record_id, ask)
            for prompt in context.shards[shard]
            for first, second in round_robin(samples.get(prompt.id, ()))
            for ask in judge.asks(prompt, first, second)
        ]

    return LazyShards(len(context.shards), make)


def judge_all(context: Context, judge: PairwiseJudge) -> None:
    """Ask every comparison that is not recorded; judgements that no question asks for any more are moved aside.

    Raises:
        JudgeUnfit: the first prompts show that the judge does not answer with a label.
        TooManyFailures: more than `max_failures` of the questions got no opinion.
    """
    stage = context.run.stage(Step.JUDGEMENTS, Judgement)
    shards = comparisons(context, judge)
    supersede(context.run, stage, shards)
    if survey(stage, shards).owed:
        context.console.say(preflight(judge, _cases(context)).summary)

    def work(tasks: Sequence[Task[PairAsk]]) -> Iterator[Row[Judgement]]:
        for found in judge.judge([task.payload for task in tasks]):
            yield Row(found.id, found, ok=found.outcome is not Outcome.ERROR, reason=found.reason)

    with context.console.progress("judging") as progress:
        report = run_stage(
            stage, shards, work, batch=context.config.judge.batch or judge.engine.capabilities.batch, progress=progress,
            max_failures=context.config.max_failures, retry_failed=context.retry_failed,
        )  # fmt: skip
    context.note(Step.JUDGEMENTS, report)
    _require_opinions(stage, context.config.max_failures)


def criticise_pairs(context: Context, critic: CritiqueJudge) -> None:
    """Criticise the two responses of each exported pair under the principles that decided it; with `critique: all`, every sample."""
    stage = context.run.stage(Step.CRITIQUES, Critique)
    pairs = context.run.stage(Step.PAIRS, PreferencePair)

    def make(shard: int) -> list[Task[CritiqueAsk]]:
        samples = context.samples(shard)
        wanted = _criticised(context, shard, samples, pairs.records(shard))
        return [
            Task(ask.record_id, ask)
            for prompt, sample, principle in wanted
            for ask in critic.asks(prompt, sample, principle)
        ]

    def work(tasks: Sequence[Task[CritiqueAsk]]) -> Iterator[Row[Critique]]:
        for found in critic.critique([task.payload for task in tasks]):
            yield Row(found.id, found, ok=found.verdict is not Verdict.ERROR, reason=found.reason)

    shards = LazyShards(len(context.shards), make)
    supersede(context.run, stage, shards)
    with context.console.progress("criticising") as progress:
        report = run_stage(
            stage, shards, work, batch=critic.engine.capabilities.batch, progress=progress,
            max_failures=context.config.max_failures, retry_failed=context.retry_failed,
        )  # fmt: skip
    context.note(Step.CRITIQUES, report)


def _criticised(
    context: Context, shard: int, samples: Mapping[str, Sequence[Sample]], pairs: Iterable[PreferencePair]
) -> Iterator[tuple[Prompt, Sample, Principle]]:
    """What is to be criticised in a shard, in the order of its prompts, each response once a principle."""
    principles: dict[tuple[str, str], dict[str, None]] = {}
    for pair in pairs:
        for side in (pair.chosen_id, pair.rejected_id):
            principles.setdefault((pair.prompt_id, side), {}).update(dict.fromkeys(pair.principles))
    whole = context.config.critique == "all"
    for prompt in context.shards[shard]:
        applied = {principle.id: principle for principle in applying(context.constitution, prompt)}
        for sample in samples.get(prompt.id, ()):
            asked = principles.get((prompt.id, sample.id))
            if not sample.usable or (asked is None and not whole):
                continue
            ids = [name for name in asked or applied if name in applied] or list(applied)
            yield from ((prompt, sample, applied[name]) for name in ids)


def _cases(context: Context) -> Iterator[tuple[Prompt, Sample, Sample]]:
    """One pair of each prompt that has one, for the pre-flight."""
    for number, prompts in enumerate(context.shards):
        samples = context.samples(number)
        for prompt in prompts:
            for first, second in round_robin(samples.get(prompt.id, ()))[:1]:
                yield prompt, first, second


def _require_opinions(stage: Stage[Judgement], most: float) -> None:
    """Stop where too many answers were no opinion.

    Raises:
        TooManyFailures: the share of answers without an opinion is over `most`.
    """
    counts = stage.counts()
    without = {name: number for name, number in counts.outcomes.items() if name not in _OPINIONS}
    share = sum(without.values()) / counts.rows if counts.rows else 0.0
    if share > most:
        told = ", ".join(f"{name} {number:,}" for name, number in sorted(without.items()))
        raise TooManyFailures(
            f"{share:.0%} of {counts.rows:,} judgements are no opinion ({told}); at most {most:.0%} may be.",
            hint="look at them with: tenet status; raise max_failures if that is what you expect",
        )


_OPINIONS = frozenset(outcome.value for outcome in Outcome if outcome.is_opinion)
