"""Draws the samples of a few prompts before all others, so that a plan has real lengths to rest on.

The prompts are chosen by content, so any part of the input is as likely as another; the samples are those that the run would draw
anyway, under the same keys, and nothing of them is wasted. Knows no judge.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from functools import partial

from generate.context import Context, Step
from generate.sampling import Draw, Policy, draw, owed, sample_job
from generate.shards import LazyShards
from generate.spending import POLICY
from tenet.ids import content_id
from tenet.records import Prompt, Sample
from tenet.workers.local import Task, run_stage


def chosen(prompts: Iterable[Prompt], count: int, seed: int) -> set[str]:
    """The ids of so many prompts, in an order that looks random and depends on their content alone."""
    return set(
        heapq.nsmallest(count, (prompt.id for prompt in prompts), key=lambda name: content_id("probe", seed, name))
    )


def draw_some(context: Context, policies: Sequence[Policy], count: int) -> None:
    """Draw what is owed of so many prompts from each policy, one model at a time; what other runs have drawn is taken first.

    Raises:
        TooManyFailures: more than `max_failures` of a policy's draws failed.
    """
    stage = context.run.stage(Step.SAMPLES, Sample)
    names = chosen(context.shards.everyone(), count, context.config.seed)

    def tasks(policy: Policy, shard: int) -> list[Task[Draw]]:
        return owed([one for one in context.shards[shard] if one.id in names], policy, context.config.seed)

    for policy in policies:
        if context.library is not None:
            context.library.lend(sample_job(context, policy, alone=False), context.console)
        work = context.meter.watched(Step.SAMPLES, POLICY, partial(draw, policy), policy.need)
        with context.console.progress(f"probing {policy.name}") as progress:
            report = run_stage(
                stage, LazyShards(len(context.shards), partial(tasks, policy)), work, progress=progress,
                max_failures=context.config.max_failures,
            )  # fmt: skip
        context.note(Step.SAMPLES, report)
        policy.engine.close()
    stage.plan(context.shards.total * sum(policy.samples for policy in policies))
