"""Cuts a run's prompts into shards, and makes each shard's tasks when they are needed. Knows no stage's work.

A shard is `PROMPTS_PER_SHARD` prompts in the order of the input. Making tasks means tokenising prompts, and a stage looks at its plan
twice where it holds something (what is recorded, then what is owed), so the tasks of the last few shards are kept. The first task of a
shard can be worked on before the last is made (`stream`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar, overload

from tenet.workers.local import Task
from tenet.workers.survey import distinct

T = TypeVar("T")

PROMPTS_PER_SHARD = 256
_KEPT = 4


def shards_of(prompts: Sequence[T]) -> list[Sequence[T]]:
    """The prompts (or one thing a prompt) by shard; the last one may be short, and grows with the list."""
    return [prompts[start : start + PROMPTS_PER_SHARD] for start in range(0, len(prompts), PROMPTS_PER_SHARD)]


class LazyShards(Sequence[Sequence[Task[T]]]):
    """The tasks of `count` shards, made by `make(shard)` on demand; `make` must give the same tasks every time.

    `size(shard)` tells how many different tasks a shard has, where that is cheaper than to make them.
    """

    def __init__(
        self,
        count: int,
        make: Callable[[int], Iterable[Task[T]]],
        size: Callable[[int], int] | None = None,
    ) -> None:
        self._count = count
        self._make = make
        self._size = size
        self._held: OrderedDict[int, Sequence[Task[T]]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def size(self, number: int) -> int:
        """The number of different tasks of a shard."""
        return len(distinct(self[number])) if self._size is None else self._size(number)

    def stream(self, number: int) -> Iterator[Task[T]]:
        """The tasks of a shard, each as soon as it is made."""
        if number in self._held:
            yield from self[number]
            return
        made: list[Task[T]] = []
        for task in self._make(number):
            made.append(task)
            yield task
        self._keep(number, made)

    @overload
    def __getitem__(self, index: int) -> Sequence[Task[T]]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[Task[T]]]: ...

    def __getitem__(self, index: int | slice) -> Sequence[Task[T]] | Sequence[Sequence[Task[T]]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        if index not in self._held:
            self._keep(index, list(self._make(index)))
        self._held.move_to_end(index)
        return self._held[index]

    def _keep(self, number: int, tasks: Sequence[Task[T]]) -> None:
        self._held[number] = tasks
        if len(self._held) > _KEPT:
            self._held.popitem(last=False)

    def __iter__(self) -> Iterator[Sequence[Task[T]]]:
        return (self[number] for number in range(self._count))
