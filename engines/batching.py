"""Which prompts share a beginning worth computing once, and which go through a model together. Pure arithmetic on token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from engines.base import TokenIds

_WINDOW: Final = 256


@dataclass(frozen=True, slots=True)
class Group:
    """Prompts (by place in the call) whose first `stem` tokens are the same; 0 where nothing is shared."""

    stem: int
    members: tuple[int, ...]


def common_length(first: TokenIds, second: TokenIds) -> int:
    """How many leading tokens two prompts share."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def shared_stems(prompts: Sequence[TokenIds], least: int) -> list[Group]:
    """Partition prompts so that computing each group's stem once saves the most tokens.

    A stem of s tokens under n prompts saves (n - 1) s; over the tree of common beginnings the better of "one group here" and "the
    groups below" is taken. Stems shorter than `least` are not worth a pass of their own; a stem leaves every member one token.
    """
    order = sorted(range(len(prompts)), key=prompts.__getitem__)
    groups: list[Group] = []
    for start in range(0, len(order), _WINDOW):
        window = order[start : start + _WINDOW]
        lengths = [common_length(prompts[a], prompts[b]) for a, b in pairwise(window)]
        groups += _partition(prompts, window, lengths, least)[1]
    return groups


def unshared(prompts: Sequence[TokenIds]) -> list[Group]:
    """Every prompt by itself."""
    return [Group(0, (place,)) for place in range(len(prompts))]


def _partition(
    prompts: Sequence[TokenIds], order: Sequence[int], lengths: Sequence[int], least: int
) -> tuple[int, list[Group]]:
    """Tokens saved and the groups, for sorted prompts with the common lengths of their neighbours."""
    if len(order) == 1:
        return 0, [Group(0, (order[0],))]
    depth = min(lengths)
    stem = min(depth, *(len(prompts[place]) - 1 for place in order))
    own = (len(order) - 1) * stem if stem >= least else 0
    below: list[Group] = []
    saved = start = 0
    for place, length in enumerate([*lengths, depth]):
        if length == depth:
            gain, groups = _partition(prompts, order[start : place + 1], lengths[start:place], least)
            saved, start = saved + gain, place + 1
            below += groups
    if own >= saved and own:
        return own, [Group(stem, tuple(order))]
    return saved, below


def batches(
    prompts: Sequence[TokenIds], groups: Sequence[Group], *, tokens: int, rows: int, extra: int = 0
) -> Iterator[list[Group]]:
    """Collect groups of like length into batches of at most `rows` prompts and about `tokens` padded tokens.

    `extra` tokens are to be generated for each prompt. Groups with and without a stem never mix; one too large for a batch is divided.
    """
    pieces: list[tuple[int, int, Group]] = []
    for group in groups:
        longest = max(len(prompts[place]) for place in group.members) + extra
        size = max(1, min(rows, tokens // max(1, longest)))
        for start in range(0, len(group.members), size):
            members = group.members[start : start + size]
            suffix = max(len(prompts[place]) for place in members) - group.stem
            pieces.append((group.stem, suffix, Group(group.stem, members)))
    batch: list[Group] = []
    count = stem = suffix = 0
    for piece_stem, piece_suffix, piece in sorted(pieces, key=lambda item: item[:2], reverse=True):
        width = max(stem, piece_stem) + max(suffix, piece_suffix) + extra
        more = count + len(piece.members)
        if batch and (more > rows or more * width > tokens or (stem > 0) != (piece_stem > 0)):
            yield batch
            batch, count, stem, suffix = [], 0, 0, 0
        batch.append(piece)
        count += len(piece.members)
        stem, suffix = max(stem, piece_stem), max(suffix, piece_suffix)
    if batch:
        yield batch
