"""Who may talk to a local page: this machine's browser, at the page's own address, with the token that was printed. ASGI middleware.

A page on 127.0.0.1 can be reached by every web site that the same browser shows, and by every program of the machine. So: the Host must be
the page's own (a foreign name that resolves to 127.0.0.1 is refused), a request that writes must come from the page's own Origin, and all
must bring the token, once in the address and then in a cookie that no other site can send. What is sent back may be framed by nobody and
loads nothing from elsewhere. Knows nothing of what the page shows.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE: Final = ("GET", "HEAD")
_TOKEN: Final = "token"  # noqa: S105 - the name of a parameter


class Guard:
    """Lets through what may talk to the page at `port`, and puts the protecting headers on every answer.

    `command` printed the page's address; `name` is the page's own among the pages of this machine.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str, name: str, command: str) -> None:
        self.app, self.token, self.command = app, token, command
        self.cookie = f"tenet_{name}_{port}"  # browsers tell cookies of two ports apart by name alone
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._refusal(scope) or self._greeting(scope)
        await (answer or self.app)(scope, receive, protected)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in self.hosts:
            return _refused(f"this page answers at its own address only: open the one that `{self.command}` printed")
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return _refused("another web site asked for this; the page takes requests from itself only")
        if scope["method"] not in _SAFE and (
            origin is None or headers.get("sec-fetch-site", "same-origin") != "same-origin"
        ):
            return _refused("a request that writes must come from the page itself")
        if not any(self._is_token(one) for one in (self._brought(scope), self._kept(headers))):
            return _refused(f"no token, or an old one: open the address that `{self.command}` printed last")
        return None

    def _greeting(self, scope: Scope) -> Response | None:
        """The token moves from the address into a cookie and out of the browser's history; the rest of the address stays."""
        if scope["method"] not in _SAFE or not self._is_token(self._brought(scope)):
            return None
        rest = [(name, value) for name, value in _asked(scope) if name != _TOKEN]
        answer = RedirectResponse(scope["path"] + (f"?{urlencode(rest)}" if rest else ""), status_code=303)
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return answer

    def _brought(self, scope: Scope) -> str:
        return next((value for name, value in _asked(scope) if name == _TOKEN), "")

    def _kept(self, headers: Headers) -> str:
        kept: str = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        return kept

    def _is_token(self, value: str) -> bool:
        return hmac.compare_digest(value.encode("utf-8"), self.token.encode("utf-8"))


def _asked(scope: Scope) -> list[tuple[str, str]]:
    query: bytes = scope["query_string"]
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)


def _refused(why: str) -> Response:
    return PlainTextResponse(f"Refused: {why}.\n", status_code=403)
