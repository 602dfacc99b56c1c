"""Ctrl-C, handled once: the first asks for a stop after the work in hand, the second ends the process where
it stands.

The second goes straight to the operating system, so it works inside native code too; what is recorded is safe
in either case. Knows nothing of the work.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """A context manager that watches for Ctrl-C; `requested` turns true at the first, and `heard` says that it was one.

    Outside the main thread Python delivers no signals: there it watches nothing, and the main thread decides. Several pieces of work
    may share one; whoever sets `requested` stops them all.
    """

    def __init__(self, say: Callable[[str], None], resume: str) -> None:
        self.requested = self.heard = False
        self._say = say
        self._resume = resume
        self._earlier: Callable[[int, FrameType | None], object] | int | None = None
        self._installed = False

    def __enter__(self) -> Self:
        self._earlier = signal.getsignal(signal.SIGINT)
        # A process whose SIGINT is ignored (nohup, a background job) goes on ignoring it.
        if threading.current_thread() is threading.main_thread() and callable(self._earlier):
            signal.signal(signal.SIGINT, self._heard)
            self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._earlier)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = self.heard = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        again = f" Go on later with: {self._resume}" if self._resume else ""
        self._say(f"Stopping after the work in hand; Ctrl-C again stops at once. What is recorded is safe.{again}")
