"""Carries out one command of Tenet's in a process of its own, whose memory is free again afterwards. Knows no stage.

The process has a process group of its own, and what stops this one (Ctrl-C, SIGTERM, a closed terminal) is passed on to it once, so that
it can end its work in order while this one waits.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Final, Self

from tenet.errors import EXIT_INTERRUPTED

_STOPS: Final = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code as a shell tells it, its standard output where that was caught, whether it was told to stop."""

    code: int
    output: str | None
    stopped: bool


def run_command(words: Sequence[str], *, catch: bool = False) -> Ended:
    """Run `tenet WORDS` to its end; `catch` keeps its standard output, which otherwise goes where ours goes."""
    with _PassedOn() as passed:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            [sys.executable, "-m", "tenet", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if catch else None,
            process_group=0 if os.name == "posix" else None,
        )
        passed.to(process)
        output, _ = process.communicate()
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        text = output.decode("utf-8", "replace") if output is not None else None
        return Ended(code, text, passed.heard or code == EXIT_INTERRUPTED)


class _PassedOn:
    """Signals that would stop this process go to another one's group instead. Outside the main thread there are none."""

    def __init__(self) -> None:
        self.heard = False
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] = []
        self._earlier: dict[int, Any] = {}

    def to(self, process: subprocess.Popen[bytes]) -> None:
        """Say to which process; what was heard before goes to it now."""
        self._process = process
        for number in self._waiting:
            self._send(number)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _STOPS:
                # A process that ignores a signal (nohup, a background job) goes on ignoring it, and so does what it starts.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._earlier[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self.heard = True
        if self._process is None:
            self._waiting.append(number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            elif number != signal.SIGINT:  # a console of Windows sends Ctrl-C to all that share it
                self._process.terminate()
