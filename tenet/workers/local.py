"""Runs a stage in this process: one worker for all its shards; the engine behind the work does the batching.

Knows nothing of what the work is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenet.console import Progress
from tenet.runs import Stage
from tenet.runs.codec import R
from tenet.workers.interrupt import Interruption
from tenet.workers.planned import StageReport, Tally, run_plan
from tenet.workers.shard import ShardWorker, Watch, Work
from tenet.workers.survey import Survey, T, Task, survey, tasks_of

__all__ = ["StageReport", "Survey", "Task", "Work", "run_stage", "survey"]


def run_stage(
    stage: Stage[R],
    shards: Sequence[Sequence[Task[T]]],
    work: Work[T, R],
    *,
    progress: Progress,
    retries: int = 2,
    max_failures: float = 0.2,
    retry_failed: bool = False,
    plan: str = "",
    interruption: Interruption | None = None,
    settled: Callable[[int], object] | None = None,
    again_after: int | None = None,
) -> StageReport:
    """Settle every task of a plan: `shards[i]` goes to shard i of the stage.

    `work` takes tasks as it has room for them and yields one row a task, in any order; what it yields is
    recorded in groups as it comes. A task whose row is not ok is asked again up to `retries` times, then
    stays on the books as given up; `retry_failed` asks those once more. An exception of `work` is pinned to
    the task that causes it by halving what it had in hand; a `TenetError` ends the stage.

    `plan` names the plan by all that it depends on: a stage that was settled under this name is not looked
    through again, and no task is made.

    For work that goes on beside other work: `interruption` stops it in place of one of its own, `settled` is told of each shard when
    all of it is recorded and published, and `again_after` is that of `tenet.workers.shard.ShardWorker`.

    Raises:
        Interrupted: Ctrl-C; carries the command that goes on.
        TooManyFailures: more than `max_failures` (a share) of the plan failed, or 64 answers in a row did.
        TenetError: the engine or the disk failed. In every case what was answered is recorded.
    """

    def settle(found: Survey, tally: Tally[R], stopping: Callable[[], bool]) -> None:
        def done(shard: int, keys: Sequence[str]) -> None:
            tally.settled(shard, keys)
            if settled is not None:
                settled(shard)

        watch: Watch[R] = Watch(tally.recorded, progress.in_flight, done, stopping)
        worker = ShardWorker(
            stage,
            work,
            watch,
            retries=retries,
            elsewhere=found.elsewhere,
            retry_failed=retry_failed,
            again_after=again_after,
        )
        worker.settle(range(len(shards)), tasks_of(shards))

    return run_plan(
        stage, shards, settle, progress=progress, retries=retries, max_failures=max_failures,
        retry_failed=retry_failed, plan=plan, interruption=interruption,
    )  # fmt: skip
