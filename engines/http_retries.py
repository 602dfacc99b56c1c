"""When a request is tried again: by the kind of each failure, a server's Retry-After and a deadline; in tenacity's terms. Asks nothing
itself.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from tenacity import RetryCallState

from engines.http_failures import Failure, Trouble

MALFORMED_TRIES: Final = 3
_LONGEST_PAUSE: Final = 30.0
_UNLIMITED: Final = frozenset({Trouble.BUSY, Trouble.DOWN})
_FINAL: Final = frozenset({Trouble.REFUSED, Trouble.FATAL})
_now = time.monotonic


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a server's own failure is tried, and the first pause, in seconds."""

    tries: int = 5
    backoff: float = 0.5


def worth_another_try(error: BaseException) -> bool:
    """Whether an error is a failure that may pass."""
    return isinstance(error, Failure) and error.trouble not in _FINAL


class Rules:
    """When one job is tried again: by the kind of its failures, a server's Retry-After, and the deadline."""

    def __init__(self, patience: Patience, deadline: float) -> None:
        self._patience = patience
        self._deadline = deadline
        self._random = random.Random()
        self._counts: Counter[Trouble] = Counter()
        self.last: Failure | None = None
        self.expired = False

    @property
    def tries(self) -> int:
        """How often it was asked."""
        return self._counts.total()

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - _now()

    def pause(self, state: RetryCallState) -> float:
        """Seconds until the next try. tenacity asks for this first, then for `over`."""
        failure = state.outcome.exception() if state.outcome else None
        assert isinstance(failure, Failure)
        self.last = failure
        self._counts[failure.trouble] += 1
        if failure.trouble is Trouble.DOWN:
            return 0.0  # the slot waits until some server is up
        if failure.retry_after is not None:
            return failure.retry_after * self._random.uniform(1.0, 1.25)
        most: float = self._patience.backoff * 2.0 ** min(20, self._counts[failure.trouble] - 1)
        return min(_LONGEST_PAUSE, most) * self._random.uniform(0.5, 1.0)

    def over(self, state: RetryCallState) -> bool:
        """Whether this was the last try."""
        failure = self.last
        assert failure is not None
        self.expired = self.left() <= state.upcoming_sleep
        if self.expired:
            return True
        if failure.trouble in _UNLIMITED:
            return False
        most = (
            min(MALFORMED_TRIES, self._patience.tries) if failure.trouble is Trouble.MALFORMED else self._patience.tries
        )
        return self._counts[failure.trouble] >= most
