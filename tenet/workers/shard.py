"""The worker: settles shards, whoever schedules them. It hands out what is owed as one stream, records each group of answers, asks
failures again, and publishes every shard that is settled.

Work takes tasks when it has room for them and may answer in any order, so that a slow answer holds nobody up. A task is in memory
from when it is handed out until its answer is recorded; how many that are is the work's choice, and does not grow with the plan.

The worker owns durability: a row counts once `Stage.put` has returned. Knows nothing of models or of schedulers.
"""

from __future__ import annotations

import contextlib
import gc
import time
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from tenet.errors import StorageFailed, TenetError
from tenet.runs import Row, Stage
from tenet.runs.codec import R
from tenet.workers.survey import T, Task, distinct

Work = Callable[[Iterable[Task[T]]], Iterable[Row[R]]]
"""Answers tasks: one row each, in any order. It takes a task from the iterable when it has room for it."""

GROUP_ROWS = 256
GROUP_SECONDS = 0.25
FILLING_UP = 32
FILLING_UP_SLOWLY = 8, 0.05
"""Tasks that the work takes without an answer in between, after which it may be busy for long: so many at once, or fewer when so many
seconds have passed since the last commit."""

_COLLECT_EVERY = 10_000
"""New objects after which the garbage collector looks at them; Python's own default is 700."""


class Stopped(Exception):
    """The worker was asked to stop and has recorded what it had."""


@dataclass(frozen=True)
class Watch(Generic[R]):
    """What a worker tells its scheduler: rows just recorded, tasks in flight, a shard settled; and whether it should stop."""

    recorded: Callable[[Sequence[Row[R]]], None]
    in_flight: Callable[[int], None]
    settled: Callable[[int, Sequence[str]], object]
    stopping: Callable[[], bool]


@dataclass
class _Open(Generic[T]):
    """A shard at work: its tasks by key, how many of those handed out are not answered yet, and whether all have been handed out."""

    tasks: dict[str, Task[T]]
    unanswered: int = 0
    whole: bool = True


