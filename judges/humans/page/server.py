"""The labelling page's web server: three static files and a small JSON interface, on 127.0.0.1 alone.

What is sent to the page is text made safe (`page.text`), and never what a judge said of the pair that is shown. Who may ask is decided in
`tenet.localpage.guard`, what is shown and kept in `page.session`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from judges.humans.page.session import AlreadyAnswered, Answer, Session, Shown
from judges.humans.page.text import to_html
from tenet.errors import InvalidInput, StorageFailed, TenetError, UsageError
from tenet.ids import Json
from tenet.localpage.guard import Guard
from tenet.localpage.serving import serve_page, static_routes
from tenet.records import Choice

STATIC: Final = Path(__file__).parent / "static"
LARGEST_BODY: Final = 64 * 1024
_FILES: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}


@dataclass(frozen=True)
class Page:
    """What the page is told beside the labels: the run's name, how its queue was drawn, and a name to begin with."""

    title: str
    queue: str
    annotator: str = ""


def application(session: Session, page: Page, *, port: int, token: str) -> Starlette:
    """The page as an ASGI application that answers at 127.0.0.1:`port` to whoever has the token."""

    async def start(_: Request) -> Response:
        return JSONResponse({"title": page.title, "queue": page.queue, "annotator": page.annotator})

    async def item(request: Request) -> Response:
        name = request.query_params.get("annotator", "")
        return await _answered(lambda: _state(session, name))

    async def label(request: Request) -> Response:
        def keep(told: dict[str, Any]) -> dict[str, Json]:
            answer = _answer(told)
            return {"label": session.answer(answer), **_state(session, answer.annotator)}

        return await _posted(request, keep)

    async def undo(request: Request) -> Response:
        def take_back(told: dict[str, Any]) -> dict[str, Json]:
            name = _text(told, "annotator")
            session.undo(name, _text(told, "label"), _text(told, "time"))
            return _state(session, name)

        return await _posted(request, take_back)

    routes = [
        *static_routes(STATIC, _FILES),
        Route("/api/start", start),
        Route("/api/item", item),
        Route("/api/label", label, methods=["POST"]),
        Route("/api/undo", undo, methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, port=port, token=token, name="labels", command="tenet labels page")],
    )


def serve(session: Session, page: Page, *, port: int = 0, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` is told the address, with its token, once the page answers there.

    Raises:
        UsageError: the port is taken.
    """
    serve_page(lambda port, token: application(session, page, port=port, token=token), port=port, ready=ready)


async def _posted(request: Request, work: Callable[[dict[str, Any]], dict[str, Json]]) -> Response:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return JSONResponse({"error": "expected application/json"}, status_code=415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            return JSONResponse({"error": "too long"}, status_code=413)
    try:
        told = json.loads(bytes(body))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return JSONResponse({"error": "expected a JSON object"}, status_code=400)
    return await _answered(lambda: work(told))


async def _answered(work: Callable[[], dict[str, Json]]) -> Response:
    """Run what reads or writes the disk off the event loop, and tell what went wrong in words."""
    try:
        return JSONResponse(await run_in_threadpool(work))
    except AlreadyAnswered as error:
        return JSONResponse({"error": str(error)}, status_code=409)
    except InvalidInput as error:  # the store, and no fault of the answer: the page keeps it and sends it again
        return JSONResponse({"error": str(error)}, status_code=500)
    except UsageError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    except StorageFailed as error:
        return JSONResponse({"error": str(error)}, status_code=507)
    except TenetError as error:
        return JSONResponse({"error": str(error)}, status_code=500)


def _answer(told: dict[str, Any]) -> Answer:
    strength, occasion = told.get("strength"), told.get("occasion")
    if strength is not None and (isinstance(strength, bool) or not isinstance(strength, int | float)):
        raise UsageError("a strength is a number")
    if isinstance(occasion, bool) or not isinstance(occasion, int):
        raise UsageError("occasion is a whole number")
    first = _text(told, "first")
    if first not in (Choice.A.value, Choice.B.value):
        raise UsageError("first is a or b")
    comment = told.get("comment")
    return Answer(
        _text(told, "key"), _text(told, "annotator"), _text(told, "choice"), Choice(first), occasion,
        _text(told, "time"), None if strength is None else float(strength), comment if isinstance(comment, str) else None,
    )  # fmt: skip


def _text(told: dict[str, Any], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{name} is missing")
    return value


def _state(session: Session, annotator: str) -> dict[str, Json]:
    """All that the page shows to a person now."""
    shown = session.shown(annotator)
    tally = session.tally(annotator.strip())
    return {
        "item": None if shown is None else _item(shown),
        "last": session.last(annotator.strip()),
        "progress": {
            "done": tally.done,
            "pairs": tally.pairs,
            "own": tally.own,
            "skipped": tally.skipped,
            "people": dict(tally.people),
        },
        "between": tally.between.as_json(),
        "within": tally.within.as_json(),
        "worth": tally.worth.as_json(),
        "mends": tally.mends,
    }


def _item(shown: Shown) -> dict[str, Json]:
    item = shown.item
    first, second = (item.a, item.b) if shown.first is Choice.A else (item.b, item.a)
    return {
        "key": item.key,
        "first": shown.first.value,
        "occasion": shown.occasion,
        "prompt": [{"role": turn.role, "html": to_html(turn.content)} for turn in item.prompt],
        "responses": [to_html(first), to_html(second)],
        "principles": [{"id": name, "text": text} for name, text in item.principles],
    }
