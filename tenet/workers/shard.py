"""The worker: settles one shard, whoever schedules it. It asks what is owed, records each group of answers,
retries, publishes.

The worker owns durability: a row counts once `Stage.put` has returned. Knows nothing of other shards, of
models or of schedulers.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from tenet.errors import StorageFailed, TenetError
from tenet.runs import Row, Stage
from tenet.runs.codec import R
from tenet.workers.survey import T, Task, distinct

Work = Callable[[Sequence[Task[T]]], Iterable[Row[R]]]

GROUP_ROWS = 256
GROUP_SECONDS = 1.0


class Stopped(Exception):
    """The worker was asked to stop and has recorded what it had."""


@dataclass(frozen=True)
class Watch(Generic[R]):
    """What a worker tells its scheduler: rows just recorded, tasks in flight; and whether it should stop."""

    recorded: Callable[[Sequence[Row[R]]], None]
    in_flight: Callable[[int], None]
    stopping: Callable[[], bool]


class ShardWorker(Generic[T, R]):
    """Settles a stage's shards with a piece of work. `retries` is how often a failed task is asked again."""

    def __init__(self, stage: Stage[R], work: Work[T, R], watch: Watch[R], *, batch: int, retries: int) -> None:
        self._stage = stage
        self._work = work
        self._watch = watch
        self._batch = batch
        self._retries = retries

    def settle(
        self,
        shard: int,
        tasks: Sequence[Task[T]],
        elsewhere: frozenset[str] = frozenset(),
        *,
        retry_failed: bool = False,
    ) -> None:
        """Work until every task of the shard is recorded or given up, then publish the shard.

        Raises:
            Stopped: the watch said so; everything answered is recorded.
            TenetError: the engine, the disk or the input failed as a whole; everything answered is recorded.
        """
        stage = self._stage
        wanted = {key: task for key, task in distinct(tasks).items() if key not in elsewhere}
        allowed = self._allowances(shard, wanted.keys(), retry_failed=retry_failed)
        while owed := self._owed(shard, wanted, allowed):
            if stage.published(shard):
                stage.reopen(shard)
            for start in range(0, len(owed), self._batch):
                if self._watch.stopping():
                    raise Stopped
                self._ask(shard, owed[start : start + self._batch])
        stage.publish(shard)

    def _allowances(self, shard: int, keys: Iterable[str], *, retry_failed: bool) -> dict[str, int]:
        """The attempts after which each task that has failed is given up."""
        most = self._retries + 1
        if not retry_failed:
            return {}
        failed = self._stage.failures(shard)
        return {key: failed[key].attempts + most for key in keys if key in failed}

    def _owed(self, shard: int, wanted: dict[str, Task[T]], allowed: dict[str, int]) -> list[Task[T]]:
        recorded = self._stage.keys(shard)
        missing = [key for key in wanted if not recorded.get(key)]
        if not missing:
            return []
        failed = self._stage.failures(shard)
        return [
            wanted[key]
            for key in missing
            if key not in failed or failed[key].attempts < allowed.get(key, self._retries + 1)
        ]

    def _ask(self, shard: int, tasks: Sequence[Task[T]]) -> None:
        """Ask for these tasks and record what comes; a group that raises is halved until the task at fault is
        alone.
        """
        self._watch.in_flight(len(tasks))
        unanswered = distinct(tasks)
        try:
            for rows in grouped(self._work(tasks)):
                self._record(shard, rows, unanswered)
        except Exception as error:
            if self._watch.stopping() and not isinstance(error, StorageFailed):
                raise Stopped from error  # Ctrl-C reaches an engine's own processes too
            if isinstance(error, TenetError):
                raise
            rest = list(unanswered.values())
            if len(rest) > 1:
                middle = len(rest) // 2
                self._ask(shard, rest[:middle])
                self._ask(shard, rest[middle:])
                return
            self._record(shard, [Row(task.key, None, ok=False, reason=describe(error)) for task in rest], unanswered)
        silent = [Row[R](key, None, ok=False, reason="the work gave no answer") for key in unanswered]
        if silent:
            self._record(shard, silent, unanswered)

    def _record(self, shard: int, rows: Sequence[Row[R]], unanswered: dict[str, Task[T]]) -> None:
        foreign = {row.key for row in rows if row.key not in unanswered}
        if foreign or len({row.key for row in rows}) < len(rows):
            raise RuntimeError(f"the work answered what was not asked, or twice: {sorted(foreign)[:3]}")
        try:
            self._stage.put(shard, rows)
        except ValueError:
            rows = [self._storable(row) for row in rows]
            self._stage.put(shard, rows)
        for row in rows:
            del unanswered[row.key]
        self._watch.recorded(rows)
        self._watch.in_flight(len(unanswered))

    def _storable(self, row: Row[R]) -> Row[R]:
        """The row, or a failure that says why it cannot be stored."""
        record, ok, reason = row.record, row.ok, row.reason
        try:
            if record is not None:
                self._stage.codec.encode(record)
        except ValueError as error:
            record, ok, reason = None, False, f"the record cannot be stored: {error}"
        return Row(row.key, record, ok, row.attempts, reason.encode("utf-8", "backslashreplace").decode())


def grouped(rows: Iterable[Row[R]]) -> Iterator[list[Row[R]]]:
    """Gather rows into groups to commit: by number, by age, and what there is when the source ends or fails."""
    group: list[Row[R]] = []
    since = time.monotonic()
    source = iter(rows)
    failure: BaseException | None = None
    while failure is None:
        try:
            group.append(next(source))
        except StopIteration:
            break
        except BaseException as error:  # what came before it is handed on first
            failure = error
            break
        if len(group) >= GROUP_ROWS or time.monotonic() - since >= GROUP_SECONDS:
            yield group
            group, since = [], time.monotonic()
    if group:
        yield group
    if failure is not None:
        raise failure


def describe(error: BaseException) -> str:
    """An unexpected error in one line: its type, its text, and the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
