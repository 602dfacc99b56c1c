"""Counts the tokens and the money that a command spends, and stops it in good order at a limit.

A `Meter` stands between the worker and the work. It reserves the most that each task may cost before the task goes out, and counts
what it did cost when the answer comes: a limit is never passed. Near it, tasks wait for those in flight, whose reservations are
worth more than their costs. Several threads may share a meter. Knows no model, and of a task only what it is told that the task needs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Generic, Protocol, TypeVar

from tenet.errors import BudgetReached
from tenet.ids import Json
from tenet.runconfig import PriceConfig
from tenet.runs import Row
from tenet.runs.codec import R
from tenet.workers.shard import Work
from tenet.workers.survey import Task

T = TypeVar("T")
MILLION = 1_000_000


class Used(Protocol):
    """A record that says what its answer took; None where the engine did not say."""

    @property
    def prompt_tokens(self) -> int | None:
        """Tokens read."""

    @property
    def completion_tokens(self) -> int | None:
        """Tokens written."""

    @property
    def cached_tokens(self) -> int | None:
        """Those of `prompt_tokens` that were in a prefix cache."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What some calls took. `prompt_tokens` hold the `cached_tokens`; `told` counts the prompt tokens of the calls whose engine
    says how many were cached. `seconds` is the time in which they were under way.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    told: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, record: Used | None) -> Spent:
        """What one recorded answer took."""
        if record is None:
            return cls(1)
        prompt, cached = record.prompt_tokens or 0, record.cached_tokens
        return cls(1, prompt, record.completion_tokens or 0, cached or 0, 0 if cached is None else prompt)

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cached_share(self) -> float | None:
        """The share of prompt tokens that were cached, where the engine says; None where it never does."""
        return self.cached_tokens / self.told if self.told else None

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.calls + other.calls, self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens, self.told + other.told, self.seconds + other.seconds,
        )  # fmt: skip

    def cost(self, price: PriceConfig | None) -> float:
        """In the currency of the price; 0 without one."""
        return 0.0 if price is None else cost(price, self.prompt_tokens, self.completion_tokens, self.cached_tokens)

    def as_json(self) -> dict[str, Json]:
        """For a file."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}


def cost(price: PriceConfig, prompt: float, completion: float, cached: float = 0.0) -> float:
    """The price of tokens; `cached` are among the prompt's."""
    reduced = price.prompt if price.cached is None else price.cached
    return ((prompt - cached) * price.prompt + cached * reduced + completion * price.completion) / MILLION


@dataclass(frozen=True)
class Limits:
    """What a run may spend in all; `spent` and `cost` are what earlier commands did. `resume` goes on with larger limits."""

    max_tokens: int | None = None
    max_cost: float | None = None
    currency: str = ""
    spent: int = 0
    cost: float = 0.0
    resume: str = ""

    def __bool__(self) -> bool:
        return self.max_tokens is not None or self.max_cost is not None


