"""The view's web server: static files and a JSON interface that only reads, on 127.0.0.1 alone. What it tells is data: the page makes
text of it, never HTML. Who may ask is decided in `tenet.localpage.guard`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from generate.report.source import principles_of
from generate.view.catalogue import Catalogue
from generate.view.compare import EARLIER, compare, wordings
from generate.view.download import FORMATS, write_found
from generate.view.query import PAGE_SIZE, Query
from generate.view.reading import read_pair
from tenet.errors import MissingInput, TenetError, UsageError
from tenet.ids import Json
from tenet.localpage.guard import Guard
from tenet.localpage.serving import static_routes
from tenet.runs import Run

STATIC: Final = Path(__file__).parent / "static"
_FILES: Final = {
    "/": ("view.html", "text/html"),
    "/view.css": ("view.css", "text/css"),
    "/view.js": ("view.js", "text/javascript"),
}


@dataclass(frozen=True)
class View:
    """What the page asks of a catalogue and its runs, by name. `earlier` says which of them have superseded answers; `scratch` is a folder
    for files on their way to the browser.
    """

    catalogue: Catalogue
    runs: Mapping[str, Run]
    earlier: Mapping[str, bool]
    scratch: Path

    async def start(self, _: Request) -> Response:
        """What can be chosen."""
        return await _answered(self._start)

    async def pairs(self, request: Request) -> Response:
        """A page of pairs, alone or beside another run's."""
        query, other = Query.of(request.query_params), request.query_params.get("compare", "")
        return await _answered(lambda: self._compared(query, other) if other else self._found(query))

    async def pair(self, request: Request) -> Response:
        """All that there is of one pair."""
        name, key = request.query_params.get("run", ""), request.query_params.get("key", "")

        def work() -> dict[str, Json]:
            self.catalogue.number(name)
            return read_pair(self.catalogue, name, self.runs[name], key)

        return await _answered(work)

    async def files(self, request: Request) -> Response:
        """What the principles of two sides say differently."""
        left, right = request.query_params.get("run", ""), request.query_params.get("compare", "")
        return await _answered(lambda: {"wordings": list(_wordings(self.runs, left, right))})

    async def download(self, request: Request) -> Response:
        """All pairs of a query as a file."""
        query, form = Query.of(request.query_params), request.query_params.get("format", "jsonl")
        if form not in FORMATS:
            return _failed(UsageError(f"there is no such format; the formats are {', '.join(FORMATS)}"))
        path = Path(tempfile.mkdtemp(dir=self.scratch)) / f"pairs.{form}"
        try:
            await run_in_threadpool(write_found, self.catalogue, query, form, path)
        except TenetError as error:
            return _failed(error)

        def remove() -> None:
            path.unlink(missing_ok=True)
            path.parent.rmdir()

        return FileResponse(path, media_type=FORMATS[form][1], filename=path.name, background=BackgroundTask(remove))

    def _start(self) -> dict[str, Json]:
        names = self.catalogue.names
        sides = [*names, *(name + EARLIER for name in names if self.earlier.get(name))]
        return {
            "values": self.catalogue.values(),
            "sides": sides,
            "page_size": PAGE_SIZE,
            "formats": list(FORMATS),
        }

    def _found(self, query: Query) -> dict[str, Json]:
        found = self.catalogue.find(query)
        return {"address": query.address, "total": found.total, "rows": list(found.rows)}

    def _compared(self, query: Query, other: str) -> dict[str, Json]:
        told = compare(self.catalogue, query, other)
        return {
            "address": query.address,
            "total": told.both,
            "differ": told.differ,
            "gap": told.gap,
            "rows": list(told.rows),
        }


def application(view: View, *, port: int, token: str) -> Starlette:
    """The view as an ASGI application that answers at 127.0.0.1:`port` to whoever has the token."""
    routes = [
        *static_routes(STATIC, _FILES),
        Route("/api/start", view.start),
        Route("/api/pairs", view.pairs),
        Route("/api/pair", view.pair),
        Route("/api/files", view.files),
        Route("/api/download", view.download),
    ]
    guard = Middleware(Guard, port=port, token=token, name="view", command="tenet view")
    return Starlette(routes=routes, middleware=[guard])


def _wordings(runs: Mapping[str, Run], left: str, right: str) -> list[dict[str, Json]]:
    """What the principles of two sides say differently."""
    name = right.removesuffix(EARLIER)
    if left not in runs or name not in runs:
        raise UsageError("a comparison needs two sides that are here")
    one = principles_of(runs[left]).file
    if not right.endswith(EARLIER):
        return wordings(one, principles_of(runs[name]).file)
    return wordings(one, _previous(runs[name]))


def _previous(run: Run) -> Any:
    """The principles that the run went by before its present ones, from the copies that it keeps; None where there is no other."""
    from constitution.load import load
    from generate.judged_by import FOLDER

    now = str(run.fingerprint.growth.get("principles") or "")
    copies = sorted((run.path / FOLDER).glob("*.yaml"), key=lambda path: path.stat().st_mtime)
    others = [path for path in copies if not now.startswith(path.stem)]
    return load(others[-1]) if others else None


async def _answered(work: Callable[[], dict[str, Json]]) -> Response:
    """Run what reads the disk off the event loop, and tell what went wrong in words."""
    try:
        return _json(await run_in_threadpool(work))
    except TenetError as error:
        return _failed(error)


def _failed(error: TenetError) -> Response:
    status = 404 if isinstance(error, MissingInput) else 400 if isinstance(error, UsageError) else 500
    return _json({"error": str(error)}, status)


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")
