"""One go over a stage's plan, whoever does the work: what is owed is surveyed, a scheduler has it settled, and what came of it is
reported.

Ends in one of three ways: a report, `Interrupted` with the command that goes on, or `TooManyFailures` with the commonest reasons. Knows
nothing of what the work is, or where it is done.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Generic, Protocol

from tenet.console import Progress
from tenet.errors import Interrupted, TooManyFailures
from tenet.runs import Row, Stage
from tenet.runs.codec import R
from tenet.workers.interrupt import Interruption
from tenet.workers.shard import Stopped
from tenet.workers.survey import Survey, T, Task, survey

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


class Sink(Protocol):
    """Who is told how the work goes on; `tenet.console.Progress` is one."""

    def advance(self, count: int, outcomes: Mapping[str, int] | None = None) -> None:
        """Note finished work and how it ended."""

    def in_flight(self, count: int) -> None:
        """Note how much is being worked on."""


Settle = Callable[[Survey, "Tally[R]", Callable[[], bool]], None]
"""Has every task of a plan settled that the survey finds owed, and noted in the tally; asked to stop, it raises `Stopped` when what was in
hand is recorded."""


def run_plan(
    stage: Stage[R],
    shards: Sequence[Sequence[Task[T]]],
    settle: Settle[R],
    *,
    progress: Progress,
    retries: int = 2,
    max_failures: float = 0.2,
    retry_failed: bool = False,
    plan: str = "",
    interruption: Interruption | None = None,
) -> StageReport:
    """Settle a plan by `settle`; the other arguments and the errors are those of `tenet.workers.local.run_stage`."""
    if not retry_failed and stage.settled(plan):
        return _settled_before(stage, progress, max_failures)
    found = survey(stage, shards, retries=retries, retry_failed=retry_failed)
    stage.plan(found.planned, found.strays)
    progress.start(found.planned, found.ok + found.given_up, {} if found.strays else stage.counts().outcomes)
    tally = Tally(stage, progress, hopeless=max_failures < 1)
    began = time.monotonic()
    watched = Interruption(progress.say, stage.resume) if interruption is None else nullcontext(interruption)
    with watched as asked:
        try:
            settle(found, tally, lambda: asked.requested)
        except (Stopped, KeyboardInterrupt) as error:
            raise Interrupted("Stopped; everything recorded is kept.", resume=stage.resume) from error
    failed = sum(tally.reasons.values())
    seconds = time.monotonic() - began
    if plan and not found.strays and not found.elsewhere:
        stage.settle(plan)
    report = StageReport(found.planned, found.planned - failed, failed, tally.asked, seconds, dict(tally.reasons))
    return checked(stage, report, max_failures)


def _settled_before(stage: Stage[R], progress: Progress, max_failures: float) -> StageReport:
    counts = stage.counts()
    progress.start(counts.rows, counts.rows, counts.outcomes)
    reasons: Counter[str] = Counter()
    if counts.failed:
        for number in stage.shards():
            reasons.update(failure.reason for failure in stage.failures(number).values())
    return checked(stage, StageReport(counts.rows, counts.ok, counts.failed, 0, 0.0, dict(reasons)), max_failures)


def checked(stage: Stage[R], report: StageReport, max_failures: float) -> StageReport:
    """The report, if not too much of its plan has failed.

    Raises:
        TooManyFailures: more than `max_failures` of it has.
    """
    if report.failure_share > max_failures:
        raise _too_many(stage.name, f"{report.failed:,} of {report.planned:,} failed", Counter(report.reasons))
    return report


class Tally(Generic[R]):
    """Counts what a worker records, for the progress line and the report."""

    def __init__(self, stage: Stage[R], progress: Sink, *, hopeless: bool) -> None:
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

    def settled(self, shard: int, keys: Sequence[str]) -> Counter[str]:
        """Note that what has failed in this shard is given up; gives the reasons."""
        failures = self._stage.failures(shard)
        reasons = Counter(failures[key].reason for key in keys if key in failures)
        self.reasons.update(reasons)
        asked_now = sum(self._bad.pop(key, None) is not None for key in keys) if self._bad else 0
        self._progress.advance(asked_now, {"failed": asked_now} if asked_now else {})
        return reasons


def _too_many(stage: str, what: str, reasons: Counter[str]) -> TooManyFailures:
    commonest = "\n".join(f"  {number:>6,}  {reason}" for reason, number in reasons.most_common(REASONS_SHOWN))
    hint = (
        "What succeeded is kept. Mend the cause and ask for the failed ones again (--retry-failed), "
        "or allow more (--set max_failures=SHARE)."
    )
    return TooManyFailures(f"Stage {stage}: {what}. The commonest reasons:\n{commonest}", hint=hint)