@dataclass
class Meter:
    """Counts by step what is spent from now on, and holds it to `limits`. `prices` are by role: policy or judge."""

    prices: Mapping[str, PriceConfig | None] = field(default_factory=dict)
    limits: Limits = Limits()
    spent: dict[str, Spent] = field(default_factory=dict)
    cost: float = 0.0
    _reserved: dict[int, tuple[int, float]] = field(default_factory=dict, repr=False)
    _changing: threading.Condition = field(default_factory=threading.Condition, repr=False)

    @property
    def tokens(self) -> int:
        """All tokens spent from now on."""
        with self._changing:
            return sum(spent.tokens for spent in self.spent.values())

    def add(self, step: str, role: str, spent: Spent) -> None:
        """Count what calls of a step took."""
        with self._changing:
            self.spent[step] = self.spent.get(step, Spent()) + spent
            self.cost += spent.cost(self.prices.get(role))

    def watched(self, step: str, role: str, work: Work[T, R], need: Callable[[T], tuple[int, int]]) -> Work[T, R]:
        """The same work, counted under a step, and stopped before a limit.

        `need` tells a task's prompt tokens and the most that may be written for it.

        Raises (when the work is carried out):
            BudgetReached: the next task might pass a limit, and nothing is in flight any more.
        """

        def carry_out(tasks: Iterable[Task[T]]) -> Iterator[Row[R]]:
            source = iter(tasks)
            held: list[Task[T]] = []
            while True:
                gate = _Gate(self, role, chain(held, source), need)
                try:
                    since = time.monotonic()
                    for row in work(gate):
                        now = time.monotonic()
                        self.add(step, role, replace(Spent.of(row.record), seconds=now - since))  # type: ignore[arg-type]
                        gate.answered(row.key)
                        yield row
                        since = time.monotonic()
                finally:
                    gate.close()
                if gate.refused is None:
                    return
                if not self._has_room(*gate.most(gate.refused)):
                    raise self.reached(step)
                held = [gate.refused]

        return carry_out

    @contextmanager
    def holding(self, step: str, role: str, needs: Iterable[tuple[int, int]]) -> Iterator[None]:
        """Reserve the most that several calls may cost together while they are under way; `needs` are their tokens, as for `watched`.

        Raises:
            BudgetReached: they might pass a limit, and nothing else is in flight any more.
        """
        tokens, price, mine = 0, 0.0, object()
        for prompt, completion in needs if self.limits else ():
            tokens += prompt + completion
            price += 0.0 if self.prices.get(role) is None else cost(self.prices[role], prompt, completion)  # type: ignore[arg-type]
        while self.limits and not self.reserve(id(mine), tokens, price):
            if not self._has_room(tokens, price):
                raise self.reached(step)
        try:
            yield
        finally:
            self.free(id(mine), tokens, price)

    def reserve(self, owner: int, tokens: int, price: float) -> bool:
        """Set aside so much more for one that reserves, if that keeps to the limits beside all that is reserved."""
        with self._changing:
            if not self._admits(tokens, price):
                return False
            held, cost = self._reserved.get(owner, (0, 0.0))
            self._reserved[owner] = held + tokens, cost + price
            return True

    def free(self, owner: int, tokens: int, price: float) -> None:
        """Give back what one has reserved: so much of it."""
        with self._changing:
            held, cost = self._reserved.get(owner, (0, 0.0))
            if held > tokens:
                self._reserved[owner] = held - tokens, cost - price
            else:
                self._reserved.pop(owner, None)
            self._changing.notify_all()

    def _has_room(self, tokens: int, price: float) -> bool:
        """Whether so much more keeps to the limits, once others have given back what they turn out not to need."""
        with self._changing:
            self._changing.wait_for(lambda: not self._reserved or self._admits(tokens, price))
            return self._admits(tokens, price)

    def _admits(self, tokens: int, price: float) -> bool:
        most, dearest = self.limits.max_tokens, self.limits.max_cost
        tokens += sum(held for held, _ in self._reserved.values())
        price += sum(cost for _, cost in self._reserved.values())
        if most is not None and self.limits.spent + self.tokens + tokens > most:
            return False
        return dearest is None or self.limits.cost + self.cost + price <= dearest + 1e-12

    def reached(self, step: str) -> BudgetReached:
        """The error that says that the next question of a step might pass a limit."""
        limits = self.limits
        told = []
        if limits.max_tokens is not None:
            told.append(f"{limits.spent + self.tokens:,} of {limits.max_tokens:,} tokens")
        if limits.max_cost is not None:
            told.append(f"{limits.cost + self.cost:,.4g} of {limits.max_cost:,.4g} {limits.currency}")
        before = f", {limits.spent:,} tokens of it by earlier commands" if limits.spent else ""
        return BudgetReached(
            f"Stopped in {step} as the limit says: {' and '.join(told)} spent{before}; the next question might pass it. "
            "Everything is kept.",
            hint=f"go on with a larger limit: {limits.resume}",
        )


class _Gate(Generic[T]):
    """Hands tasks out while what they may cost keeps to the limits; the first that might not is `refused` and ends the stream."""

    def __init__(self, meter: Meter, role: str, tasks: Iterator[Task[T]], need: Callable[[T], tuple[int, int]]) -> None:
        self.refused: Task[T] | None = None
        self._meter = meter
        self._price = meter.prices.get(role)
        self._tasks = tasks
        self._need = need
        self._reserved: dict[str, tuple[int, float]] = {}

    def __iter__(self) -> Iterator[Task[T]]:
        return self

    def __next__(self) -> Task[T]:
        if self.refused is not None:
            raise StopIteration
        task = next(self._tasks)
        if not self._meter.limits:
            return task
        tokens, price = self.most(task)
        if not self._meter.reserve(id(self), tokens, price):
            self.refused = task
            raise StopIteration
        self._reserved[task.key] = tokens, price
        return task

    def answered(self, key: str) -> None:
        """Set free what was reserved for a task."""
        if key in self._reserved:
            self._meter.free(id(self), *self._reserved.pop(key))

    def close(self) -> None:
        """Set free what is still reserved, of tasks without an answer."""
        for key in list(self._reserved):
            self.answered(key)

    def most(self, task: Task[T]) -> tuple[int, float]:
        """The tokens and the price that a task may come to."""
        prompt, completion = self._need(task.payload)
        return prompt + completion, 0.0 if self._price is None else cost(self._price, prompt, completion)
