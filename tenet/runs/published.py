"""A finished shard: a Parquet file in key order, and what the manifest says of it.

Knows nothing of SQLite or of other shards.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenet.ids import file_digest
from tenet.runs.atomic import CorruptShard, aside, fsync_file, replace, storage
from tenet.runs.codec import Codec, Plain, R
from tenet.runs.earlier import arranged, places
from tenet.runs.row import Counts, PlainRow, Row

if TYPE_CHECKING:
    import pyarrow as pa

BOOKS = ("_key", "_ok", "_attempts", "_reason")


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest holds of a published shard: its size, the SHA-256 of its file, and how its rows
    ended.
    """

    bytes: int
    sha256: str
    counts: Counts = field(default_factory=Counts)

    @cached_property
    def text(self) -> str:
        """The entry as JSON on one line; kept, because the manifest is written once for every shard that it holds."""
        return json.dumps(asdict(self))


def write_aside(path: Path, codec: Codec[R], rows: Sequence[PlainRow]) -> tuple[Path, ShardEntry]:
    """Write rows beside the place where they are to be published, and have them reach the disk.

    Gives the file's present path and what the manifest is to say of it.

    Raises:
        StorageFailed: the disk is full or not writable; nothing is left behind.
    """
    import pyarrow.parquet as pq

    table = _table(codec, sorted(rows, key=lambda row: row.key))
    temporary = aside(path)
    with storage(path):
        try:
            pq.write_table(table, temporary, compression="zstd")
            fsync_file(temporary)
            return temporary, ShardEntry(temporary.stat().st_size, file_digest(temporary), _count(rows))
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def write_parquet(path: Path, codec: Codec[R], rows: Sequence[PlainRow]) -> ShardEntry:
    """Publish rows as a Parquet file: written aside, fsynced, renamed, folder fsynced.

    Raises:
        StorageFailed: the disk is full or not writable; the file is what it was.
    """
    temporary, entry = write_aside(path, codec, rows)
    with storage(path):
        replace(temporary, path)
    return entry


def verify(path: Path, entry: ShardEntry) -> None:
    """Hold a published file against its manifest entry.

    Raises:
        CorruptShard: it is gone, or its size or checksum is another.
    """
    if not path.exists():
        raise CorruptShard("the file is gone")
    with storage(path):
        size = path.stat().st_size
        if size != entry.bytes:
            raise CorruptShard(f"it holds {size} bytes; the manifest says {entry.bytes}")
        if file_digest(path) != entry.sha256:
            raise CorruptShard("its checksum is not the manifest's")


def read_parquet(path: Path, codec: Codec[R]) -> list[Row[R]]:
    """Every row of a published shard, in the order of keys; columns that an earlier version did not have are filled in.

    Raises:
        CorruptShard: it is no Parquet file of ours.
        UsageError: its columns do not fit the record type; see `tenet.runs.earlier`.
    """
    table = _read(path, None)
    names = table.schema.names
    if tuple(names[: len(BOOKS)]) != BOOKS:
        raise CorruptShard(f"columns are {', '.join(names)}; this version expects {', '.join(BOOKS)} first")
    where = places(codec, names[len(BOOKS) :], path)
    columns = [column.to_pylist() for column in table.columns]
    return [
        Row(key, codec.decode(arranged(values, where, codec.stand_ins)), ok, attempts, reason)
        for key, ok, attempts, reason, *values in zip(*columns, strict=True)
    ]


def read_books(path: Path) -> list[tuple[str, bool, int, str]]:
    """Key, success, attempts and reason of every row, without the records.

    Raises:
        CorruptShard: it is no Parquet file of ours.
    """
    table = _read(path, list(BOOKS))
    return list(zip(*(table.column(name).to_pylist() for name in BOOKS), strict=True))


def entry_of(path: Path, codec: Codec[R]) -> ShardEntry:
    """Make the manifest's entry for a file that is there without one (the manifest was lost).

    Raises:
        CorruptShard, UsageError: see `read_parquet`.
    """
    rows = [PlainRow.of(row, codec) for row in read_parquet(path, codec)]
    return ShardEntry(path.stat().st_size, file_digest(path), _count(rows))


def _read(path: Path, columns: list[str] | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # One file by its own reader: the dataset reader would take folder names for columns.
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise CorruptShard(str(error)) from error


def _table(codec: Codec[R], rows: Sequence[PlainRow]) -> pa.Table:
    import pyarrow as pa

    books: list[Any] = [pa.string(), pa.bool_(), pa.int64(), pa.string()]
    fields = [pa.field(name, kind, nullable=False) for name, kind in zip(BOOKS, books, strict=True)]
    fields += [pa.field(column.name, column.arrow()) for column in codec.columns]
    values = [(row.key, row.ok, row.attempts, row.reason, *row.values) for row in rows]
    schema = pa.schema(fields, metadata={"tenet.record": codec.name})
    return pa.Table.from_arrays(_arrays(schema, values), schema=schema)


def _arrays(schema: pa.Schema, rows: Sequence[Sequence[Plain]]) -> list[Any]:
    """Rows as columns. They go through JSON, for `pyarrow.array` imports pandas: 45 MB and a third of a second."""
    import pyarrow.json as reader

    if not rows:
        return list(schema.empty_table().columns)
    lines = "\n".join(
        json.dumps(dict(zip(schema.names, row, strict=True)), ensure_ascii=False) for row in rows
    ).encode()
    table = reader.read_json(
        BytesIO(lines),
        reader.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        reader.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )
    return list(table.select(schema.names).columns)


def _count(rows: Sequence[PlainRow]) -> Counts:
    good = sum(row.ok for row in rows)
    return Counts(good, len(rows) - good, dict(sorted(Counter(row.outcome for row in rows).items())))
