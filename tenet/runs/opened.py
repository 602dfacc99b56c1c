"""An open shard: a SQLite file that one writer adds rows to, each group in a transaction that is on the disk
before it counts.

Local file systems get the write-ahead log with `synchronous=FULL`, network file systems and unknown ones the
rollback journal with `synchronous=EXTRA`: in both, SQLite documents that a committed transaction survives a
crash and a power loss (https://www.sqlite.org/pragma.html#pragma_synchronous). A checksum beside each row
catches what a disk may change behind SQLite's back. Knows nothing of stages, manifests or Parquet.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Generic

from tenet.errors import StorageFailed, UsageError
from tenet.runs.atomic import CorruptShard, fsync_folder, make_folder, storage
from tenet.runs.codec import Codec, R, SqlValue
from tenet.runs.earlier import arranged, places
from tenet.runs.filesystem import is_local
from tenet.runs.row import Counts, Failure, PlainRow, Row

BOOKS = ("_key", "_ok", "_attempts", "_reason", "_outcome")
BUSY_SECONDS = 30.0
_AT_ONCE = 500
"""Keys in one query; SQLite takes 999 at least."""

_DAMAGE = frozenset({0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class OpenShard(Generic[R]):
    """Rows by key, in one SQLite file, safe for use from several threads of one process.

    A reader (`read_only`) may look on while the writer of another process works; it mends nothing, and finds no rows in a file whose
    writer has not come to make its table, or was killed before it did. Columns that an
    earlier version did not have are filled in; a writer takes them into the file first.

    Raises:
        CorruptShard: the file is no sound SQLite database of ours.
        UsageError: its columns do not fit the record type; see `tenet.runs.earlier`.
        StorageFailed: the disk is full or not writable.
    """

    def __init__(self, path: Path, codec: Codec[R], *, read_only: bool = False) -> None:
        self.path = path
        self.dropped = 0
        self._codec = codec
        self._lock = threading.Lock()
        self._begun = not read_only
        names = (*BOOKS, "_crc", *codec.names)
        self._select = _select(names)
        self._where: Sequence[int | None] = range(len(codec.names))
        self._stand_ins = codec.to_sql(codec.stand_ins)
        marks = ", ".join("?" * len(names))
        self._insert = f"INSERT OR REPLACE INTO rows ({', '.join(map(_quoted, names))}) VALUES ({marks})"  # noqa: S608
        fresh = not read_only and not path.exists()
        if fresh:
            make_folder(path.parent)
            # A log left without its database must not be replayed into the new one.
            remove_database(path)
        with storage(path):
            self._connection = connect(path, read_only=read_only)
        try:
            if not read_only:
                _configure(self._connection, is_local(path.parent))
                self._prepare(fresh, names)
            else:
                self._looked()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise self._explained(error) from error
        except BaseException:
            self._connection.close()
            raise

    def put(self, rows: Sequence[Row[R]]) -> None:
        """Record rows; when this returns they are on the disk. The first success of a key stands; a success
        replaces a failure.

        Raises:
            ValueError: a record cannot be stored exactly; nothing of this call is recorded.
            StorageFailed: the disk is full or not writable; nothing of this call is recorded.
        """
        encoded = [self._encoded(row) for row in rows]
        with self._lock, storage(self.path), self._transaction() as connection:
            known = _known(connection, [row.key for row in rows])
            fresh: dict[str, tuple[SqlValue, ...]] = {}
            for row in encoded:
                ok, before = known.get(row.key, (False, 0))
                if ok:
                    continue
                known[row.key] = row.ok, row.attempts + before
                books: tuple[SqlValue, ...] = (row.key, int(row.ok), row.attempts + before, row.reason, row.outcome)
                values = self._codec.to_sql(row.values)
                fresh[row.key] = (*books, _checksum((*books, *values)), *values)
            connection.executemany(self._insert, fresh.values())

    def keys(self) -> dict[str, bool]:
        """Every recorded key, and whether it succeeded."""
        return {str(key): bool(ok) for key, ok in self._query("SELECT _key, _ok FROM rows ORDER BY _key")}

    def failures(self) -> dict[str, Failure]:
        """Every key that has not succeeded, with its attempts so far and the last reason."""
        query = "SELECT _key, _attempts, _reason FROM rows WHERE NOT _ok ORDER BY _key"
        return {str(key): Failure(int(tries or 0), str(why)) for key, tries, why in self._query(query)}

    def rows(self) -> list[Row[R]]:
        """Every row, in the order of keys.

        Raises:
            CorruptShard: a row's checksum does not match.
        """
        return [row.whole(self._codec) for row in self.plain()]

    def plain(self) -> list[PlainRow]:
        """Every row, in the order of keys, without making records of their values. Raises as `rows`."""
        if not self._looked():
            return []
        return [self._decoded(values) for values in self._query(f"{self._select} ORDER BY _key")]

    def counts(self) -> Counts:
        """How the rows ended."""
        return read_counts(self._connection) if self._looked() else Counts()

    def close(self) -> None:
        """Write the log back and let the file go. Closing twice is harmless."""
        with self._lock:
            self._connection.close()

    def remove(self) -> None:
        """Close and delete the shard: for one whose rows are safe elsewhere."""
        self.close()
        remove_database(self.path)

    def _prepare(self, fresh: bool, names: Sequence[str]) -> None:
        connection = self._connection
        if not fresh:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                raise CorruptShard(verdict)
        types = [*("TEXT", "INTEGER", "INTEGER", "TEXT", "TEXT"), "INTEGER", *(c.sql_type for c in self._codec.columns)]
        body = ", ".join(f"{_quoted(name)} {kind}" for name, kind in zip(names, types, strict=True))
        create = f"CREATE TABLE IF NOT EXISTS rows ({body}, PRIMARY KEY (_key))"
        connection.execute(create)
        fits = self._fit()
        if not fresh:
            self._drop_damaged()
        if not fits:
            self._renew(create, names)

    def _fit(self) -> bool:
        """Find out how the file's columns lie; false where they are not quite this version's."""
        first = [*BOOKS, "_crc"]
        held = [name for _, name, *_ in self._connection.execute("PRAGMA table_info(rows)")]
        if held[: len(first)] != first:
            raise CorruptShard(f"columns are {', '.join(held)}; this version expects {', '.join(first)} first")
        self._select = _select(held)
        try:
            self._where = places(self._codec, held[len(first) :], self.path)
        except UsageError:
            if not all(map(_sound, self._connection.execute(self._select))):
                raise CorruptShard(f"columns are {', '.join(held)}, and rows are damaged") from None
            raise
        return held[len(first) :] == list(self._codec.names)

    def _renew(self, create: str, names: Sequence[str]) -> None:
        """Take the columns that are missing into the file; a crash leaves it as it was."""
        with self._transaction() as connection:
            rows = [(values[: len(BOOKS)], self._arranged(values)) for values in connection.execute(self._select)]
            connection.execute("DROP TABLE rows")
            connection.execute(create)
            connection.executemany(
                self._insert, [(*books, _checksum((*books, *values)), *values) for books, values in rows]
            )
        self._select, self._where = _select(names), range(len(self._codec.names))

    def _arranged(self, values: Sequence[SqlValue]) -> list[SqlValue]:
        return arranged(values[len(BOOKS) + 1 :], self._where, self._stand_ins)

    def _explained(self, error: sqlite3.DatabaseError) -> Exception:
        """Tell a damaged file from a disk that cannot be written; our statements are fixed, so what SQLite
        makes of them tells.
        """
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        writable = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
        if code in _DAMAGE or (code == sqlite3.SQLITE_READONLY and writable):
            return CorruptShard(str(error))
        try:
            with storage(self.path):
                raise error
        except StorageFailed as explained:
            return explained

    def _drop_damaged(self) -> None:
        """Take out rows whose checksum does not match; they are owed again."""
        connection = self._connection
        # Damaged bytes may be no UTF-8; the checksum is what notices.
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        select = self._select.replace("SELECT ", "SELECT rowid, ", 1)
        bad = [rowid for rowid, *values in connection.execute(select) if not _sound(values)]
        connection.text_factory = str
        connection.executemany("DELETE FROM rows WHERE rowid = ?", [(rowid,) for rowid in bad])
        self.dropped = len(bad)

    def _encoded(self, row: Row[R]) -> PlainRow:
        for text in (row.key, row.reason):
            text.encode("utf-8")
        return PlainRow.of(row, self._codec)

    def _decoded(self, values: Sequence[SqlValue]) -> PlainRow:
        if not _sound(values):
            raise CorruptShard(f"row {values[0]}: checksum does not match")
        key, ok, attempts, reason, outcome = values[: len(BOOKS)]
        plain = self._codec.from_sql(self._arranged(values))
        return PlainRow(str(key), bool(ok), int(attempts or 0), str(reason), str(outcome), plain)

    def _query(self, query: str) -> list[tuple[SqlValue, ...]]:
        if not self._looked():
            return []
        with self._lock, storage(self.path):
            return list(self._connection.execute(query))

    def _looked(self) -> bool:
        """Whether there is a table to read."""
        if not self._begun and is_begun(self._connection):
            self._fit()
            self._begun = True
        return self._begun

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _known(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, tuple[bool, int]]:
    """Of those keys that are on the books, whether they succeeded, and after how many attempts."""
    known: dict[str, tuple[bool, int]] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        query = f"SELECT _key, _ok, _attempts FROM rows WHERE _key IN ({', '.join('?' * len(some))})"  # noqa: S608 - marks
        known.update((key, (bool(ok), attempts)) for key, ok, attempts in connection.execute(query, some))
    return known


def read_counts(connection: sqlite3.Connection) -> Counts:
    """How the rows of an open shard ended, whatever their record type."""
    ok = failed = 0
    outcomes: dict[str, int] = {}
    query = "SELECT _ok, _outcome, COUNT(*) FROM rows GROUP BY _ok, _outcome ORDER BY _outcome"
    for good, outcome, number in connection.execute(query):
        ok, failed = (ok + number, failed) if good else (ok, failed + number)
        outcomes[outcome] = outcomes.get(outcome, 0) + number
    return Counts(ok, failed, outcomes)


def peek_counts(path: Path) -> Counts:
    """How the rows of an open shard ended, read beside the writer that may be at work on it.

    Raises:
        sqlite3.Error: the file is gone or cannot be read now.
    """
    with closing(connect(path, read_only=True)) as connection:
        return read_counts(connection) if is_begun(connection) else Counts()


def is_begun(connection: sqlite3.Connection) -> bool:
    """Whether the writer of an open shard has come to make its table."""
    return bool(connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'rows'").fetchone()[0])


def remove_database(path: Path) -> None:
    """Delete a closed SQLite file with its log.

    The file goes first: a log alone is never replayed (see `OpenShard`).
    """
    with storage(path):
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        fsync_folder(path.parent)


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """Open a shard's database as it is.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    if read_only and not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-shm").exists():
        mode = "ro&immutable=1"  # a log's shared memory cannot be made in somebody else's folder
    target = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(target, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _configure(connection: sqlite3.Connection, local: bool) -> None:
    (mode,) = connection.execute(f"PRAGMA journal_mode={'wal' if local else 'delete'}").fetchone()
    connection.execute(f"PRAGMA synchronous={'FULL' if mode == 'wal' else 'EXTRA'}")
    if sys.platform == "darwin":
        connection.execute("PRAGMA fullfsync=ON")
        connection.execute("PRAGMA checkpoint_fullfsync=ON")


def _select(names: Sequence[str]) -> str:
    return f"SELECT {', '.join(map(_quoted, names))} FROM rows"  # noqa: S608 - quoted


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _checksum(values: Sequence[SqlValue]) -> int:
    return zlib.crc32(json.dumps(values, ensure_ascii=False).encode("utf-8"))


def _sound(values: Sequence[SqlValue]) -> bool:
    position = len(BOOKS)
    return values[position] == _checksum([*values[:position], *values[position + 1 :]])
