"""One worker of several: settles the shards that it is given, one after the other, and says how it gets on. The half of a distributed
scheduler that runs beside the engine.

A `Settler` works in one thread and is talked to from another (`exchange`). It writes only to shards whose lock it holds, and ends its
process when the driver that started it is gone. Knows no scheduler, and of the work only what a `Maker` makes of an order.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, Protocol

import tenet.errors
from tenet.budget import Limits, Spent
from tenet.errors import EngineError, StorageFailed, TenetError
from tenet.runs import Stage
from tenet.runs.codec import R
from tenet.runs.lock import Holder, Locked
from tenet.runs.run import drives
from tenet.workers.planned import Tally
from tenet.workers.shard import ShardWorker, Stopped, Watch, Work
from tenet.workers.survey import T, Task, tasks_of

LOOK_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 60.0
"""A worker at work that hears nothing of its driver for so long takes it for gone, where the run's lock does not tell."""
TAKE_SECONDS: Final = 90.0


@dataclass(frozen=True)
class Order:
    """What a worker is told of a go over a stage: `address` names the work to the maker; the rest is as in
    `tenet.workers.local.run_stage`. `serial` numbers a worker's orders, `limits` are what it may spend on this one.
    """

    address: Any
    serial: int = 0
    retries: int = 2
    elsewhere: frozenset[str] = frozenset()
    retry_failed: bool = False
    hopeless: bool = True
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Made(Generic[T, R]):
    """What a maker makes of an order: where rows go, the tasks by shard, what answers them, what that has cost, and how to let go."""

    stage: Stage[R]
    shards: Sequence[Sequence[Task[T]]]
    work: Work[T, R]
    spent: Callable[[], Mapping[str, Spent]]
    close: Callable[[], None]


class Maker(Protocol):
    """Makes the work of an order anew in whatever process it finds itself; it is pickled to get there."""

    @property
    def folder(self) -> Path:
        """The run folder."""

    @property
    def driver(self) -> Holder:
        """The process that has the run open."""

    def make(self, order: Order) -> Made[Any, Any]:
        """Open the run as one of its workers, and make the work."""

    def call(self, name: str) -> Any:
        """Answer a question that needs a model and no shard."""

    def close(self) -> None:
        """Free all models."""


@dataclass(frozen=True)
class Told:
    """A `TenetError` on its way between processes."""

    kind: str
    text: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: TenetError) -> Told:
        """Write an error down."""
        return cls(type(error).__name__, str(error), error.message, error.hint)

    def error(self) -> TenetError:
        """The same error: its type, its text, its hint."""
        kind = getattr(tenet.errors, self.kind, TenetError)
        error: TenetError = kind.__new__(kind)
        Exception.__init__(error, self.text)
        error.message, error.hint = self.message, self.hint
        return error


@dataclass(frozen=True)
class Report:
    """How a worker gets on with an order; all counts are from its beginning. `settled` has the reasons of what was given up by shard,
    `waiting` counts the shards that it was given and has not begun.
    """

    done: int = 0
    asked: int = 0
    flying: int = 0
    waiting: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    settled: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    spent: Mapping[str, Spent] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a worker's go ended: with everything that it was given settled, stopped, or failed."""

    report: Report
    stopped: bool = False
    failure: Told | None = None


