"""Judging by a judge that is not asked about pairs: one job of its questions, and what its answers come to.

A rating, listwise or proposition judge makes all questions of a prompt at once, and none depends on an answer, so there is no schedule
and one wave. Its answers are a stage of their own (`ratings`, `listings`). Rankings are then told as votes in the judgements' stage,
derived data that is made anew whenever the rankings are read; ratings become preferences without a judgement (`preferences_heard`).
Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from constitution.model import Constitution
from generate.context import Context, Step
from generate.jobs import Address, Job, Part
from generate.report.source import as_mapping
from generate.schedule import field_of
from generate.shards import LazyShards
from generate.spending import JUDGE, need
from judges.kinds.byprompt import LISTINGS, RATINGS, PromptJudge
from judges.kinds.listwise import votes
from judges.kinds.rated import Weights, preferences_of_propositions, preferences_of_ratings
from tenet.budget import Spent
from tenet.config import as_json
from tenet.ids import Json, digest
from tenet.records import Judgement, Listing, Outcome, Preference, Prompt, Rating, Sample
from tenet.runconfig import JudgeConfig
from tenet.runs import Row, Run
from tenet.workers.local import Task

RATED: Final = frozenset({"rating", "propositions"})
"""The kinds whose answers are ratings: no order is shown."""
R = TypeVar("R", Rating, Listing)


def prompt_job(context: Context, judge: PromptJudge[Any, Any]) -> Job[Any, Any]:
    """All questions of a run; in a shard those about equally many responses together, which share a schema."""

    def make(shard: int) -> list[Task[Any]]:
        samples = context.samples(shard)
        fields = [(prompt, field_of(samples.get(prompt.id, ())).samples) for prompt in context.shards[shard]]
        asks = (ask for prompt, own in sorted(fields, key=lambda one: len(one[1])) for ask in judge.asks(prompt, own))
        return [Task(ask.record_id, ask) for ask in asks]

    title = "ranking" if judge.stage == LISTINGS else "rating"
    stage = context.run.stage(judge.stage, judge.record_type)
    return Job(
        Address(Part.JUDGEMENTS), Step.JUDGEMENTS, JUDGE, title, stage, LazyShards(len(context.shards), make),
        partial(answered, judge), need(judge.params), plan=_plan(context, judge), servers=judge.engine.stats,
    )  # fmt: skip


def answered(judge: PromptJudge[Any, R], tasks: Iterable[Task[Any]]) -> Iterator[Row[R]]:
    """Ask a judge, as it has room for tasks."""
    for found in judge.stream(task.payload for task in tasks):
        yield Row(found.id, found, ok=found.outcome is not Outcome.ERROR, reason=found.reason)


def check_prompt_judge(context: Context, judge: PromptJudge[Any, Any], shards: Iterable[int]) -> tuple[str, Spent]:
    """Ask about the first prompts; gives a line for people, and what that took.

    Raises:
        JudgeUnfit: the judge does not answer as it is asked to.
    """
    summary, found = judge.preflight(prompt_cases(context, shards))
    return summary, sum((Spent.of(one) for one in found), Spent())


def prompt_cases(context: Context, shards: Iterable[int]) -> Iterator[tuple[Prompt, Sequence[Sample]]]:
    """The prompts with their responses, for the pre-flight."""
    for number in shards:
        samples = context.samples(number)
        for prompt in context.shards[number]:
            yield prompt, field_of(samples.get(prompt.id, ())).samples


def write_votes(run: Run, shards: int) -> None:
    """Tell a run's rankings as votes: the judgements of every shard are made anew from them. Runs without rankings are left alone."""
    if LISTINGS not in run.manifest.stages:
        return
    told, stage = run.stage(LISTINGS, Listing), run.stage(Step.JUDGEMENTS, Judgement)
    total = 0
    for number in range(shards):
        found = [vote for one in told.records(number) for vote in votes(one)]
        stage.replace(number, [Row(vote.id, vote, ok=True) for vote in found])
        total += len(found)
    stage.plan(total)


def kind_of(config: Mapping[str, Json]) -> str:
    """The kind of judge that a run's configuration names."""
    return str(as_mapping(config.get("judge")).get("kind") or "pairwise")


def weights_of(config: JudgeConfig | Mapping[str, Json]) -> Weights | None:
    """The fitted weights that a judge's configuration names; None where it names none.

    Raises:
        MissingInput, InvalidInput: see `Weights.read`.
    """
    named = config.weights if isinstance(config, JudgeConfig) else config.get("weights")
    return Weights.read(Path(str(named))) if named else None


def preferences_rated(
    run: Run, shard: int, kind: str, prompts: Sequence[Prompt], constitution: Constitution, weights: Weights | None
) -> list[Preference]:
    """The preferences that a shard's ratings come to, in the order of its prompts.

    Raises:
        UsageError: see `judges.kinds.rated.preferences_of_propositions`.
    """
    place = {prompt.id: number for number, prompt in enumerate(prompts)}
    told = [one for one in run.stage(RATINGS, Rating).records(shard) if one.prompt_id in place]
    found = (
        preferences_of_ratings(told, constitution)
        if kind == "rating"
        else preferences_of_propositions(told, constitution, weights)
    )
    return sorted(found, key=lambda one: (place[one.prompt_id], one.a_id, one.b_id))


def _plan(context: Context, judge: PromptJudge[Any, Any]) -> str:
    """A name for everything that the questions depend on."""
    run, config = context.run, context.config
    states: list[Json] = [run.stage(Step.PROMPTS, Prompt).state, run.stage(Step.SAMPLES, Sample).state]
    return digest([judge.fingerprint, context.constitution.digest, config.seed, as_json(config.judge), *states])
