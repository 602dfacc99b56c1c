"""Orders rows so that a batch holds rows of like length, and so that a resumed training sees the order it would have seen.

The library's own sampler of this kind draws from the global random state, which differs after a resume from the second
epoch on. Here an epoch's order follows from the seed and the epoch's number alone. Knows lengths, no data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch
from torch.utils.data import Sampler

POOL: Final = 50
"""Batches that are sorted together: enough for like lengths, few enough to leave the order random."""


class LengthSampler(Sampler[int]):
    """Yields every index once an epoch: random pools of `POOL` groups, sorted by length, groups in random order.

    Args:
        lengths: (rows,) tokens of each row.
        group: rows that are trained on at once, over all processes.
        seed: of the order.
    """

    def __init__(self, lengths: Sequence[int], group: int, seed: int) -> None:
        self._lengths = lengths
        self._group = group
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(len(self._lengths), generator=generator).tolist()
        groups: list[list[int]] = []
        for start in range(0, len(order), POOL * self._group):
            pool = sorted(order[start : start + POOL * self._group], key=lambda row: -self._lengths[row])
            groups += [pool[place : place + self._group] for place in range(0, len(pool), self._group)]
        whole = [group for group in groups if len(group) == self._group]
        for place in torch.randperm(len(whole), generator=generator).tolist():
            yield from whole[place]
        for rest in groups:  # at most one: only the last pool can end in a smaller group
            if len(rest) < self._group:
                yield from rest


class ByLength:
    """Mixin for a Trainer: takes `LengthSampler` where its arguments say group_by_length and rows carry `length`."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        trainer: Any = self
        rows = trainer.train_dataset if train_dataset is None else train_dataset
        grouped = trainer.args.train_sampling_strategy == "group_by_length"
        if not grouped or "length" not in getattr(rows, "column_names", ()):
            return super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        group = trainer.args.train_batch_size * trainer.args.world_size
        return LengthSampler(rows["length"][:], group, trainer.args.seed)
