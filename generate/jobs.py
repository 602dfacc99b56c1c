"""A job: one go over one stage, described so that this process, or a worker elsewhere, carries out the same thing.

`sampling`, `judging`, `revising` and `revision_pairs` make jobs; `carry_out` runs one, here or on a pool of workers. A job's `Address`
is what `generate.crew` makes it from again in another process. Knows no stage's work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from generate.context import Context, Step
from generate.orders import PositionBias
from generate.shards import LazyShards
from tenet.budget import Limits, Meter, Spent
from tenet.console import Progress
from tenet.errors import TenetError
from tenet.live import told_live
from tenet.runs import Stage
from tenet.runs.codec import R
from tenet.servers import ServerStats
from tenet.workers.local import StageReport, Work, run_stage

T = TypeVar("T")


class Part(StrEnum):
    """The kinds of jobs."""

    SAMPLES = "samples"
    JUDGEMENTS = "judgements"
    CRITIQUES = "critiques"
    ROUND_CRITIQUES = "revision-critiques"
    ROUND_REVISIONS = "revisions"
    REVISION_JUDGEMENTS = "revision-judgements"


@dataclass(frozen=True)
class Address:
    """Which job: its kind, its wave or round from 1, for samples the policy's name, and for later waves the position bias that they
    go by.
    """

    part: Part
    number: int = 1
    policy: str = ""
    bias: PositionBias | None = None


@dataclass(frozen=True)
class Job(Generic[T, R]):
    """The tasks of a stage by shard, what answers them (`work`, not yet metered), and what a task needs of a budget; `plan` as in
    `tenet.workers.local.run_stage`, `servers` what is told of those that are asked here.
    """

    address: Address
    step: Step
    role: str
    title: str
    stage: Stage[R]
    shards: LazyShards[T]
    work: Work[T, R]
    need: Callable[[T], tuple[int, int]]
    plan: str = ""
    retries: int = 2
    servers: Callable[[], Sequence[ServerStats]] = tuple

    def metered(self, meter: Meter) -> Work[T, R]:
        """The work, counted and held to the meter's limits."""
        return meter.watched(self.step, self.role, self.work, self.need)


@dataclass(frozen=True)
class MeteredAccount:
    """What workers elsewhere spend, on this command's meter."""

    meter: Meter
    step: str
    role: str

    def left(self) -> Limits:
        """The limits, with what has been spent so far."""
        meter, limits = self.meter, self.meter.limits
        return Limits(
            limits.max_tokens, limits.max_cost, limits.currency, limits.spent + meter.tokens, limits.cost + meter.cost
        )

    def cost(self, spent: Spent) -> float:
        """By the prices of the role."""
        return spent.cost(self.meter.prices.get(self.role))

    def spend(self, step: str, spent: Spent) -> None:
        """Count what calls took."""
        self.meter.add(step, self.role, spent)

    def reached(self) -> TenetError:
        """The error at the limit."""
        return self.meter.reached(self.step)


@contextlib.contextmanager
def told(context: Context, job: Job[T, R]) -> Iterator[Progress]:
    """A job's progress, shown on the console and told to those who look on; jobs of different stages may be told at once."""
    with (
        context.console.progress(job.title) as progress,
        told_live(
            context.run.path, context.run.driver, job.stage.name, place=list(Step).index(job.step),
            progress=progress, meter=context.meter,
            servers=job.servers if context.pool is None else tuple,  # workers elsewhere have engines of their own
            finished=lambda: {step: (one.asked, one.seconds) for step, one in context.reports.copy().items()},
        ),
    ):  # fmt: skip
        yield progress


def carry_out(context: Context, job: Job[T, R], *, max_failures: float | None = None) -> StageReport:
    """Settle a job's tasks: what other runs hold is taken, the rest is asked, here or by the context's workers; the report is noted.

    Raises:
        TooManyFailures, Interrupted, BudgetReached, TenetError: as `tenet.workers.local.run_stage`; `max_failures` is the
            configuration's unless given.
    """
    most = context.config.max_failures if max_failures is None else max_failures
    if context.library is not None:
        context.library.lend(job, context.console)
    with told(context, job) as progress:
        if context.pool is None:
            report = run_stage(
                job.stage, job.shards, job.metered(context.meter), progress=progress, plan=job.plan,
                retries=job.retries, max_failures=most, retry_failed=context.retry_failed,
            )  # fmt: skip
        else:
            report = context.pool.run_stage(
                job.stage, job.shards, job.address, progress=progress, plan=job.plan, retries=job.retries,
                max_failures=most, retry_failed=context.retry_failed,
                account=MeteredAccount(context.meter, job.step, job.role),
            )  # fmt: skip
    context.note(job.step, report)
    return report
