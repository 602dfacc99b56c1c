"""What can go wrong with one HTTP request, in kinds that say what to do about it, and the words for it. Knows no transport and no key
but the one it hides.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Any, Final

from tenet.errors import TenetError

_SHOWN: Final = 300
_MODEL: Final = re.compile(
    r"\bmodel\b.*(does not exist|not found|unknown|not exist|no such)|no such model", re.IGNORECASE
)
_BUSY: Final = frozenset({429, 503})


class Trouble(Enum):
    """Kinds of failure: BUSY asks to wait, DOWN takes no connection, LOST broke off or stayed silent, SERVER failed (5xx, 408, 409),
    MALFORMED is a 200 without a usable answer, REFUSED is this request's own fault, FATAL every request's.
    """

    BUSY = auto()
    DOWN = auto()
    LOST = auto()
    SERVER = auto()
    MALFORMED = auto()
    REFUSED = auto()
    FATAL = auto()


class Failure(Exception):
    """One attempt that came to nothing. `retry_after` is how many seconds the server asked to wait."""

    def __init__(self, trouble: Trouble, words: str, retry_after: float | None = None, *, status: int = 0) -> None:
        super().__init__(words)
        self.trouble = trouble
        self.retry_after = retry_after
        self.status = status

    @property
    def words(self) -> str:
        """What happened, for people."""
        return str(self.args[0])

    def without(self, secret: str) -> Failure:
        """The same failure with a secret taken out of its words."""
        if not secret or secret not in self.words:
            return self
        return Failure(self.trouble, self.words.replace(secret, "[key]"), self.retry_after, status=self.status)


def malformed(words: str) -> Failure:
    """A 200 whose body is no answer."""
    return Failure(Trouble.MALFORMED, words)


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """The failure that an HTTP status other than 200 means, in the server's words."""
    words = f"HTTP {status}: {said(body)}"
    if status in _BUSY:
        return Failure(Trouble.BUSY, words, retry_after(headers.get("Retry-After")), status=status)
    if status in (401, 403):
        return Failure(Trouble.FATAL, words, status=status)
    if status == 404 and _MODEL.search(words):
        return Failure(Trouble.FATAL, words, status=status)
    if status in (408, 409) or status >= 500:
        return Failure(Trouble.SERVER, words, retry_after(headers.get("Retry-After")), status=status)
    if 300 <= status < 400:
        return Failure(Trouble.REFUSED, f"HTTP {status}: a redirection, which is not followed", status=status)
    trouble = Trouble.REFUSED if 400 <= status < 500 else Trouble.MALFORMED
    return Failure(trouble, words, status=status)


def retry_after(text: str | None) -> float | None:
    """Seconds to wait by a Retry-After header: a number, or a date; None where there is neither."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def said(body: bytes) -> str:
    """What an error's body says: its message, or the beginning of its text."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        text = body[: 4 * _SHOWN].decode("utf-8", "replace").strip()
        return "an HTML page" if text[:1] == "<" else short(text) or "no words"
    return message(found) or "no words"


def message(found: Any) -> str:
    """The message in an error's JSON, empty where there is none."""
    for _ in range(3):
        if isinstance(found, str):
            return short(found)
        if not isinstance(found, dict):
            return ""
        found = next((found[name] for name in ("error", "message", "detail") if found.get(name)), None)
    return short(found) if isinstance(found, str) else ""


def short(text: str) -> str:
    """A text on one line, cut at a length that a record can carry."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."


def together(problems: Sequence[TenetError]) -> TenetError:
    """One error for all: of the first one's class, with each one's words."""
    first = problems[0]
    if len(problems) == 1:
        return first
    lines = [problem.message for problem in problems]
    return type(first)("\n".join([f"{len(problems)} of the servers cannot be used", *lines]), hint=first.hint)
