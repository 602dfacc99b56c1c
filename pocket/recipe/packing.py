"""Many questions about one text in one row: a shared prefix, then tails that see the prefix and themselves but not each other.

A row of one prefix and K tails gives what K separate sequences would (positions restart after the prefix in every tail), for little more
than the price of one. Knows nothing of what the ids mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Row:
    """One packed row under construction, with what is to be learnt at which position.

    `labels`: (position, P(A)); `words`: (position, id that follows, weight); `probes`: (position, probe, class).
    """

    ids: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    labels: list[tuple[int, float]] = field(default_factory=list)
    words: list[tuple[int, int, float]] = field(default_factory=list)
    probes: list[tuple[int, int, int]] = field(default_factory=list)
    prefix: int = 0

    @classmethod
    def of(cls, prefix: Sequence[int]) -> Row:
        """A row with its prefix, which may be empty."""
        return cls(list(prefix), [0] * len(prefix), list(range(len(prefix))), prefix=len(prefix))

    def add(self, tail: Sequence[int]) -> int:
        """Append a tail; gives the place where it starts in the row."""
        start, segment = len(self.ids), (self.segments[-1] if self.segments else 0) + 1
        self.ids += tail
        self.segments += [segment] * len(tail)
        self.positions += range(self.prefix, self.prefix + len(tail))
        return start

    def learn(self, start: int, end: int, weight: float = 1.0) -> None:
        """Learn to write the ids of places start..end-1, each from the place before it."""
        self.words += [(place - 1, self.ids[place], weight) for place in range(start, end)]


@dataclass(frozen=True)
class Batch:
    """Rows as tensors. `ids`, `positions` [rows, length]; `mask` [rows, 1, length, length], True where attention is allowed.

    `label_at`, `word_at`, `probe_at` are places in the flattened [rows * length]; `label_p` is P(A); `word_id`, `word_weight` and
    `probe_kind`, `probe_class` belong to them one by one.
    """

    ids: Tensor
    positions: Tensor
    mask: Tensor
    label_at: Tensor
    label_p: Tensor
    word_at: Tensor
    word_id: Tensor
    word_weight: Tensor
    probe_at: Tensor
    probe_kind: Tensor
    probe_class: Tensor


def attention_mask(segments: Tensor) -> Tensor:
    """Who may see whom: earlier places of the same segment or of the prefix (segment 0). `segments` [rows, length]; -1 is padding."""
    length = segments.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    same = segments[:, :, None] == segments[:, None, :]
    prefix = (segments[:, None, :] == 0) & (segments[:, :, None] >= 0)
    return ((same | prefix) & causal)[:, None]


def collate(rows: Sequence[Row], pad: int) -> Batch:
    """Stack rows, padded on the right."""
    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), pad)
    positions = torch.zeros(len(rows), length, dtype=torch.long)
    segments = torch.full((len(rows), length), -1)
    for place, row in enumerate(rows):
        size = len(row.ids)
        ids[place, :size] = torch.tensor(row.ids)
        positions[place, :size] = torch.tensor(row.positions)
        segments[place, :size] = torch.tensor(row.segments)
    labels = [(place * length + at, p) for place, row in enumerate(rows) for at, p in row.labels]
    words = [(place * length + at, token, weight) for place, row in enumerate(rows) for at, token, weight in row.words]
    probes = [(place * length + at, kind, answer) for place, row in enumerate(rows) for at, kind, answer in row.probes]
    whole = torch.long
    return Batch(
        ids,
        positions,
        attention_mask(segments),
        torch.tensor([at for at, _ in labels], dtype=whole),
        torch.tensor([p for _, p in labels], dtype=torch.float32),
        torch.tensor([at for at, _, _ in words], dtype=whole),
        torch.tensor([token for _, token, _ in words], dtype=whole),
        torch.tensor([weight for _, _, weight in words], dtype=torch.float32),
        torch.tensor([at for at, _, _ in probes], dtype=whole),
        torch.tensor([kind for _, kind, _ in probes], dtype=whole),
        torch.tensor([answer for _, _, answer in probes], dtype=whole),
    )
