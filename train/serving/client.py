"""Asks a reward server from another program. Needs Python's standard library and nothing else of Tenet but `tenet.errors`.

A connection is kept for each thread. A server that is busy (429, 503) or not there is asked again, after what it says in Retry-After or
after twice the wait before; an answer that would not change (400, 401, 422, ...) is an error at once.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from tenet.errors import EngineError, UsageError

URL_VARIABLE: Final = "TENET_REWARDS_URL"
KEY_VARIABLE: Final = "TENET_REWARDS_KEY"
AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
ROWS: Final = 256
_LONGEST_WAIT: Final = 30.0
_FIRST_WAIT: Final = 0.5

Prompt = str | Sequence[dict[str, str]]


class RewardClient:
    """One reward server. `url` and `key` are by default what the environment says in TENET_REWARDS_URL and TENET_REWARDS_KEY.

    Threads may share a client. `timeout` is in seconds an attempt.

    Raises:
        UsageError: there is no address, or it is none.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, timeout: float = 180.0, tries: int = 8
    ) -> None:
        url = url or os.environ.get(URL_VARIABLE, "")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            what = f"{url!r} is no address of a reward server" if url else "no address of a reward server"
            raise UsageError(what, hint=f"set {URL_VARIABLE}=http://127.0.0.1:5000, as `tenet serve rewards` prints it")
        key = key or parts.password or os.environ.get(KEY_VARIABLE, "")
        self.name = f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = parts.path.rstrip("/").removesuffix("/score").removesuffix("/get_reward") + "/score"
        self._headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        self._timeout, self._tries = timeout, tries
        self._local = threading.local()

    def score(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> list[float | None]:
        """The reward of each response to its prompt (a text, or messages); None where the server can say nothing.

        Raises:
            UsageError: the server refuses the request; with its reason.
            EngineError: it does not answer.
        """
        rewards: list[float | None] = []
        for start in range(0, len(responses), ROWS):
            part = slice(start, start + ROWS)
            rewards += self._asked({"prompts": list(prompts[part]), "responses": list(responses[part])})
        return rewards

    def _asked(self, body: dict[str, Any]) -> list[float | None]:
        sent = json.dumps(body).encode()
        wait, problem = _FIRST_WAIT, ""
        for attempt in range(self._tries):
            if attempt:
                time.sleep(wait * random.uniform(0.75, 1.25))
            try:
                status, told, again = self._posted(sent)
            except (OSError, http.client.HTTPException) as error:
                self._forget()
                problem, again = f"{type(error).__name__}: {error}", None
            else:
                if status == 200:
                    return self._read(told, len(body["responses"]))
                problem = f"status {status}: {_reason(told)}"
                if status not in AGAIN:
                    raise UsageError(f"{self.name}: {problem}")
            wait = min(_LONGEST_WAIT, 2 * wait if again is None else max(again, _FIRST_WAIT))
        raise EngineError(
            f"{self.name}: no rewards after {self._tries} attempts; the last: {problem}",
            hint=f"is `tenet serve rewards` running there? curl {self.name}/health",
        )

    def _posted(self, sent: bytes) -> tuple[int, bytes, float | None]:
        connection = self._connection()
        connection.request("POST", self._path, sent, self._headers)
        reply = connection.getresponse()
        told = reply.read()
        return reply.status, told, _seconds(reply.getheader("Retry-After"))

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            if self._secure:
                context = ssl.create_default_context()
                found = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=context)
            else:
                found = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
            self._local.connection = found
        return found

    def _forget(self) -> None:
        self._connection().close()
        self._local.connection = None

    def _read(self, told: bytes, count: int) -> list[float | None]:
        try:
            rewards = json.loads(told)["rewards"]
            found = [None if one is None else float(one) for one in rewards]
        except (ValueError, KeyError, TypeError):
            found = []
        if len(found) != count:
            raise EngineError(
                f"{self.name} answered, but not with {count} rewards", hint="is it a reward server of Tenet?"
            )
        return found


def shared_client(url: str | None = None) -> RewardClient:
    """The client of an address, by default of the one in the environment; the same one each time.

    Raises:
        UsageError: there is no address, or it is none.
    """
    return _kept(url or os.environ.get(URL_VARIABLE, ""))


@cache
def _kept(url: str) -> RewardClient:
    return RewardClient(url)


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdecimal() else None


def _reason(told: bytes) -> str:
    try:
        return str(json.loads(told)["error"])[:500]
    except (ValueError, KeyError, TypeError):
        return told[:200].decode("utf-8", "replace")
