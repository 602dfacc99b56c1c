"""Keeps labels in a file of their own, `labels.jsonl`, one a line, which only grows: a label is added, and never changed or deleted.

A person who takes a label back adds a line that says so; from then on the label counts nowhere. Several processes may add at once: what
one adds is written under a lock on the file and is on the disk when the call returns; what fails midway is cut off again. Labels go from
their source to the file one by one, so that memory does not grow with their texts. A process that dies while it writes can leave a line
without an end; it was acknowledged to nobody, and the next reader or writer moves it aside into `labels.jsonl.torn`. Readers take no lock:
they read what was whole when they began. Knows no format and no run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from judges.humans.counts import LabelCounts
from judges.humans.importer import Labels, LabelSet, read_labels
from judges.humans.labels import WITHDRAWS, label_to_json
from tenet.errors import UsageError
from tenet.ids import Json, canonical_json, file_digest
from tenet.records import Label
from tenet.runs import atomic

NAME: Final = "labels.jsonl"
TORN: Final = ".torn"
_TAIL: Final = 1 << 16
_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class Merged:
    """What a store holds after an import: the labels that count, how many of them are new, and how many others were taken back."""

    path: Path
    total: int
    new: int
    taken_back: int = 0


def store_path(target: Path) -> Path:
    """Return the file of labels that a target means: a folder (a run's, say) or a `.jsonl` file.

    Raises:
        UsageError: it is neither.
    """
    if target.is_dir():
        return target / NAME
    if target.suffix == ".jsonl":
        return target
    raise UsageError(f"{target} is no folder and no .jsonl file", hint=f"name a run's folder, or a file: --to {NAME}")


def stored_labels(path: Path) -> Iterator[Label]:
    """The labels of a store that were not taken back, one after the other; none where there is no such file.

    Raises:
        InvalidInput: a line is not a label; with its line.
        StorageFailed: a line without an end cannot be moved aside.
    """
    end = _whole(path)
    if end:
        yield from Labels(path, format="tenet", stored=True, end=end)


def read_store(path: Path) -> tuple[Label, ...]:
    """Read the labels of a store that were not taken back; none where there is no such file.

    Raises:
        InvalidInput: a line is not a label; with its line.
        StorageFailed: a line without an end cannot be moved aside.
    """
    return tuple(stored_labels(path))


def read_all(path: Path) -> LabelSet:
    """Read a store with the ids of the labels that were taken back.

    Raises:
        InvalidInput: a line is not a label; with its line.
        StorageFailed: a line without an end cannot be moved aside.
    """
    end = _whole(path)
    return read_labels(path, format="tenet", stored=True, end=end) if end else LabelSet((), LabelCounts())


def store_digest(path: Path) -> str:
    """The SHA-256 of a store as it is, by which a reader learns later whether labels were added or taken back; empty where it has none.

    Raises:
        StorageFailed: the file cannot be read.
    """
    with atomic.storage(path):
        if not path.is_file() or not path.stat().st_size:
            return ""
        return file_digest(path)


def add_labels(path: Path, labels: Iterable[Label], *, withdrawn: Collection[str] = ()) -> Merged:
    """Add labels to a store, after those that it holds, leaving out what it holds or held already.

    `withdrawn` are ids of labels that are taken back where the store holds them. Others who write to the store wait meanwhile.

    Raises:
        InvalidInput: the store does not read back; it stays as it is. So it does where `labels` raises.
        StorageFailed: the disk is full or not writable; the store stays as it is.
    """
    coming = iter(labels)
    first = next(coming, None)
    if first is None and not withdrawn:
        return Merged(path, sum(1 for _ in stored_labels(path)), 0)
    with _locked(path) as file:
        size = os.fstat(file).st_size
        store = Labels(path, format="tenet", stored=True, end=size) if size else None
        gone = {*withdrawn, *(store.withdrawn if store else ())}
        held, back = set[bytes](), list[str]()
        for label in store or ():
            held.add(bytes.fromhex(label.id))
            if label.id in gone:
                back.append(label.id)
        before = len(held)
        fresh = _fresh(chain([] if first is None else [first], coming), held, gone)
        _append(file, path, chain(map(label_to_json, fresh), ({WITHDRAWS: name} for name in back)))
    return Merged(path, len(held) - len(back), len(held) - before, len(back))


def _fresh(labels: Iterable[Label], held: set[bytes], gone: Collection[str]) -> Iterator[Label]:
    """The labels that are not held yet, which then are, and that were not taken back."""
    for label in labels:
        name = bytes.fromhex(label.id)
        if name not in held and label.id not in gone:
            held.add(name)
            yield label


def append_label(path: Path, label: Label) -> tuple[int, int]:
    """Add a label that the caller knows to be new, without reading the store; it is on the disk when this returns.

    Returns:
        The size of the store in bytes before and after: a caller that had seen another size learns that others wrote.

    Raises:
        StorageFailed: the disk is full or not writable; the store stays as it is.
    """
    with _locked(path) as file:
        return _append(file, path, [label_to_json(label)])


def withdraw_label(path: Path, label_id: str, annotator: str, time: str) -> tuple[int, int]:
    """Take a label back: it stays in the file and counts no longer. Returns what `append_label` does.

    Raises:
        StorageFailed: the disk is full or not writable; the store stays as it is.
    """
    with _locked(path) as file:
        return _append(file, path, [{WITHDRAWS: label_id, "annotator": annotator, "time": time}])


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, created if need be, for one writer at a time; what an earlier one left without an end is moved aside first.

    A file that stays empty is removed again.
    """
    atomic.make_folder(path.parent)
    with atomic.storage(path):
        file = _opened(path)
    try:
        with atomic.storage(path):
            _mend(file, path)
        yield file
    finally:
        with suppress(OSError):
            if not os.fstat(file).st_size:
                path.unlink()
        os.close(file)  # which lets go of the lock


def _opened(path: Path) -> int:
    """The file with its lock. Whoever waited for the lock of a file that was then removed opens the new one."""
    while True:
        created = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        try:
            if created:
                atomic.fsync_folder(path.parent)
            _lock(file)
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows, where one writer at a time is up to the user
        return
    fcntl.flock(file, fcntl.LOCK_EX)


def _append(file: int, path: Path, rows: Iterable[Mapping[str, Json]]) -> tuple[int, int]:
    """Write lines at the end and have them reach the disk, all of them or none; the size before and after."""
    size = end = os.fstat(file).st_size
    try:
        for block in _blocks(rows):
            with atomic.storage(path):
                _write(file, block)
            end += len(block)
        with atomic.storage(path):
            os.fsync(file)
    except BaseException:
        os.ftruncate(file, size)
        raise
    return size, end


def _blocks(rows: Iterable[Mapping[str, Json]]) -> Iterator[bytes]:
    """Rows as whole lines, many at a time."""
    block = bytearray()
    for row in rows:
        block += (canonical_json(row) + "\n").encode("utf-8")
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


def _write(file: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.write(file, data[written:])


def _whole(path: Path) -> int:
    """The size of a store whose lines are all whole, 0 where there is none; waits for a writer who is in the midst of a line."""
    if not path.is_file() or not path.stat().st_size:
        return 0
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read(1) == b"\n":
            return size
    with _locked(path) as held:
        return os.fstat(held).st_size


def _mend(file: int, path: Path) -> None:
    """Give a last line that is whole its end, as editors may leave it out; move one that is not aside."""
    size = os.fstat(file).st_size
    tail, start = b"", size
    while start > 0 and b"\n" not in tail:
        step = min(_TAIL, start)
        start -= step
        os.lseek(file, start, os.SEEK_SET)
        tail = os.read(file, step) + tail
    tail = tail[tail.rfind(b"\n") + 1 :]
    if not tail:
        return
    if _is_row(tail):
        os.write(file, b"\n")
    else:
        with path.with_name(path.name + TORN).open("ab") as aside:
            aside.write(tail + b"\n")
            aside.flush()
            os.fsync(aside.fileno())
        os.ftruncate(file, size - len(tail))
    os.fsync(file)


def _is_row(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
