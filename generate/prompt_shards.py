"""The prompts of a run by shard, read from its prompts stage when they are asked for. Knows no stage's work.

A prompt's key is its place in the run, so that the order in which prompts were taken on is the order of the rows. Memory does not grow with
the run: the last few shards are kept, and of prompts that are still to be taken on their places in the spool.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final, overload

from generate.shards import PROMPTS_PER_SHARD
from generate.spool import Spool
from tenet.records import Prompt
from tenet.runs import Row, Stage

_KEPT: Final = 4


class PromptShards(Sequence[Sequence[Prompt]]):
    """The prompts that a run has taken on; with a `spool` also those that it brings and the run has not, as they will be taken on.

    New prompts take the places that are free (those of a shard that was lost, then those after the last), in their order. Recording them
    does not change what a shard holds. `stage` is None for a run that is not there yet.

    Raises:
        MissingInput: a shard does not read back (when it is read).
    """

    def __init__(self, stage: Stage[Prompt] | None, spool: Spool | None = None) -> None:
        self._stage = stage
        self._spool = spool
        self._new = array("q")
        self._free: dict[int, list[str]] = {}
        self._begins: dict[int, int] = {}
        self._held: OrderedDict[int, Sequence[Prompt]] = OrderedDict()
        recorded = stage.shards() if stage else []
        self._recorded = recorded[-1] + 1 if recorded else 0
        self.total = stage.counts().rows if stage else 0
        if spool is not None:
            self._lay_out(spool)
        beyond = max(0, len(self._new) - self._begins.get(self._recorded, 0))
        self._count = self._recorded + -(-beyond // PROMPTS_PER_SHARD)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Sequence[Prompt]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Sequence[Prompt]]: ...

    def __getitem__(self, index: int | slice) -> Sequence[Prompt] | Sequence[Sequence[Prompt]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        if index not in self._held:
            self._held[index] = [row.record for row in self.rows(index) if row.record is not None]
            if len(self._held) > _KEPT:
                self._held.popitem(last=False)
        self._held.move_to_end(index)
        return self._held[index]

    def __iter__(self) -> Iterator[Sequence[Prompt]]:
        return (self[number] for number in range(self._count))

    def everyone(self) -> Iterator[Prompt]:
        """All prompts, one by one."""
        return (prompt for shard in self for prompt in shard)

    def rows(self, number: int) -> list[Row[Prompt]]:
        """The rows of a shard, recorded or to be recorded, in the order of their places."""
        known = list(self._stage.rows(number)) if self._stage and number < self._recorded else []
        if self._spool is None:
            return known
        keys = _keys(number) if number >= self._recorded else self._free.get(number, [])
        begin = self._begins.get(min(number, self._recorded), 0)
        begin += max(0, number - self._recorded) * PROMPTS_PER_SHARD
        taken = {row.key for row in known}
        new = self._spool.prompts(self._new[begin : begin + len(keys)])
        fresh = [Row(key, prompt, ok=True) for key, prompt in zip(keys, new, strict=False) if key not in taken]
        return sorted([*known, *fresh], key=lambda row: row.key)

    def _lay_out(self, spool: Spool) -> None:
        """Find the free places, and which new prompt comes to the first of each shard."""
        self._new = spool.without(prompt.id for prompt in self._stage.records()) if self._stage else spool.without(())
        begin = self.total = 0
        for number in range(self._recorded):
            held = self._stage.keys(number) if self._stage else {}
            self.total += len(held)
            self._begins[number] = begin
            if len(held) < PROMPTS_PER_SHARD:
                self._free[number] = [key for key in _keys(number) if key not in held]
                begin += len(self._free[number])
        self._begins[self._recorded] = begin
        self.total += len(self._new)


def _keys(number: int) -> list[str]:
    """The keys of a shard's places; they sort as the places do."""
    return [f"{number * PROMPTS_PER_SHARD + place:012d}" for place in range(PROMPTS_PER_SHARD)]
