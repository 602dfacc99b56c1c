"""Fits the columns of a shard that another version of Tenet wrote to the record type of this one. Knows neither Parquet nor SQLite.

A column that the shard lacks is filled with its field's default, or with null where the field may be None. Where
there is neither, and where the shard holds a column that this version does not know, nothing is guessed or dropped. A
shard that lacks columns and holds unknown ones as well is taken to be damaged: a flipped bit in a column's name looks so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tenet.errors import UsageError
from tenet.runs.atomic import CorruptShard
from tenet.runs.codec import Codec, R

V = TypeVar("V")


def places(codec: Codec[R], held: Sequence[str], path: Path) -> tuple[int | None, ...]:
    """Where each of the record's columns lies among those that a shard holds; None for one that is to be filled in.

    Raises:
        UsageError: a column that must be there is missing, or there is one that this version does not know; names file and columns.
        CorruptShard: both, or a column twice.
    """
    lacking = [name for name in codec.names if name in codec.must_be_there and name not in held]
    unknown = [name for name in held if name not in codec.names]
    if len(set(held)) < len(held) or (unknown and not set(codec.names).issubset(held)):
        raise CorruptShard(f"columns are {', '.join(held)}; this version expects {', '.join(codec.names)}")
    if lacking or unknown:
        wrong = "lacks what this version needs" if lacking else "holds what this version does not know"
        raise UsageError(
            f"{path} was written by another version of Tenet: of the columns of {codec.name} it {wrong}: "
            f"{', '.join(lacking or unknown)}",
            hint="go on with the version that made the run (run.json names it), or start a run of another name",
        )
    return tuple(held.index(name) if name in held else None for name in codec.names)


def arranged(values: Sequence[V], where: Sequence[int | None], stand_ins: Sequence[V]) -> list[V]:
    """A row of such a shard as this version's columns have it."""
    return [stand_in if place is None else values[place] for place, stand_in in zip(where, stand_ins, strict=True)]
