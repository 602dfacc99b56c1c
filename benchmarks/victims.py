"""Processes that `benchmarks.kill_and_resume` kills: a command, the workers that write for it, and the scripted server that it asks; and
what each kill had asked twice.

Which questions were asked is in the log of the scripted engines (`engines.scripted_log`), with a line in it for each kill. A question that
is asked again after a kill was lost in it; one asked again without a kill between (the pre-flight's, or a retry) is nobody's loss.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from engines.scripted_server import scripted_server
from tenet.errors import EngineError
from tenet.runs.lock import is_held, read_holder
from tenet.runs.run import WORKERS

LONGEST_WAIT: Final = 200.0
LOOK: Final = 0.02


class Kind(StrEnum):
    """Who is killed."""

    COMMAND = "command"
    WORKER = "worker"
    SERVER = "server"


@dataclass(frozen=True)
class Kill:
    """A kill: of whom, and how many questions were asked again for it (None where nothing tells)."""

    kind: Kind
    again: int | None


class Log:
    """The file that scripted engines append their questions to, with the kills between them; without a file nothing is known."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._kinds: list[Kind] = []

    def mark(self, kind: Kind) -> None:
        """Note a kill: what was asked before it and is asked again was lost in it."""
        self._kinds.append(kind)
        if self.file is not None:
            with self.file.open("a") as out:
                out.write(f"{kind}\n")

    def take(self) -> list[Kill]:
        """The kills so far; the log begins anew."""
        kinds, self._kinds = self._kinds, []
        if self.file is None or not self.file.exists():
            return [Kill(kind, None) for kind in kinds]
        lines = self.file.read_text().splitlines()
        self.file.unlink()
        return [Kill(kind, count) for kind, count in zip(kinds, asked_again(lines), strict=True)]


def asked_again(lines: Iterable[str]) -> list[int]:
    """How many questions were asked again for each kill of a log. What a question's repetition is due to is the first kill after it was
    asked before.
    """
    counts: list[int] = []
    asked: dict[str, int] = {}
    for line in lines:
        if line in set(Kind):
            counts.append(0)
            continue
        before = asked.get(line, len(counts))
        if before < len(counts):
            counts[before] += 1
        asked[line] = len(counts)
    return counts


class Victim:
    """A command that is killed, it or one of its workers, and given again. Its run is in `folder`."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self._words = words
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._excused = False

    def excuse(self) -> None:
        """Let the command end once for want of its server, as it does where that is killed before it has been asked anything; it is given
        again.
        """
        self._excused = True

    def start(self) -> None:
        """Give the command, if it is not under way."""
        if self._process is None:
            self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def ends_within(self, seconds: float | None) -> bool:
        """Wait for the command, started if it is not under way. True where it came to its end."""
        self.start()
        assert self._process is not None
        try:
            _, err = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        code = self._process.returncode
        self._process = None
        if code == EngineError.exit_code and self._excused:
            self._excused = False
            self.start()
            return False
        if code:
            raise SystemExit(f"the command ended with {code}:\n{err}")
        return True

    def workers(self) -> list[int]:
        """The processes that write to the run for the command."""
        locks = sorted((self._folder / WORKERS).glob("*.lock"))
        holders = [read_holder(lock) for lock in locks if is_held(lock)]
        return sorted({holder.pid for holder in holders if holder is not None})

    def kill(self) -> None:
        """End the command without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def kill_worker(self, rng: random.Random) -> bool:
        """End one of the workers without a warning, once there is one. False where the command ends before."""
        until = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < until:
            if workers := self.workers():
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(workers), signal.SIGKILL)
                    return True
            if self.ends_within(LOOK):
                return False
        raise SystemExit(f"no worker came to {self._folder} in {LONGEST_WAIT:.0f} s")

    def await_workers(self) -> None:
        """Wait until the workers of a command that was killed have ended."""
        until = time.monotonic() + LONGEST_WAIT
        while self.workers():
            if time.monotonic() > until:
                raise SystemExit(f"workers of a killed command still write to {self._folder}")
            time.sleep(LOOK)


class Server:
    """A scripted server in a process of its own that can be killed and comes up again at the same port, as a supervisor would have it."""

    def __init__(self, options: Mapping[str, str | float]) -> None:
        self._options = dict(options)
        self._held = ExitStack()
        self.base_url = self._start(0)

    def kill(self) -> None:
        """End it without a warning."""
        self._held.close()

    def restart(self) -> None:
        """Start it again where it was."""
        self._start(int(self.base_url.removesuffix("/v1").rpartition(":")[2]))

    def _start(self, port: int) -> str:
        return self._held.enter_context(scripted_server(port=port, **self._options)).base_url


@contextmanager
def restartable(**options: str | float) -> Iterator[Server]:
    """A server to be killed, for the length of a `with`."""
    server = Server(options)
    try:
        yield server
    finally:
        server.kill()
