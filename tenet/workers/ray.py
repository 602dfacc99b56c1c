"""Runs stages on actors of a Ray cluster: shard numbers go out, counts come back, and rows never pass through this process.

Each actor holds a `Settler` and an engine of its own. A shard whose actor died goes to another one, and a new actor takes the dead one's
place; what the dead one had recorded is not asked again. Knows nothing of what the work is, and imports Ray when a pool is opened.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import tenet
from tenet.budget import Limits, Spent
from tenet.console import Progress
from tenet.errors import BudgetReached, MissingInput, TenetError, UsageError
from tenet.runconfig import WorkersConfig
from tenet.runs import Stage
from tenet.runs.codec import R
from tenet.workers.planned import StageReport, Tally, run_plan
from tenet.workers.settling import Maker, Order, Outcome, Report, Settler, Told, lost
from tenet.workers.shard import Stopped
from tenet.workers.survey import Survey, T, Task

POLL_SECONDS: Final = 0.1
SLOWEST_POLL_SECONDS: Final = 1.0
AHEAD: Final = 1
"""Shards that an actor has waiting beside those that it works on."""
MOST_DEATHS: Final = 5
SAY_WAITING_SECONDS: Final = 20.0


class Account(Protocol):
    """What the actors spend from."""

    def left(self) -> Limits:
        """What may be spent by all together, and what has been."""

    def cost(self, spent: Spent) -> float:
        """The price of what calls took."""

    def spend(self, step: str, spent: Spent) -> None:
        """Note what calls of a step took."""

    def reached(self) -> TenetError:
        """The error that says that the next question might pass a limit."""


@dataclass
class Seat:
    """A place for an actor. `running` is its go, the `serial`-th, None between goes, and `share` what it may spend on it; `question` is
    an exchange under way, `met` says whether the actor has ever answered.
    """

    actor: Any
    serial: int = 0
    running: Any = None
    question: Any = None
    asked_of: int = 0
    met: bool = False
    share: Limits = field(default_factory=Limits)
    shards: set[int] = field(default_factory=set)
    heard: Report = field(default_factory=Report)
    told_last: bool = False


class RayPool:
    """Actors that work on one run, each with `maker`'s models; closing it ends them. They are started when there is something to ask.

    Raises:
        MissingInput: Ray is not installed; when they are started, that there is no cluster at the address.
        UsageError: when they are started, that the cluster cannot hold a single actor.
    """

    def __init__(self, config: WorkersConfig, maker: Maker, say: Callable[[str], None]) -> None:
        if find_spec("ray") is None:
            raise MissingInput("workers: ray needs the package Ray.", hint="pip install 'tenet-rlaif[ray]'")
        self._config = config
        self._maker = maker
        self._say = say
        self._mine = False
        self._kind: Any = None
        self._seats: list[Seat] = []

    def call(self, name: str) -> Any:
        """Have one actor's maker answer a question that needs a model.

        Raises:
            TenetError: what the maker raised.
            EngineError: actors end again and again.
        """
        last = ""
        for _ in range(MOST_DEATHS):
            seat = self.seats[0]
            answer = seat.actor.call.remote(name)
            try:
                while not self.ray.wait([answer], timeout=SLOWEST_POLL_SECONDS)[0]:
                    self.ray.get(seat.actor.exchange.remote(0, [], last=False, stop=False))
                found = self.ray.get(answer)
            except self.ray.exceptions.RayActorError as error:
                last = str(error)
                self._seats[0] = self._seat()
                continue
            if isinstance(found, Told):
                raise found.error()
            return found
        raise lost(name, MOST_DEATHS, last)

    def run_stage(
        self,
        stage: Stage[R],
        shards: Sequence[Sequence[Task[T]]],
        address: Any,
        *,
        progress: Progress,
        account: Account,
        retries: int = 2,
        max_failures: float = 0.2,
        retry_failed: bool = False,
        plan: str = "",
    ) -> StageReport:
        """As `tenet.workers.local.run_stage`, with the work that the maker makes of `address`.

        Each actor may spend an equal share of what `account` has left; what is left of the shares is shared anew while that gets
        anything done.

        Raises:
            Interrupted, TooManyFailures, TenetError: as there.
            BudgetReached: the next question might pass a limit.
        """

        def settle(found: Survey, tally: Tally[R], stopping: Callable[[], bool]) -> None:
            if found.owed or stage.unpublished:
                stage.close()  # an actor is a shard's only writer
                order = Order(address, 0, retries, found.elsewhere, retry_failed, max_failures < 1)
                _Course(self, stage, order, found, tally, progress, account).carry_out(len(shards), stopping)

        return run_plan(
            stage, shards, settle, progress=progress, retries=retries, max_failures=max_failures,
            retry_failed=retry_failed, plan=plan,
        )  # fmt: skip

    def close(self) -> None:
        """End the actors, and Ray where it was started here."""
        for seat in self._seats:
            self.ray.kill(seat.actor)
        self._seats = []
        if self._mine:
            self.ray.shutdown()
            self._mine = False

    @cached_property
    def ray(self) -> Any:
        """The Ray module, connected to the cluster."""
        # Before Ray is imported: nothing is reported to anybody, and actors without a GPU keep their devices' names.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        self._mine = _connect(ray, self._config)
        return ray

    @property
    def seats(self) -> list[Seat]:
        """The actors' places."""
        if not self._seats:
            ray, wanted = self.ray, _wanted(self._config.resources)
            self._kind = ray.remote(**wanted, max_concurrency=3, max_restarts=0)(Settler)
            size = self._config.size or _room(ray, wanted)
            self._seats = [self._seat() for _ in range(size)]
        return self._seats

    def renew(self, seat: Seat) -> None:
        """Put a new actor in the place of a dead one."""
        new = self._seat()
        seat.actor, seat.running, seat.question, seat.met = new.actor, None, None, False
        seat.shards, seat.heard, seat.told_last = set(), Report(), False

    def say(self, text: str) -> None:
        """A line for the person."""
        self._say(text)

    def _seat(self) -> Seat:
        return Seat(self._kind.remote(self._maker))


