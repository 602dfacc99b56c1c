"""Checks of the machine: the folder of runs, disk, file system, shared memory, limits of the process, ports.

Tries what a run does (a lock, a database, a rename) in a folder of its own, which it removes.
"""

from __future__ import annotations

import errno
import shlex
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from tenet.doctor.model import GIB, Finding, Level, Place
from tenet.runs.atomic import replace
from tenet.runs.filesystem import filesystem_type, is_local
from tenet.runs.lock import FileLock

PORT: Final = 8000
LEAST_DISK: Final = GIB
LEAST_SHM: Final = GIB
FEWEST_FILES: Final = 256
GOOD_FILES: Final = 1024
LEAST_FILE: Final = GIB
_TRIED: Final = 4 * 2**20


def folder(place: Place) -> Iterator[Finding]:
    """Whether runs can be kept in their folder: it is written to as a run does."""
    there = place.there()
    if not there.is_dir():
        cure = f"mv {shlex.quote(str(there))} {shlex.quote(str(there))}.away"
        yield Finding("runs", Level.BROKEN, f"Runs go to {place.runs}, and {there} is a file", cure)
        return
    try:
        _try(there)
    except OSError as error:
        yield Finding("runs", Level.BROKEN, f"Runs cannot be kept in {there}: {_cause(error)}", _cure(error, there))
        return
    except sqlite3.Error as error:
        cure = "tenet doctor --runs FOLDER  # find a folder on another disk; then tenet generate --runs FOLDER"
        yield Finding("runs", Level.BROKEN, f"Runs cannot be kept in {there}: SQLite says {error}", cure)
        return
    kind = filesystem_type(there)
    if is_local(there):
        yield Finding("runs", Level.OK, f"Runs can be kept in {there} ({kind}, a file system of this machine)")
    else:
        message = f"Runs can be kept in {there}, on {kind or 'a file system of unknown kind'}: as on a network, which is slower"
        yield Finding(
            "runs",
            Level.NOTE,
            message,
            "tenet generate --runs FOLDER, on a disk of this machine, unless workers share it",
        )


def _try(there: Path) -> None:
    """Lock, write, commit and rename as a run does.

    Raises:
        OSError, sqlite3.Error: what went wrong.
    """
    with tempfile.TemporaryDirectory(prefix=".tenet-doctor-", dir=there) as made:
        aside = Path(made) / "aside"
        aside.write_bytes(bytes(_TRIED))
        replace(aside, Path(made) / "final")
        with FileLock(Path(made) / "lock"), closing(sqlite3.connect(Path(made) / "rows.db")) as database:
            database.execute(f"PRAGMA journal_mode = {'WAL' if is_local(there) else 'DELETE'}")
            database.execute("CREATE TABLE rows (value)")
            database.execute("INSERT INTO rows VALUES (1)")
            database.commit()


def _cause(error: OSError) -> str:
    return f"{error.strerror or error}"


def _cure(error: OSError, there: Path) -> str:
    if error.errno == errno.EFBIG:
        return "ulimit -S -f unlimited"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free space there, or take a folder on another disk: tenet doctor --runs FOLDER, then tenet generate --runs FOLDER"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f'sudo chown -R "$USER" {shlex.quote(str(there))}  # or tenet generate --runs FOLDER'
    return "take a folder elsewhere: tenet doctor --runs FOLDER, then tenet generate --runs FOLDER"


def disk(place: Place) -> Iterator[Finding]:
    """Room for runs; a judgement takes well under a kilobyte, a trained model as much as the one it began with."""
    there = place.there()
    free = shutil.disk_usage(there).free
    words = f"{free / GIB:.1f} GiB are free where runs go ({there})"
    if free < LEAST_DISK:
        yield Finding(
            "disk", Level.WARNING, words, "free some, or take a folder on another disk: tenet generate --runs FOLDER"
        )
    else:
        yield Finding("disk", Level.OK, words)


def shared_memory(place: Place, path: Path = Path("/dev/shm")) -> Iterator[Finding]:  # noqa: ARG001, S108
    """Room in shared memory, which vLLM on several GPUs and Ray put tensors in; containers begin with 64 MiB."""
    if not path.is_dir():
        return
    total = shutil.disk_usage(path).total
    words = f"{path} holds {total / GIB:.1f} GiB"
    if total < LEAST_SHM:
        message = f"{words}: vLLM on several GPUs, and Ray, may end with a bus error"
        yield Finding("shm", Level.WARNING, message, "start the container with --shm-size=8g")
    else:
        yield Finding("shm", Level.OK, words)


def limits(place: Place) -> Iterator[Finding]:  # noqa: ARG001
    """What the shell lets a process have: open files, the size of a file."""
    if sys.platform == "win32":
        return
    import resource

    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < GOOD_FILES:
        more = 65_536 if most == resource.RLIM_INFINITY else min(most, 65_536)
        level = Level.BROKEN if files < FEWEST_FILES else Level.WARNING
        message = (
            f"A process may open {files} files only; servers with many requests in flight need {GOOD_FILES} or more"
        )
        yield Finding("limits", level, message, f"ulimit -S -n {more}")
    large, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if large != resource.RLIM_INFINITY and large < LEAST_FILE:
        message = f"A file may grow to {large:,} bytes only; shards and models are larger"
        yield Finding("limits", Level.BROKEN, message, "ulimit -S -f unlimited")
    elif files == resource.RLIM_INFINITY or files >= GOOD_FILES:
        yield Finding(
            "limits",
            Level.OK,
            f"A process may open {files if files != resource.RLIM_INFINITY else 'any number of'} files",
        )


def ports(place: Place) -> Iterator[Finding]:  # noqa: ARG001
    """Whether the port that `tenet serve` takes by itself is free."""
    if _free(PORT):
        yield Finding("ports", Level.OK, f"Port {PORT}, which `tenet serve judge MODEL` takes, is free")
        return
    other = next((port for port in range(PORT + 1, PORT + 200) if _free(port)), 0)
    message = f"Something answers on port {PORT}, which `tenet serve judge MODEL` takes unless told otherwise"
    yield Finding("ports", Level.WARNING, message, f"tenet serve judge MODEL --port {other}")


def _free(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
