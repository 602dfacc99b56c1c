"""How many requests to have in flight at one server: grows while throughput grows, shrinks when the server pushes back. Pure logic, which
is told the time; knows no HTTP.

A round is as many answers as fit into the window twice. While a round answers clearly more a second than the one before, the window
doubles; the first round that does not takes it back to where it was. From then on it tries a little more now and then. A push-back
(429, 503) halves it, at most once a round trip, and then it grows by a tenth a round, as TCP does, for the server's limit is known.
"""

from __future__ import annotations

from typing import Final

START: Final = 8
_CLEARLY: Final = 1.2
_A_LITTLE: Final = 1.05
_QUIET_ROUNDS: Final = 16


class Window:
    """The number of requests that may be in flight, at most `cap`. With `fixed` it is `cap`, whatever happens."""

    def __init__(self, cap: int, *, start: int = START, fixed: bool = False) -> None:
        self.cap = max(1, cap)
        self.in_flight = 0
        self._fixed = fixed
        self._limit = float(self.cap if fixed else min(max(1, start), self.cap))
        self._doubling = not fixed
        self._pushed = False
        self._halved_at = float("-inf")
        self._before = self._limit
        self._rate = 0.0
        self._quiet = 0
        self._since, self._answers, self._full = 0.0, 0, False
        self._open = False

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return int(self._limit)

    @property
    def room(self) -> int:
        """How many more requests may start now; negative after a push-back."""
        return self.limit - self.in_flight

    def started(self, now: float) -> None:
        """A request goes out."""
        if not self._open:
            self._begin(now)
            self._open = True
        self.in_flight += 1
        self._full = self._full or self.room <= 0

    def finished(self, now: float) -> None:
        """A request has its answer, whatever it is."""
        self.in_flight -= 1
        self._answers += 1
        if not self._fixed and self._answers >= 2 * self.limit:
            self._close(now)

    def abandoned(self) -> None:
        """A request was cancelled: it says nothing about the server."""
        self.in_flight -= 1

    def pushed_back(self, began: float, now: float) -> None:
        """The server refused a request that began then because it has too many."""
        if self._fixed or began < self._halved_at:
            return
        self._limit = max(1.0, self._limit / 2)
        self._halved_at = now
        self._doubling, self._pushed = False, True
        self._begin(now)

    def _begin(self, now: float) -> None:
        self._since, self._answers, self._full = now, 0, False

    def _close(self, now: float) -> None:
        """End a round and draw the conclusion. A round in which the window was never full says nothing."""
        rate = self._answers / max(now - self._since, 1e-9)
        full = self._full
        self._begin(now)
        if not full:
            return
        if self._doubling:
            if rate < self._rate * _CLEARLY:
                self._doubling = False
                self._limit = self._before
            else:
                self._grow(2.0, rate)
        elif self._pushed:
            self._grow(1.1, rate)
        elif self._limit > self._before:  # trying a little more
            if rate < self._rate * _A_LITTLE:
                self._limit = self._before
            self._before, self._rate, self._quiet = self._limit, rate, 0
        else:
            self._quiet += 1
            if self._quiet > _QUIET_ROUNDS:
                self._grow(1.25, rate)

    def _grow(self, factor: float, rate: float) -> None:
        self._before, self._rate = self._limit, rate
        self._limit = min(float(self.cap), max(self._limit + 1, self._limit * factor))
