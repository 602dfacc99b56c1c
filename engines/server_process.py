"""Starts one server as a supervised process, waits until it is healthy, and always stops it. Knows no vLLM and no engine.

The server runs below `engines.server_supervisor`, in sessions of their own: Ctrl-C in the terminal does not reach it, and it ends with
this process however this process ends. What it prints goes to a log file, whose last lines are in the error of a failed start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from tenet.errors import EngineError, UsageError

HOST: Final = "127.0.0.1"
GRACE: Final = 20.0
ELSEWHERE: Final = "run Tenet under WSL, or start the server elsewhere and name it: engine: http, base_url: ADDRESS"
_SUPERVISOR: Final = Path(__file__).with_name("server_supervisor.py")
_LAST_LINES: Final = 15
_TAIL_BYTES: Final = 64 * 1024
_POLL: Final = 0.2
_PORT_TRIES: Final = 5
_TAKEN: Final = ("address already in use", "errno 98", "errno 48")
_opener: Final = build_opener(ProxyHandler({}))  # loopback: no proxy of the environment has a say


@dataclass(frozen=True)
class Launch:
    """How a server is started: `command` for a port, the environment's additions, its log, and the key that it demands, if any.

    `port` None takes a free one, and another one where somebody else was quicker. `without` names variables that it must not inherit.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    key: str = field(default="", repr=False)
    port: int | None = None
    without: Sequence[str] = ()


class ServerProcess:
    """One server that was started; `wait` until it is healthy before it is asked.

    Raises:
        UsageError: the port that was asked for is taken.
        EngineError: the process cannot be started, or its log not be written.
    """

    def __init__(self, launch: Launch, *, grace: float = GRACE) -> None:
        self.launch = launch
        self._grace = grace
        self._tries = 0
        if launch.port is not None:
            _require_free(launch.port)
        self._begin()

    @property
    def base_url(self) -> str:
        """Its address, with /v1."""
        return f"http://{HOST}:{self.port}/v1"

    @property
    def ended(self) -> bool:
        """Whether the server has ended."""
        return self._process.poll() is not None

    @property
    def died(self) -> bool:
        """Whether it has ended and was not told to."""
        return self._finalizer.alive and self.ended

    def wait(self, until: float, others: Sequence[ServerProcess] = ()) -> None:
        """Wait for /health until a time of the monotonic clock; stops the server where that fails.

        Raises:
            EngineError: it took too long, or it or one of `others` ended, with the last lines of the log.
        """
        began = time.monotonic()
        try:
            while not self._healthy():
                for other in others:
                    if other is not self and other.ended and not other._lost_its_port():
                        raise other.failure("did not start: it ended with " + other.status())
                if self.ended:
                    if self._lost_its_port():
                        self.stop()
                        self._begin()
                        continue
                    raise self.failure("did not start: it ended with " + self.status())
                if time.monotonic() > until:
                    words = f"is not healthy after {time.monotonic() - began:.0f} s"
                    raise self.failure(words, "raise options.start_timeout if it only needs longer; ")
                time.sleep(_POLL)
        except BaseException:
            self.stop()
            raise

    def ask_to_stop(self) -> None:
        """Have the server begin to end, without waiting for it."""
        _close(self._process.stdin)

    def stop(self) -> None:
        """End the server and all its processes, and wait until they are gone; doing so twice is harmless."""
        self._finalizer()

    def status(self) -> str:
        """How the server ended, in words."""
        code = self._process.poll()
        if code is None:
            return "no exit status yet"
        return f"signal {code - 128}" if code > 128 else f"exit status {code}"

    def failure(self, what: str, advice: str = "") -> EngineError:
        """An error that says what happened to this server, with the end of its log and where all of it is."""
        lines = self.last_lines()
        words = "\n    ".join(["; the last lines of its log:", *lines]) if lines else "; its log is empty"
        return EngineError(
            f"the server of {self.launch.name} {what}{words}", hint=f"{advice}the whole log: {self.launch.log}"
        )

    def last_lines(self) -> list[str]:
        """The end of what this server printed since its last start."""
        try:
            with self.launch.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, size - _TAIL_BYTES))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return []
        return [line.rstrip() for line in text.splitlines() if line.strip()][-_LAST_LINES:]

    def _begin(self) -> None:
        if sys.platform == "win32":
            raise EngineError(
                "servers are started on Linux and macOS only: ending them safely needs process groups", hint=ELSEWHERE
            )
        self._tries += 1
        self.port = self.launch.port or free_port()
        inherited = {name: value for name, value in os.environ.items() if name not in self.launch.without}
        try:
            self.launch.log.parent.mkdir(parents=True, exist_ok=True)
            with self.launch.log.open("ab") as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, our script
                    [sys.executable, "-I", "-S", str(_SUPERVISOR), str(os.getpid()), str(self._grace), "--",
                     *self.launch.command(self.port)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                    env={**inherited, **self.launch.environment},
                )  # fmt: skip
        except OSError as error:
            raise EngineError(
                f"the server of {self.launch.name} cannot be started: {error.strerror}: {error.filename or ''}",
                hint="name a log file that can be written: options.log",
            ) from None
        assert self._process.stdout is not None
        told = self._process.stdout.readline().strip()
        self.group = int(told) if told.isdigit() else None
        self._finalizer = weakref.finalize(self, _end, self._process, self.group, self._grace)

    def _lost_its_port(self) -> bool:
        """Whether it ended because somebody took its port, and another one may be tried."""
        text = " ".join(self.last_lines()).lower()
        return self.launch.port is None and self._tries < _PORT_TRIES and any(words in text for words in _TAKEN)

    def _healthy(self) -> bool:
        """Whether our server answers: with a key, what answers without it is somebody else's."""
        if self._status("/health") != 200:
            return False
        if not self.launch.key:
            return not self.ended
        return self._status("/v1/models", self.launch.key) == 200 and self._status("/v1/models") == 401

    def _status(self, path: str, key: str = "") -> int:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            with _opener.open(Request(f"http://{HOST}:{self.port}{path}", headers=headers), timeout=5) as reply:
                return int(reply.status)
        except HTTPError as error:
            with error:
                return int(error.code)
        except (OSError, HTTPException):
            return 0


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(
                f"port {port} of {HOST} cannot be used: {error.strerror}", hint="choose another port, or leave it out"
            ) from None


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()


def _end(process: subprocess.Popen[bytes], group: int | None, grace: float) -> None:
    """Have the supervisor stop everything; do it ourselves where the supervisor is gone or stuck."""
    _close(process.stdin)
    _close(process.stdout)
    try:
        killed = process.wait(grace + 10.0) < 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        killed = True
    if killed and group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
