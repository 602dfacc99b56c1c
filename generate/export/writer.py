"""Writes rows as Parquet files, one or more a split, in a folder that appears as a whole or not at all.

Knows no exporter's columns. Rows stream through in groups of `GROUP`. Equal rows give equal bytes: the order
is the caller's, the settings are fixed and nothing written depends on the time or the machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from generate.export.columns import Column, Row, schema_of
from generate.export.source import TRAIN
from tenet.ids import Json, canonical_json, file_digest
from tenet.runs import atomic

GROUP: Final = 1024
PER_FILE: Final = 200 * GROUP
PROVENANCE: Final = b"tenet"
_SETTINGS: Final[Mapping[str, Any]] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "write_statistics": True,
}


@dataclass(frozen=True)
class FileEntry:
    """One written file: its name in the dataset's folder, its rows, its SHA-256."""

    name: str
    split: str
    rows: int
    sha256: str


@dataclass
class _Open:
    """A file that is being written."""

    path: Path
    writer: Any
    rows: int = 0
    waiting: list[Row] = field(default_factory=list)


class FolderWriter:
    """Writes the files of one format.

    A context manager: leaving it without an error puts the folder in its place.

    An empty dataset is one file of the train split without rows, so that it loads and says that it is empty.
    """

    def __init__(self, folder: Path, columns: Sequence[Column], provenance: Mapping[str, Json]) -> None:
        self._folder = folder
        self._aside = folder.with_name(f".{folder.name}.{os.getpid()}.new")
        self._schema = schema_of(columns).with_metadata({PROVENANCE: canonical_json(dict(provenance)).encode()})
        self._open: dict[str, _Open] = {}
        self._closed: list[tuple[str, str, int]] = []

    def add(self, split: str, row: Row) -> None:
        """Add a row to a split.

        Raises:
            StorageFailed: the disk is full or not writable.
        """
        file = self._file(split)
        file.waiting.append(row)
        if len(file.waiting) == GROUP:
            self._flush(file)
            if file.rows >= PER_FILE:
                self._close(split)

    def files(self) -> tuple[FileEntry, ...]:
        """What was written, once the folder is in its place."""
        done = sorted(self._closed)
        folder = self._folder
        return tuple(
            FileEntry(f"{folder.name}/{name}", split, rows, file_digest(folder / name)) for name, split, rows in done
        )

    def __enter__(self) -> Self:
        with atomic.storage(self._folder):
            for left in self._folder.parent.glob(f".{self._folder.name}.*"):
                shutil.rmtree(left)
            self._aside.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self._open and not self._closed:
            self._file(TRAIN)
        for split in sorted(self._open):
            self._close(split, discard=error is not None)
        if error is not None:
            shutil.rmtree(self._aside, ignore_errors=True)
            return
        with atomic.storage(self._folder):
            self._swap()

    def _file(self, split: str) -> _Open:
        import pyarrow.parquet as pq

        if split not in self._open:
            number = sum(done == split for _, done, _ in self._closed)
            path = self._aside / f"{split}-{number:05d}.parquet"
            with atomic.storage(self._folder):
                self._open[split] = _Open(path, pq.ParquetWriter(path, self._schema, **_SETTINGS))
        return self._open[split]

    def _flush(self, file: _Open) -> None:
        import pyarrow as pa

        if file.waiting:
            with atomic.storage(self._folder):
                file.writer.write_table(pa.Table.from_pylist(file.waiting, schema=self._schema), row_group_size=GROUP)
            file.rows += len(file.waiting)
            file.waiting.clear()

    def _close(self, split: str, *, discard: bool = False) -> None:
        file = self._open.pop(split)
        if not discard:
            self._flush(file)
        with atomic.storage(self._folder):
            file.writer.close()
        self._closed.append((file.path.name, split, file.rows))

    def _swap(self) -> None:
        """Put the new folder where the old one stands.

        A kill in between leaves the old files aside and no half dataset.
        """
        for path in sorted(self._aside.iterdir()):
            atomic.fsync_file(path)
        atomic.fsync_folder(self._aside)
        old = self._folder.with_name(f".{self._folder.name}.{os.getpid()}.old")
        if self._folder.exists():
            self._folder.rename(old)
        self._aside.rename(self._folder)
        atomic.fsync_folder(self._folder.parent)
        shutil.rmtree(old, ignore_errors=True)


def column_names(path: Path) -> Iterator[str]:
    """Yield the names of a written file's columns."""
    import pyarrow.parquet as pq

    yield from pq.read_schema(path).names
