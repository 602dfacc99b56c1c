"""One writer at a time, by a lock that dies with its holder and says who that is.

Uses `flock` where the system has it. Where it has not, or the file system refuses it (some network mounts), a
file made exclusively takes its place; such a file outlives a crash, so one whose process is gone on this host
counts as free. Knows nothing of runs.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tenet.runs.atomic import storage

POLL_SECONDS = 0.02
RETRIES = 3

# Descriptors of held locks. A forked child closes its copies, lest a lock outlive the process that took it.
_HELD: set[int] = set()


def _close_in_child() -> None:
    for descriptor in list(_HELD):
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


@dataclass(frozen=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    since: str

    @property
    def alive(self) -> bool:
        """False only where the process is known to be gone: it ran on this host and is there no more."""
        if self.host != socket.gethostname():
            return True
        import psutil  # `os.kill(pid, 0)` asks on POSIX; on Windows it sends Ctrl-C

        return bool(psutil.pid_exists(self.pid))


class Locked(Exception):
    """Somebody else holds the lock; `holder` is None where that cannot be read."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(holder)
        self.holder = holder


class FileLock:
    """An exclusive lock on a path, held from construction to `release` (or the end of a `with`).

    Raises:
        Locked: it is taken and `wait` is false.
        StorageFailed: the lock file cannot be made.
    """

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._marker: Path | None = None
        tries = 0
        while not self._try():
            tries += 1
            # `is_held` takes the lock for a moment: one refusal proves nothing.
            if tries > RETRIES and not wait:
                raise Locked(read_holder(path))
            time.sleep(POLL_SECONDS)

    def release(self) -> None:
        """Let the lock go. Releasing twice is harmless."""
        if self._descriptor is not None:
            _HELD.discard(self._descriptor)
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
        if self._marker is not None:
            self._marker.unlink(missing_ok=True)
            self._marker = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _try(self) -> bool:
        with storage(self.path):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        taken = _flock(descriptor)
        if taken is None:
            os.close(descriptor)
            return self._try_marker()
        if not taken:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _myself().encode())
        _HELD.add(descriptor)
        self._descriptor = descriptor
        return True

    def _try_marker(self) -> bool:
        marker = self.path.with_name(self.path.name + ".held")
        holder = read_holder(marker)
        if holder is not None and not holder.alive:
            marker.unlink(missing_ok=True)
        try:
            with marker.open("x", encoding="utf-8", newline="\n") as file:
                file.write(_myself())
        except FileExistsError:
            return False
        self._marker = marker
        return True


def read_holder(path: Path) -> Holder | None:
    """Who last took the lock at a path; None where nobody holds it or the file cannot be read."""
    for place in (path, path.with_name(path.name + ".held")):
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Holder(**json.loads(place.read_text(encoding="utf-8")))
    return None


def is_held(path: Path) -> bool:
    """True while a process holds the lock; asked of the lock itself where there is one, else of its holder's
    process.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        taken = _flock(descriptor, shared=True)
    finally:
        os.close(descriptor)
    if taken is not None:
        return not taken
    holder = read_holder(path)
    return holder is not None and holder.alive


def _myself() -> str:
    return json.dumps(asdict(Holder(os.getpid(), socket.gethostname(), time.strftime("%Y-%m-%dT%H:%M:%S%z"))))


def _flock(descriptor: int, *, shared: bool = False) -> bool | None:
    """True if the lock is ours now, False if another's, None where there is no such lock."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        return None
    return True
