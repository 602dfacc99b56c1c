"""One stage of a run: rows in numbered shards, and the steps from an open shard to a published one and back.

Publishing goes in steps, each durable before the next: the Parquet file is written aside, fsynced and
renamed; the manifest names it; the database goes. Reopening goes the other way. `tenet.runs.recovery` mends
what a crash between two steps leaves. Knows nothing of the work that makes rows.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Generic

from tenet.errors import MissingInput, UsageError
from tenet.ids import digest
from tenet.runs.atomic import CorruptShard, make_folder, remove, storage
from tenet.runs.atomic import replace as replace_file
from tenet.runs.codec import Codec, R
from tenet.runs.lock import FileLock
from tenet.runs.manifest import Manifest, ManifestFile, StageEntry
from tenet.runs.opened import OpenShard, peek_counts, remove_database
from tenet.runs.published import read_books, read_parquet, verify, write_aside, write_parquet
from tenet.runs.recovery import recover, set_aside
from tenet.runs.row import Counts, Failure, PlainRow, Row

MOST_OPEN = 8


class Stage(Generic[R]):
    """The rows of one kind of record in a run; made by `Run.stage`.

    A writer mends what a crash left. A reader takes what it finds, changes nothing, and may look on while a
    writer works. A stage that is `shared` was mended by the run's driver: this process and others each write to
    the shards that they have taken (`take`), and only look at the rest.
    """

    def __init__(
        self,
        name: str,
        record_type: type[R],
        manifest: ManifestFile,
        *,
        read_only: bool = False,
        say: Callable[[str], None] = lambda _: None,
        resume: str = "",
        shared: bool = False,
    ) -> None:
        self.name = name
        self.path = manifest.folder / name
        self.codec = Codec(record_type)
        self.read_only = read_only
        self.resume = resume
        self._manifest = manifest
        self._say = say
        self._open: dict[int, OpenShard[R]] = {}
        self._verified: set[int] = set()
        self._shared = shared
        self._taken: dict[int, FileLock] = {}
        self._check_type()
        if not read_only and not shared:
            make_folder(self.path)
            manifest.update(lambda held: held.with_stage(name, held.stages.get(name, StageEntry(self.codec.name))))
            recover(self.path, self.codec, manifest, say)
            for lock in self.path.glob(".[0-9]*.lock"):  # of workers that have ended: the run waited for them
                lock.unlink(missing_ok=True)

    @property
    def entry(self) -> StageEntry:
        """What the manifest says of this stage."""
        return self._manifest.read().stages.get(self.name, StageEntry(self.codec.name))

    def shards(self) -> list[int]:
        """The numbers of all shards that hold rows, open or published, rising."""
        return sorted({*self.entry.shards, *(int(path.stem) for path in self.path.glob("[0-9]*.db"))})

    def holds(self, shard: int) -> bool:
        """Whether this shard is there, open or published."""
        return shard in self.entry.shards or self._db(shard).exists()

    def published(self, shard: int) -> bool:
        """True where the shard is a Parquet file that matches its checksum (computed once a process); one
        that does not is set aside.

        Raises:
            MissingInput: it does not match, and this stage was opened for reading.
        """
        entry = self.entry.shards.get(shard)
        if entry is None:
            return False
        if shard not in self._verified:
            try:
                verify(self._parquet(shard), entry)
            except CorruptShard as error:
                if not self._writes(shard) and self.entry.shards.get(shard) != entry:
                    return self.published(shard)  # the writer has moved it on meanwhile
                self._lose(self._parquet(shard), error)
                self._enter(lambda held: held.with_shard(self.name, shard, None))
                return False
            self._verified.add(shard)
        return True

    def keys(self, shard: int) -> dict[str, bool]:
        """Every key on this shard's books, and whether it succeeded; empty for a shard that is not there."""
        if self.published(shard):
            return {key: ok for key, ok, _, _ in read_books(self._parquet(shard))}
        with self._database(shard) as opened:
            return opened.keys() if opened else {}

    def failures(self, shard: int) -> dict[str, Failure]:
        """Every key of this shard that has not succeeded, with its attempts so far and the last reason."""
        if self.published(shard):
            if not self.entry.shards[shard].counts.failed:
                return {}
            books = read_books(self._parquet(shard))
            return {key: Failure(attempts, reason) for key, ok, attempts, reason in books if not ok}
        with self._database(shard) as opened:
            return opened.failures() if opened else {}

    def rows(self, shard: int | None = None, ok: bool | None = None) -> Iterator[Row[R]]:
        """Rows in the order of shards, then of keys; `ok` keeps successes (True) or failures (False) only.

        Raises:
            MissingInput: a shard does not read back; the command that made it makes it anew.
        """
        for number in self.shards() if shard is None else [shard]:
            for row in self._read(number):
                if ok is None or row.ok is ok:
                    yield row

    def records(self, shard: int | None = None, ok: bool | None = True) -> Iterator[R]:
        """The records of those rows; a row without a record is passed over."""
        for row in self.rows(shard, ok):
            if row.record is not None:
                yield row.record

    def counts(self, shard: int | None = None) -> Counts:
        """How the rows ended: of published shards by the manifest, of open ones by their database."""
        published = self.entry.shards
        numbers = self.shards() if shard is None else [shard]
        return Counts.total(published[n].counts if n in published else self._open_counts(n) for n in numbers)

    def put(self, shard: int, rows: Sequence[Row[R]]) -> None:
        """Record rows in an open shard; when this returns they are on the disk.

        The first success of a key stands, a success replaces a failure, and a failure adds its attempts to an
        earlier one.

        Raises:
            ValueError: the shard is published (`reopen` it), or a record cannot be stored exactly; nothing of
                this call is recorded.
            StorageFailed: the disk is full or not writable; nothing of this call is recorded.
        """
        self._require_writer(shard)
        if shard in self.entry.shards:
            raise ValueError(f"shard {shard} of {self.name} is published; reopen it first")
        self._opened(shard).put(rows)

    def publish(self, shard: int) -> None:
        """Turn an open shard into a Parquet file in the manifest. Harmless for one that is published, or that
        was never opened.

        Raises:
            StorageFailed: the disk is full or not writable; the open shard stands.
        """
        self._require_writer(shard)
        if shard in self.entry.shards or not self._db(shard).exists():
            return
        opened = self._opened(shard)
        entry = write_parquet(self._parquet(shard), self.codec, opened.plain())
        self._enter(lambda held: held.with_shard(self.name, shard, entry))
        self._verified.add(shard)
        del self._open[shard]
        opened.remove()

    def reopen(self, shard: int) -> None:
        """Turn a published shard into an open one with the same rows, so that more can be added. Harmless for
        an open one.

        Raises:
            StorageFailed: the disk is full or not writable; the published shard stands.
        """
        self._require_writer(shard)
        if not self.published(shard):
            return
        rows = read_parquet(self._parquet(shard), self.codec)
        self._forget(shard)
        remove_database(self._db(shard))
        self._opened(shard).put(rows)
        self._enter(lambda held: held.with_shard(self.name, shard, None))
        self._verified.discard(shard)
        with storage(self._parquet(shard)):
            remove(self._parquet(shard))

    def replace(self, shard: int, rows: Sequence[Row[R]]) -> None:
        """Publish these rows in the place of whatever the shard held: for what is derived anew from other
        stages.

        A shard that is equal already is left alone. A crash on the way leaves the old rows or the new ones.

        Raises:
            ValueError: two rows have one key, or a record cannot be stored exactly; the shard is what it was.
            StorageFailed: the disk is full or not writable.
        """
        self._require_writer(shard)
        if len({row.key for row in rows}) < len(rows):
            raise ValueError(f"{self.name}: two rows of shard {shard} have one key")
        path = self._parquet(shard)
        temporary, entry = write_aside(path, self.codec, [PlainRow.of(row, self.codec) for row in rows])
        if self.published(shard) and self.entry.shards[shard] == entry:
            temporary.unlink()
            return
        if shard in self.entry.shards:
            # Out of the manifest first: a new file under the old checksum would look damaged.
            self._enter(lambda held: held.with_shard(self.name, shard, None))
        with storage(path):
            replace_file(temporary, path)
        self._forget(shard)
        remove_database(self._db(shard))
        self._enter(lambda held: held.with_shard(self.name, shard, entry))
        self._verified.add(shard)

    def plan(self, planned: int, strays: int = 0) -> None:
        """Note how many rows the command at hand asks for, and how many on the books it does not, for `tenet
        status`.
        """
        self._require_writer()
        entry = replace(self.entry, planned=planned, strays=strays)
        if entry != self.entry:
            self._enter(lambda held: held.with_stage(self.name, replace(entry, shards=held.stages[self.name].shards)))

    def settle(self, plan: str) -> None:
        """Note that nothing is owed of the plan of this name; holds until a shard changes."""
        self._require_writer()
        self._enter(lambda held: held.with_stage(self.name, replace(held.stages[self.name], settled=plan)))

    def settled(self, plan: str) -> bool:
        """True where `settle` was called with this plan, and all that was there then reads back."""
        entry = self.entry
        if not plan or entry.settled != plan or self.unpublished:
            return False
        return all(self.published(number) for number in entry.shards) and self.entry.settled == plan

    @property
    def unpublished(self) -> bool:
        """True where a shard is open."""
        return any(self.path.glob("[0-9]*.db"))

    @property
    def state(self) -> str:
        """A digest of the published shards: equal for equal contents, for plans that depend on this stage."""
        return digest([[number, entry.sha256] for number, entry in sorted(self.entry.shards.items())])

    def take(self, shard: int) -> None:
        """Become the writer of a shard of a shared stage, until `give_back` or `close`.

        Raises:
            Locked: another process is its writer.
        """
        if shard not in self._taken:
            self._taken[shard] = FileLock(self.path / f".{shard:05d}.lock")

    def give_back(self, shard: int) -> None:
        """Let another process write to a shard that was taken."""
        self._forget(shard)
        held = self._taken.pop(shard, None)
        if held is not None:
            held.release()

    def close(self) -> None:
        """Close the open shards, and give back those that were taken. Closing twice is harmless."""
        for shard in list(self._open):
            self._forget(shard)
        for shard in list(self._taken):
            self.give_back(shard)

    def _parquet(self, shard: int) -> Path:
        return self.path / f"{shard:05d}.parquet"

    def _db(self, shard: int) -> Path:
        return self.path / f"{shard:05d}.db"

    def _enter(self, change: Callable[[Manifest], Manifest]) -> None:
        self._manifest.update(change)

    def _writes(self, shard: int) -> bool:
        return not self.read_only and (not self._shared or shard in self._taken)

    def _require_writer(self, shard: int | None = None) -> None:
        if self.read_only:
            raise ValueError(f"{self.path} was opened for reading")
        if self._shared and shard not in self._taken:
            what = "what belongs to the driver" if shard is None else f"shard {shard} before it was taken"
            raise ValueError(f"{self.path} is shared: no writing to {what}")

    def _check_type(self) -> None:
        held = self.entry.record
        if held != self.codec.name:
            raise UsageError(
                f"{self.path} holds records of type {held}; this version of Tenet keeps {self.codec.name} there.",
                hint="Go on with the version that made the run (see run.json), or start a run of another name.",
            )

    def _lose(self, path: Path, error: CorruptShard) -> None:
        """Set a damaged file aside; a reader must leave it and say what mends it."""
        if not self._writes(int(path.stem)):
            hint = f"Give the command that made it again: {self.resume}" if self.resume else ""
            raise MissingInput(f"{path} does not read back: {error}.", hint=hint) from error
        if path.exists():
            set_aside(path, str(error), self._say)
        else:
            self._say(f"{path} is gone; its rows will be asked for again")

    def _opened(self, shard: int) -> OpenShard[R]:
        """The open shard, made or reopened for writing; only a few stay open at a time."""
        held = self._open.pop(shard, None)
        if held is None:
            while len(self._open) >= MOST_OPEN:
                self._forget(next(iter(self._open)))
            try:
                held = OpenShard(self._db(shard), self.codec)
            except CorruptShard as error:
                self._lose(self._db(shard), error)
                held = OpenShard(self._db(shard), self.codec)
            if held.dropped:
                self._say(f"{held.path}: {held.dropped} damaged rows taken out; they will be asked for again")
        self._open[shard] = held
        return held

    def _forget(self, shard: int) -> None:
        held = self._open.pop(shard, None)
        if held is not None:
            held.close()

    @contextlib.contextmanager
    def _database(self, shard: int) -> Iterator[OpenShard[R] | None]:
        """An open shard to read from; None where there is none."""
        if not self._db(shard).exists():
            yield None
        elif not self._writes(shard):
            with contextlib.closing(OpenShard(self._db(shard), self.codec, read_only=True)) as opened:
                yield opened
        else:
            yield self._opened(shard)

    def _read(self, shard: int) -> list[Row[R]]:
        try:
            if self.published(shard):
                return read_parquet(self._parquet(shard), self.codec)
            with self._database(shard) as opened:
                if opened is not None:
                    return opened.rows()
            # A reader may come between the two looks of a shard that is being published.
            return read_parquet(self._parquet(shard), self.codec) if self.published(shard) else []
        except CorruptShard as error:
            hint = f"Give the command that made it again: {self.resume}" if self.resume else ""
            raise MissingInput(f"Shard {shard} of {self.path} does not read back: {error}.", hint=hint) from error

    def _open_counts(self, shard: int) -> Counts:
        if shard in self._open:
            return self._open[shard].counts()
        try:
            return peek_counts(self._db(shard))
        except sqlite3.Error:
            return Counts()
