"""Keeps labels in a file of their own, `labels.jsonl`, one a line, which only grows: a label is added, and never changed or deleted.

A person who takes a label back adds a line that says so; from then on the label counts nowhere. Several processes may add at once: a
line is written whole under a lock on the file and is on the disk when the call returns. A process that dies while it writes can leave
a line without an end; it was acknowledged to nobody, and the next reader or writer moves it aside into `labels.jsonl.torn`. Knows no
format and no run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from judges.humans.importer import LabelCounts, LabelSet, read_labels
from judges.humans.labels import WITHDRAWS, label_to_json
from tenet.errors import UsageError
from tenet.ids import Json, canonical_json
from tenet.records import Label
from tenet.runs import atomic

NAME: Final = "labels.jsonl"
TORN: Final = ".torn"
_TAIL: Final = 1 << 16


@dataclass(frozen=True)
class Merged:
    """What a store holds after an import: all its labels, and how many of them are new."""

    path: Path
    total: int
    new: int


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


def read_store(path: Path) -> tuple[Label, ...]:
    """Read the labels of a store that were not taken back; none where there is no such file.

    Raises:
        InvalidInput: a line is not a label; with its line.
        StorageFailed: a line without an end cannot be moved aside.
    """
    return read_all(path).labels


def read_all(path: Path) -> LabelSet:
    """Read a store with the ids of the labels that were taken back.

    Raises:
        InvalidInput: a line is not a label; with its line.
        StorageFailed: a line without an end cannot be moved aside.
    """
    if _ends_torn(path):
        with _locked(path):
            pass
    if not path.is_file() or not path.stat().st_size:
        return LabelSet((), LabelCounts())
    return read_labels(path, format="tenet", stored=True)


def add_labels(path: Path, labels: Sequence[Label]) -> Merged:
    """Add labels to a store, after those that it holds, leaving out what it holds or held already.

    Raises:
        InvalidInput: the store does not read back; it stays as it is.
        StorageFailed: the disk is full or not writable; the store stays as it is.
    """
    if not labels:
        return Merged(path, len(read_store(path)), 0)
    with _locked(path) as file:
        before = read_all(path)
        held = {label.id for label in before.labels} | before.withdrawn
        fresh = {label.id: label for label in labels if label.id not in held}
        _append(file, path, [label_to_json(label) for label in fresh.values()])
    return Merged(path, len(before.labels) + len(fresh), len(fresh))


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
    """The file, created if need be, for one writer at a time; what an earlier one left without an end is moved aside first."""
    atomic.make_folder(path.parent)
    with atomic.storage(path):
        created = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            if created:
                atomic.fsync_folder(path.parent)
            _lock(file)
            _mend(file, path)
            yield file
        finally:
            os.close(file)  # which lets go of the lock


def _lock(file: int) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows, where one writer at a time is up to the user
        return
    fcntl.flock(file, fcntl.LOCK_EX)


def _append(file: int, path: Path, rows: Sequence[Mapping[str, Json]]) -> tuple[int, int]:
    """Write lines at the end and have them reach the disk, all of them or none; the size before and after."""
    data = "".join(canonical_json(row) + "\n" for row in rows).encode("utf-8")
    size = os.fstat(file).st_size
    with atomic.storage(path):
        try:
            written = 0
            while written < len(data):
                written += os.write(file, data[written:])
            os.fsync(file)
        except OSError:
            os.ftruncate(file, size)
            raise
    return size, size + len(data)


def _ends_torn(path: Path) -> bool:
    """Whether the last line has no end; no where there is no file."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _mend(file: int, path: Path) -> None:
    """Give a last line that is whole its end, as editors may leave it out; move one that is not aside."""
    size = os.fstat(file).st_size
    tail, start = b"", size
    while start > 0 and b"\n" not in tail:
        step = min(_TAIL, start)
        start -= step
        tail = os.pread(file, step, start) + tail
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
