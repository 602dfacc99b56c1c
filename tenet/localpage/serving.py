"""Serves a web page of this machine on 127.0.0.1 alone, at an address with a fresh token, until somebody stops it. Knows no page."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tenet.errors import UsageError

HOST: Final = "127.0.0.1"
_ICON: Final = Path(__file__).parent / "icon.svg"


def serve_page(make: Callable[[int, str], ASGIApp], *, port: int = 0, ready: Callable[[str], None]) -> None:
    """Serve until interrupted what `make(port, token)` gives; `ready` is told the address, with its token, once the page answers there.

    Raises:
        UsageError: the port is taken.
    """
    import uvicorn

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"port {port} cannot be used: {error.strerror}", hint="leave --port out, or name another"
        ) from error
    port, token = listener.getsockname()[1], secrets.token_urlsafe(24)
    app = make(port, token)
    listener.listen(128)
    ready(f"http://{HOST}:{port}/?token={token}")
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listener])


def static_routes(folder: Path, files: Mapping[str, tuple[str, str]]) -> list[Route]:
    """Routes to files of a folder, by path the file's name and its media type, and to the icon that all pages have at `/icon.svg`."""
    found = {path: (folder / name, kind) for path, (name, kind) in files.items()}
    found["/icon.svg"] = (_ICON, "image/svg+xml")
    return [Route(path, _sender(*one)) for path, one in found.items()]


def _sender(path: Path, kind: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def send(_: Request) -> Response:
        return FileResponse(path, media_type=kind)

    return send
