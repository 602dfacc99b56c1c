"""One stream of requests through a client: a sliding window over all servers, retries, and results as they are ready.

The caller's thread puts jobs in and takes results out (`Inbox`, `Outbox`); everything else runs in the loop. A job that waits to be asked
again holds no place in a window. Knows no engine: what is asked and what an answer means is the plan's.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from tenacity import AsyncRetrying, retry_if_exception

from engines.base import Request
from engines.http_affinity import Homes, Waiting
from engines.http_client import Client, Endpoint
from engines.http_failures import Failure, Trouble, together
from engines.http_loop import Inbox, LoopThread, Outbox
from engines.http_retries import Patience, Rules, worth_another_try
from engines.http_window import Window
from tenet.errors import TenetError

R = TypeVar("R")
P_co = TypeVar("P_co", covariant=True)

_now = time.monotonic


class Plan(Protocol[P_co]):
    """What is asked, and what an answer means."""

    @property
    def path(self) -> str:
        """The path under the base URL."""
        ...

    def encode(self, requests: Sequence[Request]) -> bytes:
        """The JSON body that asks for all of these."""
        ...

    def decode(self, answer: dict[str, Any], requests: Sequence[Request]) -> Sequence[P_co | Failure]:
        """One result a request, in order; a failure for each whose part of the answer is malformed.

        Raises:
            Failure: the answer as a whole is malformed.
        """
        ...

    def failed(self, request: Request, words: str) -> P_co:
        """The result of a request that got no answer."""
        ...


@dataclass(slots=True)
class Job:
    """Requests that go out together, with their places in the stream, and the place of the server that they should go to."""

    places: Sequence[int]
    requests: Sequence[Request]
    body: bytes
    home: int | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """One server as this stream uses it."""

    endpoint: Endpoint
    window: Window

    def open(self, now: float) -> bool:
        """Whether a request may go out; one at a time to a server that has just been down."""
        if self.endpoint.down:
            return now >= self.endpoint.rests_until and self.window.in_flight == 0
        return self.window.room > 0


class Flow(Generic[R]):
    """A stream at work. `dead` makes the error that ends it out of a failure that no other request can escape either."""

    def __init__(
        self,
        thread: LoopThread,
        client: Client,
        plan: Plan[R],
        windows: Sequence[Window],
        most: int,
        patience: Patience,
        dead: Callable[[Endpoint, Failure], TenetError],
    ) -> None:
        self.inbox: Inbox[Sequence[tuple[int, R]] | BaseException] = Inbox()
        self._outbox: Outbox[Job] = Outbox(thread, self._pump)
        self._thread = thread
        self._client = client
        self._plan = plan
        self._lanes = [Lane(*pair) for pair in zip(client.endpoints, windows, strict=True)]
        self._waiting: Waiting[Job] = Waiting(len(self._lanes), most)
        self.homes = Homes([endpoint.base for endpoint in client.endpoints])
        self._most = most
        self._patience = patience
        self._dead = dead
        self._first = client.limits.attempt(client.limits.deadline)
        self._in_flight = 0
        self._sleeping = 0
        self._waiters: deque[asyncio.Future[Lane]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._ended = False

    # The caller's side

    @property
    def appetite(self) -> int:
        """How many jobs may be taken and unanswered: a window in flight, another ready to follow, and those that wait for a retry."""
        window = min(self._most, sum(lane.window.limit for lane in self._lanes))
        return 2 * window + min(self._sleeping, 2 * window)

    def put(self, job: Job) -> None:
        """Send a job when there is room for it."""
        self._outbox.put(job)

    def close(self) -> None:
        """Cancel what is in flight; harmless when nothing is."""
        self._thread.post(self._end)

    # The loop's side

    def _pump(self) -> None:
        """Start as many requests as there is room for; those that were tried before go first."""
        while not self._ended and self._in_flight < self._most:
            now = _now()
            lane = self._lane(now)
            if lane is None:
                return
            while self._waiters and self._waiters[0].done():
                self._waiters.popleft()
            if self._waiters:
                self._take(lane, now)
                self._waiters.popleft().set_result(lane)
                continue
            found = self._next(lane, now)
            if found is None:
                return
            lane, job = found
            self._take(lane, now)
            self._spawn(self._run(job, lane))

    def _next(self, lane: Lane, now: float) -> tuple[Lane, Job] | None:
        """A job that was never tried and the server that it goes to, of several its own if there is room; `lane` is one with room."""
        if len(self._lanes) == 1:
            job = self._outbox.take()
            return None if job is None else (lane, job)
        while (job := self._outbox.take()) is not None:
            self._waiting.put(job)
        found = self._waiting.take([
            (place, lane.window.in_flight / lane.window.limit, lane.window.in_flight)
            for place, lane in enumerate(self._lanes)
            if lane.open(now)
        ])  # fmt: skip
        return None if found is None else (self._lanes[found[0]], found[1])

    def _lane(self, now: float) -> Lane | None:
        """The server with the emptiest window; None, and an alarm if a rest will end, where none is open."""
        lanes = self._lanes
        if len(lanes) == 1 and lanes[0].open(now):
            return lanes[0]
        found = min(
            (lane for lane in lanes if lane.open(now)),
            key=lambda lane: lane.window.in_flight / lane.window.limit,
            default=None,
        )
        resting = [until for lane in lanes if (until := lane.endpoint.rests_until) > now]
        if resting and self._alarm is None:
            self._alarm = self._thread.loop.call_later(min(resting) - now, self._ring)
        return found

    def _ring(self) -> None:
        self._alarm = None
        self._pump()

    def _take(self, lane: Lane, now: float) -> None:
        self._in_flight += 1
        lane.window.started(now)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._thread.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job, lane: Lane | None) -> None:
        """Ask a job until it has its results; `lane` is a place in a window that was taken for it."""
        began, alone = _now(), lane is None
        try:
            if lane is None:
                lane = await self._slot()
            failure = await self._attempt(job, lane, self._first, again=alone)
            if failure is not None:
                await self._again(job, failure, began)
        except Exception as error:
            self._stop(error)

    async def _slot(self) -> Lane:
        """A place in a window, ahead of jobs that were never tried."""
        waiter: asyncio.Future[Lane] = self._thread.loop.create_future()
        self._waiters.append(waiter)
        self._pump()
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._in_flight -= 1
                waiter.result().window.abandoned()
            raise

    async def _attempt(self, job: Job, lane: Lane, timeout: Any, *, again: bool) -> Failure | None:
        """Ask once, in a place that was taken, and hand the results over; what is left to do is the failure, if any.

        Raises:
            Exception: what ends the stream.
        """
        endpoint, began = lane.endpoint, _now()
        endpoint.log.started(began, again=again)
        try:
            answer = await self._client.post(endpoint.url(self._plan.path), job.body, timeout)
            results = self._plan.decode(answer, job.requests)
        except Failure as failure:
            now = _now()
            self._in_flight -= 1
            lane.window.finished(now)
            endpoint.log.failed()
            if failure.trouble is Trouble.DOWN:
                endpoint.failed(now, failure)
            else:
                endpoint.well()
            if failure.trouble is Trouble.BUSY:
                lane.window.pushed_back(began, now)
            if failure.trouble is Trouble.FATAL:
                raise self._dead(endpoint, failure) from None
            self._pump()
            return failure
        except BaseException:
            self._in_flight -= 1
            lane.window.abandoned()
            endpoint.log.cancelled()
            raise
        now = _now()
        self._in_flight -= 1
        lane.window.finished(now)
        if any(isinstance(result, Failure) for result in results):
            endpoint.log.failed()
        else:
            endpoint.log.answered(began, now)
        if endpoint.down:
            endpoint.well()
        spoilt = self._deliver(job, results)
        self._pump()
        return spoilt

    def _deliver(self, job: Job, results: Sequence[R | Failure]) -> Failure | None:
        """Hand the good results over. A malformed one of several is asked alone; that of a single request is the failure."""
        if len(results) == 1:
            if isinstance(results[0], Failure):
                return results[0]
            self.inbox.put(((job.places[0], results[0]),))
            return None
        good: list[tuple[int, R]] = []
        for place, request, result in zip(job.places, job.requests, results, strict=True):
            if isinstance(result, Failure):
                self._alone(place, request)
            else:
                good.append((place, result))
        if good:
            self.inbox.put(good)
        return None

    def _alone(self, place: int, request: Request) -> None:
        self._spawn(self._run(Job((place,), (request,), self._plan.encode([request])), None))

    async def _again(self, job: Job, failure: Failure, began: float) -> None:
        """Try a job again as its failures allow, then give it up.

        Raises:
            Exception: what ends the stream.
        """
        rules = Rules(self._patience, began + self._client.limits.deadline)
        known: list[Failure] = [failure]

        async def ask() -> None:
            if known:
                raise known.pop()
            left = rules.left()
            try:
                async with asyncio.timeout(left):
                    lane = await self._slot()
            except TimeoutError:
                raise rules.last or failure from None
            found = await self._attempt(job, lane, self._client.limits.attempt(rules.left()), again=True)
            if found is not None:
                raise found

        retrying = AsyncRetrying(
            retry=retry_if_exception(worth_another_try),
            wait=rules.pause,
            stop=rules.over,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            await retrying(ask)
        except Failure as last:
            self._give_up(job, last, rules)

    async def _sleep(self, seconds: float) -> None:
        self._sleeping += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._sleeping -= 1

    def _give_up(self, job: Job, last: Failure, rules: Rules) -> None:
        """Make a failure the result; a failure of several requests may be that of one, so they are asked one by one.

        Raises:
            Exception: nothing could be reached for as long as the deadline allows.
        """
        if last.trouble is Trouble.DOWN or (rules.expired and all(lane.endpoint.down for lane in self._lanes)):
            raise together([self._dead(lane.endpoint, lane.endpoint.last or last) for lane in self._lanes])
        if len(job.requests) > 1:
            for place, request in zip(job.places, job.requests, strict=True):
                self._alone(place, request)
            return
        words = f"{last.words} (asked {rules.tries} times)" if rules.tries > 1 else last.words
        self.inbox.put(((job.places[0], self._plan.failed(job.requests[0], words)),))

    def _stop(self, error: BaseException) -> None:
        if not self._ended:
            self._end()
            self.inbox.put(error)

    def _end(self) -> None:
        self._ended = True
        if self._alarm is not None:
            self._alarm.cancel()
        for task in tuple(self._tasks):
            if task is not asyncio.current_task(self._thread.loop):
                task.cancel()