class _Course:
    """One go over a stage: which shards are out, and what was heard of them."""

    def __init__(
        self, pool: RayPool, stage: Stage[Any], order: Order, found: Survey, tally: Tally[Any], progress: Progress,
        account: Account,
    ) -> None:  # fmt: skip
        self._pool, self._ray = pool, pool.ray
        self._stage, self._order, self._found = stage, order, found
        self._tally, self._progress = tally, progress
        self._account = account
        self._owed: deque[int] = deque()
        self._left: set[int] = set()
        self._settled: dict[int, Mapping[str, int]] = {}
        self._failure: TenetError | None = None
        self._spent_up: set[int] = set()  # seats whose share of the limit is used up
        self._got_done = False  # since the limits were last shared out
        self._deaths = 0  # in a row, without a row between
        self._died = self._stopping = False
        self._gone: list[tuple[Limits, Report]] = []  # shares of dead actors, which may have spent more than they told

    def carry_out(self, shards: int, stopping: Callable[[], bool]) -> None:
        """Settle all shards.

        Raises:
            Stopped: it was asked to, and the actors have recorded what they had in hand.
            TenetError: what an actor raised, or actors end again and again.
        """
        self._owed.extend(range(shards))
        self._left = set(range(shards))
        pause, since, warned = 0.02, time.monotonic(), False
        while True:
            asked = stopping()
            self._stopping = self._stopping or asked or self._failure is not None
            if not self._stopping:
                self._start()
            running = [seat for seat in self._pool.seats if seat.running is not None]
            if not running:
                break
            for seat in running:
                if self._stopping and not seat.met:
                    self._ray.kill(seat.actor)  # it has not even begun; for want of room it might never
                self._talk(seat)
            ready, _ = self._ray.wait([seat.running for seat in running], num_returns=1, timeout=pause)
            moved = self._listen()
            for seat in running:
                if seat.running in ready:
                    moved = True
                    self._ended(seat)
            pause = POLL_SECONDS / 2 if moved else min(SLOWEST_POLL_SECONDS, pause * 1.5)
            if not warned and not self._settled and time.monotonic() - since > SAY_WAITING_SECONDS:
                warned = True
                self._say_waiting()
        if self._failure is not None:
            raise self._failure
        if self._left:
            raise Stopped
        if self._died:  # what a dead actor recorded last, it did not tell
            counts = self._stage.counts()
            self._progress.start(
                self._found.planned, self._found.planned, {} if self._found.strays else counts.outcomes
            )

    def _start(self) -> None:
        """Have every idle actor go to work while there are shards."""
        idle = [place for place, seat in enumerate(self._pool.seats) if seat.running is None]
        if len(idle) == len(self._pool.seats) and self._left and self._spent_up:
            if not self._got_done:
                self._spent_up.clear()
                self._failure = self._failure or self._account.reached()
                return
            self._spent_up, self._got_done = set(), False
        idle = [place for place in idle if place not in self._spent_up]
        starting = idle[: len(self._owed)]
        share = self._share(len(starting))
        for place in starting:
            seat = self._pool.seats[place]
            seat.share = share
            seat.shards, seat.heard, seat.told_last = set(), Report(), False
            seat.serial += 1
            seat.running = seat.actor.begin.remote(replace(self._order, serial=seat.serial, limits=share))

    def _talk(self, seat: Seat) -> None:
        """Give an actor what it needs to go on, one message at a time."""
        if seat.question is not None:
            return
        # The first message gives one shard, so that few of them spread over all actors.
        room = 0 if self._stopping or seat.told_last else AHEAD - seat.heard.waiting
        given = [self._owed.popleft() for _ in range(min(room, len(self._owed)))]
        seat.shards.update(given)
        last = not self._owed and not given
        seat.told_last = seat.told_last or last
        seat.asked_of = seat.serial
        seat.question = seat.actor.exchange.remote(seat.serial, given, last=seat.told_last, stop=self._stopping)

    def _listen(self) -> bool:
        """Take in the answers that have come; true where one tells of something new."""
        asked = {seat.question: seat for seat in self._pool.seats if seat.question is not None}
        if not asked:
            return False
        ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        moved = False
        for answer in ready:
            seat = asked[answer]
            seat.question = None
            try:
                report = self._ray.get(answer)
            except self._ray.exceptions.RayActorError:
                continue  # its go ends too
            seat.met = True
            if seat.running is not None and seat.asked_of == seat.serial:
                moved = self._note(seat, report) or moved
        self._progress.in_flight(sum(seat.heard.flying for seat in self._pool.seats if seat.running is not None))
        return moved

    def _note(self, seat: Seat, report: Report) -> bool:
        """Add what is new in a report of this go."""
        heard, seat.heard = seat.heard, report
        new = Counter(report.outcomes)
        new.subtract(heard.outcomes)
        self._progress.advance(report.done - heard.done, {name: count for name, count in new.items() if count})
        self._tally.asked += report.asked - heard.asked
        for step, spent in report.spent.items():
            before = heard.spent.get(step, Spent())
            if spent != before:
                self._account.spend(step, _more(spent, before))
        for shard, reasons in report.settled.items():
            if shard in self._left:
                self._left.discard(shard)
                self._settled[shard] = reasons
                self._tally.reasons.update(reasons)
        progress = report.asked > heard.asked or len(report.settled) > len(heard.settled)
        if progress:
            self._deaths, self._got_done = 0, True
        return progress

    def _ended(self, seat: Seat) -> None:
        """An actor's go is over: by its end, a stop, a failure or its death."""
        try:
            outcome: Outcome = self._ray.get(seat.running)
        except self._ray.exceptions.RayActorError as error:
            self._bury(seat, str(error))
            return
        except self._ray.exceptions.RayTaskError as error:
            self._failure = self._failure or _bug(self._stage.name, error)
            seat.running = None
            return
        self._note(seat, outcome.report)
        seat.running = None
        self._owed.extendleft(sorted(seat.shards & self._left, reverse=True))
        if outcome.failure is None:
            return
        if outcome.failure.kind == BudgetReached.__name__:
            self._spent_up.add(self._pool.seats.index(seat))
        else:
            self._failure = self._failure or outcome.failure.error()

    def _bury(self, seat: Seat, why: str) -> None:
        """Hand a dead actor's shards on, and put another one in its place."""
        self._died = True
        self._gone.append((seat.share, seat.heard))
        lost_shards = sorted(seat.shards & self._left, reverse=True)
        self._owed.extendleft(lost_shards)
        if not self._stopping:
            self._deaths += 1
            self._pool.say(f"a worker has died; {len(lost_shards)} open shards of it go to another one")
        if self._deaths >= MOST_DEATHS:
            self._failure = self._failure or lost(self._stage.name, self._deaths, why)
        self._pool.renew(seat)

    def _share(self, workers: int) -> Limits:
        """What each of so many actors may spend: of what is left, what no other actor may still take."""
        limits = self._account.left()
        if not limits or not workers:
            return Limits()
        running = [(seat.share, seat.heard) for seat in self._pool.seats if seat.running is not None]
        tokens, cost = (limits.max_tokens or 0) - limits.spent, (limits.max_cost or 0.0) - limits.cost
        for share, heard in (*running, *self._gone):
            tokens -= max(0, (share.max_tokens or 0) - sum(spent.tokens for spent in heard.spent.values()))
            cost -= max(0.0, (share.max_cost or 0.0) - sum(map(self._account.cost, heard.spent.values())))
        return Limits(
            None if limits.max_tokens is None else max(0, tokens) // workers,
            None if limits.max_cost is None else max(0.0, cost) / workers,
            limits.currency,
        )

    def _say_waiting(self) -> None:
        free, whole = self._ray.available_resources(), self._ray.cluster_resources()
        told = ", ".join(
            f"{free.get(name, 0):g} of {whole.get(name, 0):g} {name}" for name in ("CPU", "GPU") if name in whole
        )
        self._pool.say(f"no shard is settled yet; the cluster has {told} free for {len(self._pool.seats)} workers")