class ShardWorker(Generic[T, R]):
    """Settles shards of a stage with a piece of work. `retries` is how often a failed task is asked again.

    `elsewhere` are keys whose rows stand in other shards than the plan would put them; `retry_failed` gives tasks that were given up
    before a fresh allowance. Failures are asked again when all else is answered, so that a fault that passes has time to pass; with
    `again_after`, those of a shard once so many other shards have been begun, so that somebody who waits for whole shards gets them.
    """

    def __init__(
        self,
        stage: Stage[R],
        work: Work[T, R],
        watch: Watch[R],
        *,
        retries: int,
        elsewhere: frozenset[str] = frozenset(),
        retry_failed: bool = False,
        again_after: int | None = None,
    ) -> None:
        self._stage = stage
        self._work = work
        self._watch = watch
        self._most = retries + 1
        self._elsewhere = elsewhere
        self._retry_failed = retry_failed
        self._open: dict[int, _Open[T]] = {}
        self._shard_of: dict[str, int] = {}  # of every task that is handed out and not answered
        self._allowed: dict[int, dict[str, int]] = {}  # attempts after which a task that failed before is given up
        self._again_after = again_after
        self._begun = 0
        self._unsettled: dict[int, int] = {}  # shards with failures to ask again, and how many had been begun then

    def settle(self, shards: Iterable[int], tasks_of: Callable[[int], Iterable[Task[T]]]) -> None:
        """Work until every task of these shards is recorded or given up, and publish them; `tasks_of` makes a shard's tasks, the same
        every time.

        Raises:
            Stopped: the watch said so; everything answered is recorded.
            TenetError: the engine, the disk or the input failed as a whole; everything answered is recorded.
        """
        with _rarer_collections():
            self._settle(shards, tasks_of)

    def _settle(self, shards: Iterable[int], tasks_of: Callable[[int], Iterable[Task[T]]]) -> None:
        owed = self._in_turn(shards)
        while True:
            source = _Source(task for number in owed for task in self._hand_out(number, tasks_of(number)))
            self._drain(source)
            if self._watch.stopping() and source.cut:
                raise Stopped
            if not self._unsettled:
                break
            owed, self._unsettled = iter(list(self._unsettled)), {}
        self._watch.in_flight(0)

    def _in_turn(self, shards: Iterable[int]) -> Iterator[int]:
        """The shards, and between them those whose failures are due again."""
        for number in shards:
            self._begun += 1
            yield number
            if self._again_after is not None:
                due = [one for one, since in self._unsettled.items() if self._begun - since >= self._again_after]
                for one in due:
                    del self._unsettled[one]
                    yield one

    def _drain(self, source: _Source[T]) -> None:
        """Let the work answer a stream of tasks, anew where it left off too early.

        Raises:
            RuntimeError: the work takes no task.
        """
        while not source.ended:
            before = source.taken
            self._ask(source, {})
            if source.taken == before and not source.ended:
                raise RuntimeError(f"stage {self._stage.name}: the work took none of the tasks that it was offered")
        if source.failure is not None:
            raise source.failure

    def _hand_out(self, number: int, tasks: Iterable[Task[T]]) -> Iterator[Task[T]]:
        """What is owed of a shard."""
        return self._rest(number, tasks) if self._stage.holds(number) else self._fresh(number, tasks)

    def _fresh(self, number: int, tasks: Iterable[Task[T]]) -> Iterator[Task[T]]:
        """A shard without rows: its tasks as they are made. A key in flight for another shard waits for the next round."""
        shard = self._open[number] = _Open[T]({}, whole=False)
        for task in tasks:
            if task.key in shard.tasks or task.key in self._elsewhere:
                continue
            shard.tasks[task.key] = task
            if task.key in self._shard_of:
                continue
            if self._watch.stopping():
                raise Stopped
            shard.unanswered += 1
            self._shard_of[task.key] = number
            yield task
        shard.whole = True
        if not shard.unanswered:
            self._close(number)

    def _rest(self, number: int, tasks: Iterable[Task[T]]) -> Iterator[Task[T]]:
        """A shard with rows: what they do not settle."""
        wanted = {key: task for key, task in distinct(tasks).items() if key not in self._elsewhere}
        if self._retry_failed and number not in self._allowed:
            failed = self._stage.failures(number)
            self._allowed[number] = {key: failed[key].attempts + self._most for key in wanted if key in failed}
        # A key in flight for another shard waits for the next round.
        owed = [wanted[key] for key in self._owed(number, wanted) if key not in self._shard_of]
        if owed and self._stage.published(number):
            self._stage.reopen(number)
        self._open[number] = _Open(wanted, len(owed))
        if not owed:
            self._close(number)
        for task in owed:
            if self._watch.stopping():
                raise Stopped
            self._shard_of[task.key] = number
            yield task

    def _owed(self, number: int, wanted: Collection[str]) -> list[str]:
        """The keys that have no success on the books and may still be asked."""
        recorded = self._stage.keys(number)
        missing = [key for key in wanted if not recorded.get(key)]
        if not missing:
            return []
        failed = self._stage.failures(number)
        allowed = self._allowed.get(number, {})
        return [key for key in missing if key not in failed or failed[key].attempts < allowed.get(key, self._most)]

    def _close(self, number: int) -> None:
        """Publish a shard that is settled; keep its number for another round where failures may be asked again."""
        wanted = self._open.pop(number).tasks
        if self._owed(number, wanted):
            self._unsettled[number] = self._begun
            return
        self._stage.publish(number)
        self._watch.settled(number, list(wanted))

    def _ask(self, tasks: Iterable[Task[T]], unanswered: dict[str, Task[T]]) -> None:
        """Ask for these tasks and record what comes; those that `tasks` hands out are noted in `unanswered` until then.

        Where the work raises, what it had in hand is halved until the task at fault is alone.
        """
        group = _Group[R](lambda rows: self._record(rows, unanswered))
        try:
            group.gather(self._work(_noting(tasks, unanswered, group)))
        except Exception as error:
            if self._watch.stopping() and not isinstance(error, StorageFailed):
                raise Stopped from error  # Ctrl-C reaches an engine's own processes too
            if isinstance(error, TenetError):
                raise
            rest = list(unanswered.values())
            if len(rest) > 1:
                middle = len(rest) // 2
                self._ask(rest[:middle], distinct(rest[:middle]))
                self._ask(rest[middle:], distinct(rest[middle:]))
                return
            self._record([Row(task.key, None, ok=False, reason=describe(error)) for task in rest], unanswered)
        silent = [Row[R](key, None, ok=False, reason="the work gave no answer") for key in unanswered]
        if silent:
            self._record(silent, unanswered)

    def _record(self, rows: Sequence[Row[R]], unanswered: dict[str, Task[T]]) -> None:
        foreign = {row.key for row in rows if row.key not in unanswered}
        if foreign or len({row.key for row in rows}) < len(rows):
            raise RuntimeError(f"the work answered what was not asked, or twice: {sorted(foreign)[:3]}")
        by_shard: dict[int, list[Row[R]]] = {}
        for row in rows:
            by_shard.setdefault(self._shard_of[row.key], []).append(row)
        for number, group in by_shard.items():
            stored = self._put(number, group)
            for row in stored:
                del unanswered[row.key], self._shard_of[row.key]
            self._watch.recorded(stored)
            shard = self._open[number]
            shard.unanswered -= len(stored)
            if shard.whole and not shard.unanswered:
                self._close(number)
        self._watch.in_flight(len(self._shard_of))

    def _put(self, number: int, rows: Sequence[Row[R]]) -> Sequence[Row[R]]:
        try:
            self._stage.put(number, rows)
        except ValueError:
            rows = [self._storable(row) for row in rows]
            self._stage.put(number, rows)
        return rows

    def _storable(self, row: Row[R]) -> Row[R]:
        """The row, or a failure that says why it cannot be stored."""
        record, ok, reason = row.record, row.ok, row.reason
        try:
            if record is not None:
                self._stage.codec.encode(record)
        except ValueError as error:
            record, ok, reason = None, False, f"the record cannot be stored: {error}"
        return Row(row.key, record, ok, row.attempts, reason.encode("utf-8", "backslashreplace").decode())


