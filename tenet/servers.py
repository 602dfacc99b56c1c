"""What an engine tells of the servers behind it while they work: plain numbers for a person who looks on. Knows no protocol and no
engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerStats:
    """One server: `name` is its address, without credentials; counts are of requests and from the engine's start.

    `rate` is usable answers a second over the last minute, `p50` and `p95` the seconds that the latest ones of that minute took, None
    without any. `window` is how many requests it may hold now. `errors` counts attempts without a wholly usable answer, `retries`
    attempts after a request's first. A server that is `resting` takes no connection and is left alone for a while.
    """

    name: str
    answered: int = 0
    rate: float = 0.0
    in_flight: int = 0
    window: int = 0
    p50: float | None = None
    p95: float | None = None
    errors: int = 0
    retries: int = 0
    resting: bool = False


def slowest(servers: Sequence[ServerStats]) -> ServerStats | None:
    """The server with the largest median latency; None where fewer than two have answered in the last minute."""
    answering = [(server.p50, place) for place, server in enumerate(servers) if server.p50 is not None]
    return servers[max(answering)[1]] if len(answering) > 1 else None
