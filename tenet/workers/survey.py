"""What a plan still owes: its tasks held against the rows that a stage has. Knows nothing of how the work is
done or scheduled.

Rows count wherever they are. A prompt inserted at the top of a file moves every later one to another place,
perhaps to another shard; its row stays where it is and is not asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar, runtime_checkable

from tenet.runs import Stage
from tenet.runs.codec import R

T = TypeVar("T")


@dataclass(frozen=True)
class Task(Generic[T]):
    """A unit of work: its content key, and what the work needs to know."""

    key: str
    payload: T


@dataclass(frozen=True)
class Survey:
    """How far a stage is with a plan. `planned` counts tasks (equal keys of a shard once); `ok` and
    `given_up` are settled ones.

    `elsewhere` are the keys of tasks whose row is in another shard than the plan would put it; `strays`
    counts rows that the plan does not ask for.
    """

    planned: int
    ok: int = 0
    given_up: int = 0
    elsewhere: frozenset[str] = field(default_factory=frozenset)
    strays: int = 0

    @property
    def owed(self) -> int:
        """Tasks still to be worked on."""
        return self.planned - self.ok - self.given_up


@runtime_checkable
class Counted(Protocol):
    """A plan that knows how many different tasks a shard has without making them."""

    def size(self, number: int) -> int:
        """The number of different tasks of a shard."""
        ...


@runtime_checkable
class Streamed(Protocol[T]):
    """A plan whose shards can be begun before all their tasks are made."""

    def stream(self, number: int) -> Iterator[Task[T]]:
        """The tasks of a shard, each as soon as it is made."""
        ...


def tasks_of(shards: Sequence[Sequence[Task[T]]]) -> Callable[[int], Iterable[Task[T]]]:
    """How to get a plan's tasks by shard: as a stream where it gives one."""
    return shards.stream if isinstance(shards, Streamed) else shards.__getitem__


def survey(
    stage: Stage[R], shards: Sequence[Sequence[Task[T]]], *, retries: int = 2, retry_failed: bool = False
) -> Survey:
    """Hold a plan against a stage. Shards that hold no row are counted, and their tasks are made only where rows of them may stand in
    other shards.

    A failure counts as given up after `retries` more attempts, unless `retry_failed` asks for all of them
    once more.
    """
    held = stage.shards()
    planned = ok = given_up = 0
    missing: set[str] = set()
    strays: dict[str, bool] = {}
    for number in held:
        recorded = stage.keys(number)
        wanted = distinct(shards[number]).keys() if number < len(shards) else {}.keys()
        planned += len(wanted)
        tired = set() if retry_failed else given_up_keys(stage, number, retries)
        for key in wanted:
            if recorded.get(key):
                ok += 1
            elif key in tired:
                given_up += 1
            else:
                missing.add(key)
        strays.update((key, good) for key, good in recorded.items() if key not in wanted)
    elsewhere = {key for key in missing if strays.get(key)}
    for number in sorted(set(range(len(shards))).difference(held)):
        if strays:
            wanted = distinct(shards[number]).keys()
            planned += len(wanted)
            elsewhere.update(key for key in wanted if strays.get(key))
        else:
            planned += shards.size(number) if isinstance(shards, Counted) else len(distinct(shards[number]))
    return Survey(planned, ok + len(elsewhere), given_up, frozenset(elsewhere), len(strays) - len(elsewhere))


def distinct(tasks: Iterable[Task[T]]) -> dict[str, Task[T]]:
    """The tasks by key, in their order, equal ones once."""
    found: dict[str, Task[T]] = {}
    for task in tasks:
        found.setdefault(task.key, task)
    return found


def given_up_keys(stage: Stage[R], shard: int, retries: int) -> set[str]:
    """The keys of a shard that have failed more than `retries` times."""
    return {key for key, failure in stage.failures(shard).items() if failure.attempts > retries}