class Settler:
    """Carries orders out, one at a time. With `watch` it ends the process when the driver is gone."""

    def __init__(self, maker: Maker, *, watch: bool = True) -> None:
        self._maker = maker
        self._heard = time.monotonic()
        self._go = _Go(-1)
        self._working = False
        self._changing = threading.Lock()
        if watch:
            threading.Thread(target=self._watch, name="tenet-driver-watch", daemon=True).start()

    def begin(self, order: Order) -> Outcome:
        """Settle the shards that `exchange` gives until it says that there are no more; all that ended is in the outcome's report."""
        self._heard, self._working = time.monotonic(), True
        try:
            made = self._maker.make(order)
            try:
                return self._settle(self._go_of(order.serial), order, made)
            finally:
                made.close()
        except TenetError as error:
            return Outcome(Report(), failure=Told.of(error))
        finally:
            self._working = False

    def exchange(self, serial: int, shards: Sequence[int], *, last: bool, stop: bool) -> Report:
        """Take shards on for an order, learn that there will be no more, or that it is time to stop; and say how it goes."""
        self._heard = time.monotonic()
        go = self._go_of(serial)
        for shard in shards:
            go.given.put(shard)
        if last and not go.last:
            go.last = True
            go.given.put(None)
        go.stop = go.stop or stop
        return go.report()

    def call(self, name: str) -> Any:
        """The maker's answer, or the error that it raised, as `Told`."""
        try:
            return self._maker.call(name)
        except TenetError as error:
            return Told.of(error)

    def close(self) -> None:
        """Free all models."""
        self._maker.close()

    def _settle(self, go: _Go, order: Order, made: Made[T, R]) -> Outcome:
        stage = made.stage
        tally = Tally(stage, go, hopeless=order.hopeless)
        go.asked, go.spent = lambda: tally.asked, made.spent

        def settled(shard: int, keys: Sequence[str]) -> None:
            reasons = tally.settled(shard, keys)
            stage.give_back(shard)
            go.settled[shard] = dict(reasons)

        watch: Watch[R] = Watch(tally.recorded, go.in_flight, settled, lambda: go.stop)
        worker = ShardWorker(
            stage, made.work, watch, retries=order.retries, elsewhere=order.elsewhere, retry_failed=order.retry_failed
        )
        try:
            worker.settle(go.shards(stage), tasks_of(made.shards))
        except Stopped:
            return Outcome(go.report(), stopped=True)
        except TenetError as error:
            return Outcome(go.report(), failure=Told.of(error))
        return Outcome(go.report())

    def _go_of(self, serial: int) -> _Go:
        """The state of an order: either thread may be the first to hear of it."""
        with self._changing:
            if serial > self._go.serial:
                self._go = _Go(serial)
            return self._go if serial == self._go.serial else _Go(serial)

    def _watch(self) -> None:
        """End the process when the driver is gone: nobody would give or hear anything any more, and a new driver waits for it."""
        misses = 0
        while True:
            time.sleep(LOOK_SECONDS)
            misses = 0 if drives(self._maker.folder, self._maker.driver) else misses + 1
            silent = self._working and time.monotonic() - self._heard > SILENCE_SECONDS
            if misses > 1 or silent:
                os._exit(1)


class _Go:
    """The state of one order, shared by the thread that works and the one that talks."""

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.given: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.last = self.stop = False
        self.settled: dict[int, dict[str, int]] = {}
        self.asked: Callable[[], int] = lambda: 0
        self.spent: Callable[[], Mapping[str, Spent]] = dict
        self._done = self._flying = 0
        self._outcomes: Counter[str] = Counter()

    def shards(self, stage: Stage[Any]) -> Iterator[int]:
        """The shards as they are given, each taken before it is handed on.

        Raises:
            Stopped: it is time to stop.
        """
        while True:
            try:
                number = self.given.get(timeout=0.05)
            except queue.Empty:
                if self.stop:
                    raise Stopped from None
                continue
            if number is None:
                return
            _take(stage, number, lambda: self.stop)
            yield number

    def advance(self, count: int, outcomes: Mapping[str, int] | None = None) -> None:
        """As `tenet.console.Progress.advance`."""
        self._done += count
        self._outcomes.update(outcomes or {})

    def in_flight(self, count: int) -> None:
        """As `tenet.console.Progress.in_flight`."""
        self._flying = count

    def report(self) -> Report:
        """How it goes, now."""
        waiting = max(0, self.given.qsize() - self.last)
        # Copies: the working thread goes on while this is on its way.
        return Report(
            self._done,
            self.asked(),
            self._flying,
            waiting,
            dict(self._outcomes),
            dict(self.settled),
            dict(self.spent()),
        )


def _take(stage: Stage[Any], shard: int, stopping: Callable[[], bool]) -> None:
    """Take a shard, waiting for an earlier worker that was given up for dead and has not ended yet.

    Raises:
        StorageFailed: it is still held after a while.
    """
    until = time.monotonic() + TAKE_SECONDS
    while True:
        try:
            stage.take(shard)
        except Locked as error:
            if stopping():
                raise Stopped from None
            if time.monotonic() > until:
                holder = error.holder
                who = f"process {holder.pid} on {holder.host}" if holder else "another process"
                raise StorageFailed(
                    f"Shard {shard} of {stage.path} is still written by {who}.", hint="End it."
                ) from error
            time.sleep(LOOK_SECONDS)
        else:
            return


def lost(name: str, deaths: int, last: str) -> EngineError:
    """The error for workers that end again and again without getting anything done; `last` is what was heard of the last death."""
    return EngineError(
        f"Stage {name}: workers ended {deaths} times in a row without recording anything; everything before is kept. "
        f"The last one: {' '.join(last.split())[:400]}",
        hint="Look for the reason in Ray's logs (out of memory is the commonest): ray list actors --detail",
    )
