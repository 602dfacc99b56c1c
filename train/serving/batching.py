"""Puts the rows of many requests into batches for one model, with a bound on how many may wait.

As soon as the model is free it gets what is waiting, up to a batch, so a lone request does not wait for company. A batch that fails is
tried row by row, so that one row which breaks the model fails alone; an engine that is down fails all at once. Over the bound a request
is refused at once, with the seconds after which to try again. Knows neither HTTP nor what a row is.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from tenet.errors import EngineError

T = TypeVar("T")

Score = Callable[[Sequence[T]], list[float | None]]
"""Scores rows in order, in a thread of its own; None where nothing can be said. Never called twice at once."""

LONGEST_WAIT: Final = 30
FAILING_SECONDS: Final = 15.0
_SMOOTHING: Final = 0.2


class Full(Exception):
    """No room for a request now; `again` is in how many seconds there may be."""

    def __init__(self, again: int) -> None:
        super().__init__(f"the queue is full; try again in {again} s")
        self.again = again


class ScoringFailed(Exception):
    """The model failed on a row."""


@dataclass
class Watch:
    """What wants to know what the batcher does; the defaults do nothing."""

    waiting: Callable[[int], None] = lambda _: None
    batch: Callable[[int, float], None] = lambda _rows, _seconds: None
    failed: Callable[[BaseException], None] = lambda _: None


@dataclass
class _Request(Generic[T]):
    """Rows that were sent together, and what is known of them."""

    rows: Sequence[T]
    done: asyncio.Future[list[float | None]]
    scores: list[float | None] = field(init=False)
    owed: int = field(init=False)

    def __post_init__(self) -> None:
        self.scores = [None] * len(self.rows)
        self.owed = len(self.rows)

    def settle(self, place: int, score: float | ScoringFailed | None) -> None:
        if self.done.done():
            return
        if isinstance(score, ScoringFailed):
            self.done.set_exception(score)
            return
        self.scores[place] = score if score is None or math.isfinite(score) else None
        self.owed -= 1
        if not self.owed:
            self.done.set_result(self.scores)


class Batcher(Generic[T]):
    """Scores rows in batches of at most `batch`, of which `queue` may wait. Lives in one event loop: `start`, then `score`, then `close`.

    `weigh` says how large a row is; rows that wait may weigh `weight` together.
    """

    def __init__(
        self, score: Score[T], *, batch: int = 32, queue: int = 4096,
        weigh: Callable[[T], int] = lambda _: 1, weight: int = 256 * 2**20, watch: Watch | None = None,
    ) -> None:  # fmt: skip
        self.batch, self.queue = batch, queue
        self._score, self._weigh, self._weight = score, weigh, weight
        self._watch = watch or Watch()
        self._waiting: deque[tuple[_Request[T], int]] = deque()
        self._held = 0
        self._rate = 0.0
        self._woken = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rewards")
        self._worker: asyncio.Task[None] | None = None
        self._failed_at = -math.inf

    def start(self) -> None:
        """Begin to work."""
        self._worker = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Finish what waits, then stop."""
        self._closing = True
        self._woken.set()
        if self._worker is not None:
            await self._worker
        self._thread.shutdown()

    @property
    def failing(self) -> bool:
        """Whether the last batch failed as a whole, a short while ago."""
        return time.monotonic() - self._failed_at < FAILING_SECONDS

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        return len(self._waiting)

    async def score(self, rows: Sequence[T]) -> list[float | None]:
        """Score rows, in order; None where the source has nothing to say or gave no number.

        Raises:
            Full: there is no room for them now.
            ScoringFailed: the model failed on one of them.
        """
        weight = sum(map(self._weigh, rows))
        if self._waiting and (len(self._waiting) + len(rows) > self.queue or self._held + weight > self._weight):
            raise Full(self._again(len(rows)))
        request = _Request(rows, asyncio.get_running_loop().create_future())
        self._waiting.extend((request, place) for place in range(len(rows)))
        self._held += weight
        self._changed()
        return await request.done

    def _changed(self) -> None:
        self._watch.waiting(len(self._waiting))
        self._woken.set()

    def _again(self, rows: int) -> int:
        over = len(self._waiting) + rows - self.queue
        return min(LONGEST_WAIT, max(1, math.ceil(over / self._rate))) if self._rate else 1

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                if self._closing:
                    return
                self._woken.clear()
                await self._woken.wait()
            await asyncio.sleep(0)  # requests that have arrived with this one join its batch
            await self._one_batch([self._waiting.popleft() for _ in range(min(self.batch, len(self._waiting)))])

    async def _one_batch(self, taken: list[tuple[_Request[T], int]]) -> None:
        rows = [request.rows[place] for request, place in taken]
        self._held -= sum(map(self._weigh, rows))
        self._watch.waiting(len(self._waiting))
        began = time.perf_counter()
        found = await asyncio.get_running_loop().run_in_executor(self._thread, self._scored, rows)
        seconds = time.perf_counter() - began
        rate = len(rows) / max(seconds, 1e-6)
        self._rate = rate if not self._rate else (1 - _SMOOTHING) * self._rate + _SMOOTHING * rate
        self._failed_at = time.monotonic() if all(isinstance(one, ScoringFailed) for one in found) else -math.inf
        self._watch.batch(len(rows), seconds)
        for (request, place), score in zip(taken, found, strict=True):
            request.settle(place, score)

    def _scored(self, rows: list[T]) -> list[float | ScoringFailed | None]:
        try:
            found = self._score(rows)
            if len(found) != len(rows):
                raise ValueError(f"{len(found)} scores of {len(rows)} rows")
        except Exception as error:
            if len(rows) > 1 and not isinstance(error, EngineError):
                return [score for row in rows for score in self._scored([row])]
            self._watch.failed(error)
            return [ScoringFailed(type(error).__name__) for _ in rows]
        return list(found)