def _more(spent: Spent, before: Spent) -> Spent:
    """What was spent since `before`."""
    return Spent(*(now - then for now, then in zip(astuple(spent), astuple(before), strict=True)))


def _bug(name: str, error: Exception) -> TenetError:
    return TenetError(f"Stage {name}: a worker failed: {error}")


def _connect(ray: Any, config: WorkersConfig) -> bool:
    """Join a cluster, or start one on this machine; true where it was started here."""
    if ray.is_initialized():
        return False
    if config.address != "local":
        try:
            ray.init(address=config.address, log_to_driver=False, logging_level="error")
        except (ConnectionError, RuntimeError, ValueError) as error:
            if config.address != "auto":
                hint = "start one with `ray start --head`, or set workers.address: local"
                raise MissingInput(f"There is no Ray cluster at {config.address}: {error}", hint=hint) from error
        else:
            return True
    # Actors import what this process does, also where it runs from a source tree.
    here = str(Path(tenet.__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    cpus = math.ceil(_wanted(config.resources)["num_cpus"] * (config.size or 1))
    ray.init(
        address="local", num_cpus=max(os.cpu_count() or 1, cpus), include_dashboard=False, log_to_driver=False,
        logging_level="error",
    )  # fmt: skip
    return True


def _wanted(resources: Mapping[str, float]) -> dict[str, Any]:
    """What an actor asks of a node, in Ray's words."""
    custom = {name: amount for name, amount in resources.items() if name not in ("cpu", "gpu")}
    return {"num_cpus": resources.get("cpu", 1.0), "num_gpus": resources.get("gpu", 0.0), "resources": custom}


def _room(ray: Any, wanted: Mapping[str, Any]) -> int:
    """How many actors the cluster holds.

    Raises:
        UsageError: none.
    """
    whole = ray.cluster_resources()
    needed = {"CPU": wanted["num_cpus"], "GPU": wanted["num_gpus"], **wanted["resources"]}
    room = min(int(whole.get(name, 0) / amount) for name, amount in needed.items() if amount)
    if room < 1:
        told = ", ".join(
            f"{name} {amount:g} (there is {whole.get(name, 0):g})" for name, amount in needed.items() if amount
        )
        raise UsageError(f"the cluster holds no worker that needs {told}", hint="ask for less in workers.resources")
    return room
