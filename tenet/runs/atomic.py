"""Files that are either the old ones or the new ones, whenever the power goes: written aside, fsynced,
renamed, folder fsynced.

Every step that reaches for the disk goes through one of the small functions here, so that a test can stop the
program at each of them. Knows nothing of runs. A full disk or a missing permission becomes `StorageFailed`
with the path and what is safe.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tenet.errors import StorageFailed

TEMPORARY = ".tmp"

_CURES = {
    errno.ENOSPC: ("the disk is full", "Free some space and give the same command again."),
    errno.EDQUOT: ("your quota on this disk is used up", "Free some space and give the same command again."),
    errno.EFBIG: ("the file would grow past the largest size allowed here", "Raise the limit (ulimit -f) and go on."),
    errno.EACCES: ("permission denied", "Make the folder writable, or choose another place for the run."),
    errno.EPERM: ("permission denied", "Make the folder writable, or choose another place for the run."),
    errno.EROFS: ("the file system is read-only", "Choose another place for the run."),
    errno.EMFILE: ("too many open files", "Raise the limit (ulimit -n) and give the same command again."),
}
_SQLITE_CURES = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
}
SAFE = "Everything recorded before this is kept."


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn what the disk or SQLite complains of into one clear error.

    Raises:
        StorageFailed: with the path, the cause, what is safe and what to do.
    """
    try:
        yield
    except OSError as error:
        cause, cure = _CURES.get(error.errno or 0, (error.strerror or str(error), "Mend the disk and go on."))
        raise StorageFailed(f"{path}: {cause}. {SAFE}", hint=cure) from error
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        cause, cure = _CURES.get(_SQLITE_CURES.get(code, 0), (str(error), "Mend the disk and go on."))
        raise StorageFailed(f"{path}: {cause}. {SAFE}", hint=cure) from error


class CorruptShard(Exception):
    """A shard that does not read back; its stage sets it aside."""


def fsync_file(path: Path) -> None:
    """Have the file's content reach the disk. It is opened for writing: Windows flushes no other."""
    _fsync(path, os.O_RDWR)


def fsync_folder(path: Path) -> None:
    """Have the folder's list of names reach the disk; a no-op where folders cannot be opened (Windows)."""
    if os.name == "posix":
        _fsync(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def replace(aside: Path, final: Path) -> None:
    """Put a finished file in its place, in one step that survives a crash. Both lie in the same folder."""
    os.replace(aside, final)  # noqa: PTH105 - the one call whose atomicity is documented by POSIX rename
    fsync_folder(final.parent)


def remove(path: Path) -> None:
    """Delete a file if it is there, and have that reach the disk."""
    path.unlink(missing_ok=True)
    fsync_folder(path.parent)


def aside(path: Path) -> Path:
    """Where a new version of a file is written before it takes its place; swept when a run is opened."""
    return path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")


def make_folder(path: Path) -> None:
    """Create a folder and the missing ones above it, durably."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    with storage(path):
        path.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            fsync_folder(folder.parent)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write piece by piece, which takes the place of `path` when the block ends; if it raises, the old content stands.

    Raises:
        StorageFailed: the disk is full or not writable; the old content stands.
    """
    temporary = aside(path)
    with storage(path):
        try:
            with temporary.open("wb") as file:
                yield file
            fsync_file(temporary)
            replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content as a whole.

    Raises:
        StorageFailed: the disk is full or not writable; the old content stands.
    """
    with replacing(path) as file:
        file.write(data)


def write_text(path: Path, text: str) -> None:
    """Replace a file's content as a whole, as UTF-8 with the line ends as they are given.

    Raises:
        StorageFailed: the disk is full or not writable; the old content stands.
    """
    write_bytes(path, text.encode("utf-8"))


def sweep(folder: Path) -> None:
    """Remove what earlier, killed writers left aside in this folder."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def _fsync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
