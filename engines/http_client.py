"""Speaks HTTP to one or several OpenAI-compatible servers: one request, one attempt, one answer or one `Failure`. Knows no engine, and
retries nothing; `engines.http_flow` does.

Redirects are not followed, bodies are limited, proxies are ignored unless asked for, and the key appears in no message.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from yarl import URL

from engines.http_failures import Failure, Trouble, malformed, message, of_status, said, short
from engines.http_log import ServerLog

MAX_BODY: Final = 64 * 2**20
_LARGE: Final = 2**20
_KEEP_ALIVE: Final = 4.0  # less than the 5 s after which uvicorn, under vLLM and others, closes a connection
_FIRST_REST: Final = 0.25
_LONGEST_REST: Final = 15.0


@dataclass(frozen=True)
class Limits:
    """Seconds: to connect, until the answer is there, and for one request with all its retries."""

    connect: float = 10.0
    read: float = 120.0
    deadline: float = 600.0

    def attempt(self, left: float) -> aiohttp.ClientTimeout:
        """The timeouts of one attempt when so many seconds are left: one for all of it, so that an answer cannot drip for ever."""
        return aiohttp.ClientTimeout(total=max(0.001, min(left, self.connect + self.read)), sock_connect=self.connect)


@dataclass
class Endpoint:
    """One server, and how it has been lately. Servers that take no connection rest, each time for longer."""

    base: str
    down: int = 0
    rests_until: float = 0.0
    last: Failure | None = None
    urls: dict[str, URL] = field(default_factory=dict)
    log: ServerLog = field(default_factory=ServerLog)

    def url(self, path: str) -> URL:
        """The address of a path under the base."""
        if path not in self.urls:
            self.urls[path] = URL(self.base + path)
        return self.urls[path]

    @property
    def root(self) -> str:
        """The base without its /v1, where servers keep what is not OpenAI's."""
        return self.base.removesuffix("/v1")

    def failed(self, now: float, failure: Failure) -> None:
        """It took no connection."""
        self.last = failure
        if now >= self.rests_until:
            self.rests_until = now + min(_LONGEST_REST, _FIRST_REST * 2**self.down)
            self.down += 1

    def well(self) -> None:
        """It answered."""
        self.down, self.rests_until = 0, 0.0


class Client:
    """Connections to servers; make and use it inside one event loop, and close it there."""

    def __init__(self, bases: Sequence[str], key: str, limits: Limits, *, trust_env: bool = False) -> None:
        self.endpoints = [Endpoint(base) for base in bases]
        self.limits = limits
        self._key = key
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE, ttl_dns_cache=300),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=trust_env,
            skip_auto_headers=("User-Agent",),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, url: URL, body: bytes, timeout: aiohttp.ClientTimeout) -> dict[str, Any]:
        """Send a JSON body and return the JSON object that comes back.

        Raises:
            Failure: whatever else happened.
        """
        data = body if len(body) < _LARGE else io.BytesIO(body)
        return await self._ask("POST", url, timeout, data)

    async def get(self, url: URL, timeout: aiohttp.ClientTimeout) -> dict[str, Any]:
        """The JSON object at an address.

        Raises:
            Failure: whatever else happened.
        """
        return await self._ask("GET", url, timeout, None)

    async def _ask(
        self, method: str, url: URL, timeout: aiohttp.ClientTimeout, data: bytes | io.BytesIO | None
    ) -> dict[str, Any]:
        try:
            async with self._session.request(method, url, data=data, timeout=timeout, allow_redirects=False) as reply:
                raw = await _body(reply)
                if reply.status != 200:
                    raise of_status(reply.status, reply.headers, raw).without(self._key)
        except Failure:
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise Failure(Trouble.DOWN, self._told("cannot connect", error)) from None
        except TimeoutError:
            raise Failure(Trouble.LOST, f"no answer within {timeout.total:g} s") from None
        except aiohttp.ClientResponseError as error:
            raise malformed(self._told("no HTTP", error)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Failure(Trouble.LOST, self._told("the connection broke", error)) from None
        return self._parsed(raw)

    def _parsed(self, raw: bytes) -> dict[str, Any]:
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            what = said(raw) if raw[:1] == b"<" else "no whole JSON"
            raise malformed(f"the answer is {what}").without(self._key) from None
        if not isinstance(found, dict):
            raise malformed("the answer is no JSON object")
        if found.get("error"):
            words = f"the server answered with an error: {message(found) or 'no words'}"
            raise malformed(words).without(self._key)
        return found

    def _told(self, what: str, error: BaseException) -> str:
        text = f"{what}: {short(str(error)) or type(error).__name__}"
        return text.replace(self._key, "[key]") if self._key else text


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    """A body of at most `MAX_BODY` bytes.

    Raises:
        Failure: it is longer.
    """
    if reply.content_length is not None and reply.content_length <= MAX_BODY:
        return await reply.read()
    parts: list[bytes] = []
    size = 0
    async for part in reply.content.iter_any():
        size += len(part)
        if size > MAX_BODY:
            reply.close()
            raise malformed(f"the answer is longer than {MAX_BODY // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)
