"""Who may ask a reward server, and how much they may send at once. ASGI middleware; knows nothing of rewards.

With a key, every request must bring it: `Authorization: Bearer KEY`, or as the password of an address (`http://tenet:KEY@host:port/...`),
for clients that take nothing but an address. Keys are compared in constant time. Without one the server is bound to this machine, and the
Host must be this machine's: a web page whose name was made to resolve to 127.0.0.1 is refused. `/health` answers everybody, and says
more to those who may ask.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HEALTH: Final = "/health"
ALLOWED: Final = "tenet.allowed"


class Guard:
    """Lets through who has the key, or, without one, who asks from this machine; says on the scope whether it was so."""

    def __init__(self, app: ASGIApp, *, key: str = "") -> None:
        self.app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            scope[ALLOWED] = self._knows_key(headers) if self._key else is_local(headers.get("host", ""))
            if not scope[ALLOWED] and scope["path"] != HEALTH:
                await self._refusal()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _knows_key(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            given = _password(given)
        elif kind.lower() != "bearer":
            given = ""
        return hmac.compare_digest(given.strip().encode(), self._key)

    def _refusal(self) -> JSONResponse:
        if self._key:
            error = "this server wants a key: Authorization: Bearer KEY, or http://tenet:KEY@host:port in the address"
            return JSONResponse({"error": error}, 401, {"WWW-Authenticate": "Bearer"})
        return JSONResponse({"error": "without a key this server answers its own machine only"}, 403)


def is_local(host: str) -> bool:
    """Whether a Host header, or a name to bind to, is this machine's loopback."""
    name = host.strip()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") < 2:
        name = name.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
