"""Which of several servers a request should go to, so that what it shares with others is in that server's prefix cache. Pure logic.

Requests of one group go to one server by rendezvous hashing (Thaler and Ravishankar 1998): the server whose hash with the
group is highest, so that another list of servers moves only the groups that it must. That is a preference. A server has its
own jobs first; one that has none left takes over from those whose window is full, that rest, or that have more than their
share in flight (`SLACK`), so that no server idles and none is waited for. It only works on jobs that it can choose from: that
is one thing that `LOOKAHEAD` is for.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

SLACK: Final = 1.25
"""How much more than an equal share of all requests in flight a server may have of its own."""

LOOKAHEAD: Final = 256
"""Requests a server to take ahead of its window: several prompts with all their questions, and enough to keep a server busy while
the caller is held up, as by a shard that it publishes."""


class Homed(Protocol):
    """A job that should go to the server at this place; None where that is all the same."""

    @property
    def home(self) -> int | None:
        """The server's place."""
        ...


J = TypeVar("J", bound=Homed)


class Homes:
    """Finds the server of each group."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = servers
        self._last: tuple[str, int | None] = ("", None)

    @property
    def ahead(self) -> int:
        """How many requests to take beyond those that keep the windows full."""
        return LOOKAHEAD * len(self._servers)

    def of(self, group: str) -> int | None:
        """The place of a group's server; None for requests without a group, and where there is only one server."""
        if not group or len(self._servers) == 1:
            return None
        if group != self._last[0]:
            self._last = group, max(range(len(self._servers)), key=lambda place: _weight(self._servers[place], group))
        return self._last[1]


class Waiting(Generic[J]):
    """Jobs that wait for one of so many servers, of which `most` requests may be in flight in all."""

    def __init__(self, servers: int, most: int) -> None:
        self._own: list[deque[J]] = [deque() for _ in range(servers)]
        self._common: deque[J] = deque()
        self._share = math.ceil(SLACK * most / servers)

    def put(self, job: J) -> None:
        """Let a job wait."""
        (self._common if job.home is None else self._own[job.home]).append(job)

    def take(self, loads: Sequence[tuple[int, float, int]]) -> tuple[int, J] | None:
        """The next job and the server that it goes to; None where none waits.

        `loads` are the servers that have room: place, how full the window is, requests in flight.
        """
        ranked = sorted(loads, key=lambda load: load[1])
        for place, _, in_flight in ranked:
            if self._own[place] and in_flight < self._share:
                return place, self._own[place].popleft()
        queue = self._common or max(self._own, key=len)
        return (ranked[0][0], queue.popleft()) if ranked and queue else None


def _weight(server: str, group: str) -> bytes:
    return hashlib.blake2b(f"{server}\n{group}".encode(), digest_size=8).digest()