@contextlib.contextmanager
def _rarer_collections() -> Iterator[None]:
    """Have Python look for reference cycles less often: tasks and rows come by the thousand and hold none, and the looking took a tenth of
    the time at 2,000 answers a second (`benchmarks.http_judging`).
    """
    first, *others = gc.get_threshold()
    gc.set_threshold(max(first, _COLLECT_EVERY), *others)
    try:
        yield
    finally:
        gc.set_threshold(first, *others)


class _Source(Generic[T]):
    """A stream of tasks that several callers take from in turn. It keeps what goes wrong in making tasks for the end, so that it is not
    taken for a fault of the work; a stop ends it (`cut`).
    """

    def __init__(self, tasks: Iterator[Task[T]]) -> None:
        self._tasks = tasks
        self.taken = 0
        self.ended = self.cut = False
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[Task[T]]:
        return self

    def __next__(self) -> Task[T]:
        if self.ended:
            raise StopIteration
        try:
            task = next(self._tasks)
        except StopIteration:
            self.ended = True
            raise
        except Stopped:
            self.ended = self.cut = True
            raise StopIteration from None
        except Exception as error:
            self.ended, self.failure = True, error
            raise StopIteration from None
        self.taken += 1
        return task


def _noting(tasks: Iterable[Task[T]], handed: dict[str, Task[T]], group: _Group[R]) -> Iterator[Task[T]]:
    for task in tasks:
        handed[task.key] = task
        group.taken()
        yield task
    group.flush()


class _Group(Generic[R]):
    """Answers on their way to the disk, committed in groups: by number, by age, and when the work fills up again, for it may then be busy
    for long.
    """

    def __init__(self, commit: Callable[[Sequence[Row[R]]], None]) -> None:
        self._commit = commit
        self._rows: list[Row[R]] = []
        self._since = time.monotonic()
        self._taken = 0

    def gather(self, rows: Iterable[Row[R]]) -> None:
        """Commit all of these rows; what came before a failure is committed first."""
        try:
            for row in rows:
                self._rows.append(row)
                self._taken = 0
                if len(self._rows) >= GROUP_ROWS or time.monotonic() - self._since >= GROUP_SECONDS:
                    self.flush()
        except BaseException:
            self.flush()
            raise
        finally:
            if isinstance(rows, Generator):  # an error's traceback would keep it, and what it holds, open
                rows.close()
        self.flush()

    def taken(self) -> None:
        """The work has taken a task."""
        self._taken += 1
        few, seconds = FILLING_UP_SLOWLY
        if self._taken == FILLING_UP or (self._taken == few and time.monotonic() - self._since >= seconds):
            self.flush()

    def flush(self) -> None:
        """Commit what there is."""
        self._since = time.monotonic()
        rows, self._rows = self._rows, []
        if rows:
            self._commit(rows)


def describe(error: BaseException) -> str:
    """An unexpected error in one line: its type, its text, and the line of code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
