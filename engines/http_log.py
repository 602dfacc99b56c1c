"""What became of the requests to one server: counts, the last minute's rate, the latest latencies. Cheap enough to note every answer,
and of fixed size. Is told the time; knows no HTTP.

One thread notes, any thread may read.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from tenet.servers import ServerStats

SPAN: Final = 60
"""Seconds that a rate and latencies look back."""
LATEST: Final = 1024
"""Most latencies that are kept."""


class ServerLog:
    """Every attempt is noted twice: when it starts, and by one of `answered`, `failed` and `cancelled`."""

    def __init__(self) -> None:
        self._answered = self._errors = self._retries = self._in_flight = 0
        self._since = 0.0  # when the server was first given something to do after a minute without answers
        self._last = float("-inf")
        self._latest: deque[tuple[float, float]] = deque(maxlen=LATEST)  # (when, seconds)
        self._seconds = [-1] * SPAN  # which second of time each of the counts is of
        self._counts = [0] * SPAN

    def started(self, now: float, *, again: bool) -> None:
        """A request goes out, for the first time or again."""
        if not self._in_flight and now - self._last > SPAN:
            self._since = now
        self._in_flight += 1
        self._retries += again

    def answered(self, began: float, now: float) -> None:
        """A request that went out at `began` has a usable answer."""
        self._in_flight -= 1
        self._answered += 1
        self._last = now
        self._latest.append((now, now - began))
        second = math.floor(now)
        place = second % SPAN
        if self._seconds[place] != second:
            self._seconds[place], self._counts[place] = second, 0
        self._counts[place] += 1

    def failed(self) -> None:
        """A request has no answer, or one that is not usable as a whole."""
        self._in_flight -= 1
        self._errors += 1

    def cancelled(self) -> None:
        """Nobody waits for a request any more."""
        self._in_flight -= 1

    def stats(self, name: str, now: float, *, window: int, resting: bool) -> ServerStats:
        """How the server does now."""
        latencies = sorted(seconds for when, seconds in list(self._latest) if now - when <= SPAN)
        return ServerStats(
            name, self._answered, self._rate(now), self._in_flight, window,
            _quantile(latencies, 0.5), _quantile(latencies, 0.95), self._errors, self._retries, resting,
        )  # fmt: skip

    def _rate(self, now: float) -> float:
        first = math.floor(now) - SPAN + 1
        total = sum(count for second, count in zip(self._seconds, self._counts, strict=True) if second >= first)
        seconds = now - max(self._since, float(first))
        return total / seconds if total and seconds > 0 else 0.0


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share of all does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
