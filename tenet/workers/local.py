"""Runs a stage in this process: one worker for all its shards; the engine behind the work does the batching.

`run_stage` asks for what is not recorded and nothing else, keeps the progress line, and ends in one of three
ways: a report, `Interrupted` with the command that goes on, or `TooManyFailures` with the commonest reasons.
Knows nothing of what the work is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic

from tenet.console import Progress
from tenet.errors import Interrupted, TooManyFailures
from tenet.runs import Row, Stage
from tenet.runs.codec import R
from tenet.workers.interrupt import Interruption
from tenet.workers.shard import ShardWorker, Stopped, Watch, Work
from tenet.workers.survey import Survey, T, Task, survey

__all__ = ["StageReport", "Survey", "Task", "Work", "run_stage", "survey"]

HOPELESS = 64
REASONS_SHOWN = 3


@dataclass(frozen=True)
class StageReport:
    """What a stage came to. `planned` = `ok` + `failed`; `asked` counts attempts made now, `seconds` the time
    they took.

    `reasons` counts the failed rows by their last reason.
    """

    planned: int
    ok: int
    failed: int
    asked: int
    seconds: float
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def failure_share(self) -> float:
        """Failed rows over planned ones; 0 for an empty plan."""
        return self.failed / self.planned if self.planned else 0.0


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
) -> StageReport:
    """Settle every task of a plan: `shards[i]` goes to shard i of the stage.

    `work` takes tasks as it has room for them and yields one row a task, in any order; what it yields is
    recorded in groups as it comes. A task whose row is not ok is asked again up to `retries` times, then
    stays on the books as given up; `retry_failed` asks those once more. An exception of `work` is pinned to
    the task that causes it by halving what it had in hand; a `TenetError` ends the stage.

    `plan` names the plan by all that it depends on: a stage that was settled under this name is not looked
    through again, and no task is made.

    Raises:
        Interrupted: Ctrl-C; carries the command that goes on.
        TooManyFailures: more than `max_failures` (a share) of the plan failed, or 64 answers in a row did.
        TenetError: the engine or the disk failed. In every case what was answered is recorded.
    """
    if not retry_failed and stage.settled(plan):
        return _settled_before(stage, progress, max_failures)
    found = survey(stage, shards, retries=retries, retry_failed=retry_failed)
    stage.plan(found.planned, found.strays)
    progress.start(found.planned, found.ok + found.given_up, {} if found.strays else stage.counts().outcomes)
    tally = _Tally(stage, progress, hopeless=max_failures < 1)
    began = time.monotonic()
    with Interruption(progress.say, stage.resume) as interruption:
        watch: Watch[R] = Watch(tally.recorded, progress.in_flight, tally.settled, lambda: interruption.requested)
        worker = ShardWorker(stage, work, watch, retries=retries, elsewhere=found.elsewhere, retry_failed=retry_failed)
        try:
            worker.settle(range(len(shards)), shards.__getitem__)
        except (Stopped, KeyboardInterrupt) as error:
            raise Interrupted("Stopped; everything recorded is kept.", resume=stage.resume) from error
    failed = sum(tally.reasons.values())
    seconds = time.monotonic() - began
    if plan and not found.strays and not found.elsewhere:
        stage.settle(plan)
    report = StageReport(found.planned, found.planned - failed, failed, tally.asked, seconds, dict(tally.reasons))
    return _checked(stage, report, max_failures)


def _settled_before(stage: Stage[R], progress: Progress, max_failures: float) -> StageReport:
    counts = stage.counts()
    progress.start(counts.rows, counts.rows, counts.outcomes)
    reasons: Counter[str] = Counter()
    if counts.failed:
        for number in stage.shards():
            reasons.update(failure.reason for failure in stage.failures(number).values())
    return _checked(stage, StageReport(counts.rows, counts.ok, counts.failed, 0, 0.0, dict(reasons)), max_failures)


def _checked(stage: Stage[R], report: StageReport, max_failures: float) -> StageReport:
    if report.failure_share > max_failures:
        raise _too_many(stage.name, f"{report.failed:,} of {report.planned:,} failed", Counter(report.reasons))
    return report


class _Tally(Generic[R]):
    """Counts what the worker records, for the progress line and the report."""

    def __init__(self, stage: Stage[R], progress: Progress, *, hopeless: bool) -> None:
        self.asked = 0
        self.reasons: Counter[str] = Counter()
        self._stage = stage
        self._progress = progress
        self._hopeless = hopeless
        self._bad_in_a_row = 0
        self._bad: dict[str, str] = {}

    def recorded(self, rows: Sequence[Row[R]]) -> None:
        """Note rows; a failure counts as done only when its shard is settled: it may be asked again."""
        outcomes: Counter[str] = Counter()
        self.asked += len(rows)
        for row in rows:
            if row.ok and row.record is not None:
                outcomes[self._stage.codec.outcome(row.record)] += 1
                self._bad.pop(row.key, None)
                self._bad_in_a_row = 0
            else:
                self._bad_in_a_row += row.key not in self._bad  # those asked again are known to be bad
                self._bad[row.key] = row.reason
        self._progress.advance(outcomes.total(), outcomes)
        if self._hopeless and self._bad_in_a_row >= HOPELESS:
            what = f"the last {self._bad_in_a_row:,} answers all failed"
            raise _too_many(self._stage.name, what, Counter(self._bad.values()))

    def settled(self, shard: int, keys: Sequence[str]) -> None:
        """Note that what has failed in this shard is given up."""
        failures = self._stage.failures(shard)
        self.reasons.update(failures[key].reason for key in keys if key in failures)
        asked_now = sum(self._bad.pop(key, None) is not None for key in keys) if self._bad else 0
        self._progress.advance(asked_now, {"failed": asked_now} if asked_now else {})


def _too_many(stage: str, what: str, reasons: Counter[str]) -> TooManyFailures:
    commonest = "\n".join(f"  {number:>6,}  {reason}" for reason, number in reasons.most_common(REASONS_SHOWN))
    hint = (
        "What succeeded is kept. Mend the cause and ask for the failed ones again (--retry-failed), "
        "or allow more (--set max_failures=SHARE)."
    )
    return TooManyFailures(f"Stage {stage}: {what}. The commonest reasons:\n{commonest}", hint=hint)
