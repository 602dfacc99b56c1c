"""The reward server: two paths that score, one for health, one for metrics. Knows HTTP, the batcher and a source of rewards.

`POST /get_reward` speaks OpenRLHF's protocol, `POST /score` our own (`train.serving.protocol`). Errors are JSON, `{"error": text}`, and
never hold a traceback. On SIGINT or SIGTERM no request is taken any more, and those in hand are answered.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from judges.probability import sigmoid
from tenet.errors import UsageError
from tenet.ids import Json
from train.rewards import RewardSource
from train.serving.batching import Batcher, Full, ScoringFailed, Watch
from train.serving.guard import ALLOWED, HEALTH, Guard
from train.serving.metrics import CONTENT_TYPE, Metrics
from train.serving.protocol import Limits, Refused, Row, openrlhf_answer, pairs, queries, read_body
from train.serving.rendered import PolicyText

DRAIN_SECONDS: Final = 180
_PATHS: Final = ("/get_reward", "/score")


@dataclass(frozen=True)
class Service:
    """What is served, and how.

    `probability`: scores of the source lie in [0, 1]; others are brought there by the logistic function, as Bradley-Terry has it. `wrap`:
    a prompt that is a plain text is what a user says. `missing` is what a response gets of which the source says nothing; without it,
    such a request is refused. `warn` is told once of each thing that a person should know.
    """

    source: RewardSource
    policy: PolicyText
    about: Mapping[str, Json]
    probability: bool
    wrap: bool
    missing: float | None = None
    batch: int = 32
    queue: int = 4096
    limits: Limits = field(default_factory=Limits)
    warn: Callable[[str], None] = lambda _: None


class Rewards:
    """A service at work: the batcher and the counters behind the paths."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.metrics = Metrics()
        self._told: set[str] = set()
        watch = Watch(self.metrics.waiting.set, self._batch_done, self._failed)
        self.batcher: Batcher[Row] = Batcher(
            self._score, batch=service.batch, queue=service.queue, weigh=lambda row: row.size, watch=watch
        )

    @asynccontextmanager
    async def running(self, _: Starlette) -> AsyncIterator[None]:
        """The batcher at work; on leaving, what waits is finished."""
        self.batcher.start()
        yield
        await self.batcher.close()

    async def openrlhf(self, request: Request) -> Response:
        """Score what OpenRLHF sends."""
        told = read_body(await _body(request, self.service.limits))
        rows = [self._noted(row) for row in queries(told, self.service.policy, self.service.limits)]
        found = await self._scores(rows)
        missing = self.service.missing
        lacking = sum(one is None for one in found)
        if lacking and missing is None:
            raise Refused(
                f"no reward for {lacking} of {len(rows)}: {self.service.source.name} could say nothing (too long for it, "
                "no opinion or no reference); serve with --missing NUMBER to give such responses a number", 422,
            )  # fmt: skip
        rewards = [(missing or 0.0) if one is None else one for one in found]
        name = "judge_p" if self.service.probability else "reward_model"
        return JSONResponse(openrlhf_answer(rewards, [self._unit(one) for one in rewards], rows, name))

    async def plain(self, request: Request) -> Response:
        """Score prompts and responses that come apart; null where nothing can be said."""
        told = read_body(await _body(request, self.service.limits))
        rows = [self._noted(row) for row in pairs(told, self.service.policy, self.service.limits)]
        found = [self.service.missing if one is None else one for one in await self._scores(rows)]
        scores = [None if one is None else self._unit(one) for one in found]
        return JSONResponse({"rewards": found, "scores": scores})

    async def health(self, request: Request) -> Response:
        """Whether the server takes requests; what it serves, to those who may ask."""
        ready = not self.batcher.failing
        told: dict[str, Json] = {"ready": ready}
        if request.scope.get(ALLOWED):
            told |= {**self.service.about, "waiting": self.batcher.waiting}
        return JSONResponse(told, 200 if ready else 503)

    async def counted(self, _: Request) -> Response:
        """The counters."""
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    def answered(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """A path that counts its answers and tells in words what went wrong."""

        async def answer_one(request: Request) -> Response:
            began = time.perf_counter()
            try:
                response = await handler(request)
            except Refused as error:
                response = _problem(error.message, error.status)
            except Full as error:
                response = _problem(str(error), 503, error.again)
            except ScoringFailed as error:
                response = _problem(f"the model failed on this request ({error}); the server's log says more", 500)
            except ClientDisconnect:
                response = _problem("the client went away", 400)
            path = request.url.path
            self.metrics.requests.labels(path, str(response.status_code)).inc()
            self.metrics.latency.observe(time.perf_counter() - began)
            return response

        return answer_one

    async def _scores(self, rows: Sequence[Row]) -> list[float | None]:
        found = await self.batcher.score(rows)
        lacking = sum(one is None for one in found)
        self.metrics.rows.inc(len(found) - lacking)
        self.metrics.unscored.inc(lacking)
        return found

    def _score(self, rows: Sequence[Row]) -> list[float | None]:
        return self.service.source.score([row.prompt for row in rows], [row.response for row in rows])

    def _noted(self, row: Row) -> Row:
        """Count how a prompt was read, and make a plain text what a user says, where the source wants turns."""
        if not isinstance(row.prompt, str):
            self.metrics.prompts.labels("template" if row.rendered else "messages").inc()
            return row
        self.metrics.prompts.labels("text").inc()
        if self.service.policy.spells_control(row.prompt):
            self._warn("prompts with control tokens that the policy's chat template does not write are taken as plain text; if "
                       "another policy's template wrote them, name it with --policy")  # fmt: skip
        return Row([{"role": "user", "content": row.prompt}], row.response) if self.service.wrap else row

    def _unit(self, value: float) -> float:
        return min(1.0, max(0.0, value)) if self.service.probability else sigmoid(value)

    def _batch_done(self, rows: int, seconds: float) -> None:
        self.metrics.batches.observe(rows)
        self.metrics.batch_seconds.observe(seconds)

    def _failed(self, error: BaseException) -> None:
        kind = type(error).__name__
        self.metrics.failures.labels(kind).inc()
        self._warn(f"the model failed: {kind}: {str(error)[:500]}")

    def _warn(self, text: str) -> None:
        if text not in self._told and len(self._told) < 100:
            self._told.add(text)
            self.service.warn(text)


def application(rewards: Rewards, *, key: str = "") -> Starlette:
    """The server as an ASGI application; with a key, it answers those who have it."""
    routes = [
        Route(_PATHS[0], rewards.answered(rewards.openrlhf), methods=["POST"]),
        Route(_PATHS[1], rewards.answered(rewards.plain), methods=["POST"]),
        Route(HEALTH, rewards.health),
        Route("/metrics", rewards.counted),
    ]
    handlers: Mapping[Any, Any] = {HTTPException: _http_problem, Exception: _bug}
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, key=key)],
        exception_handlers=handlers,
        lifespan=rewards.running,
    )


def serve(service: Service, *, host: str, port: int, key: str = "", ready: Callable[[str], None]) -> Metrics:
    """Serve until SIGINT or SIGTERM; `ready` is told the address once it answers. Gives the counters.

    Raises:
        UsageError: the address cannot be used.
    """
    import uvicorn

    listener = _listener(host, port)
    rewards = Rewards(service)
    config = uvicorn.Config(
        application(rewards, key=key), log_level="warning", access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS, backlog=2048,
    )  # fmt: skip
    where = f"[{host}]" if ":" in host else host
    ready(f"http://{where}:{listener.getsockname()[1]}")
    with _survived(signal.SIGTERM, signal.SIGINT):
        uvicorn.Server(config).run(sockets=[listener])
    return rewards.metrics


@contextmanager
def _survived(*signals: signal.Signals) -> Iterator[None]:
    """The signal that stopped uvicorn is raised by it once more when it is done; here it has had its effect."""
    before = {one: signal.signal(one, lambda *_: None) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        hint = "name another --port, or 0 for any that is free"
        raise UsageError(f"{host}:{port} cannot be used: {error.strerror or error}", hint=hint) from error


async def _body(request: Request, limits: Limits) -> bytes:
    """The body of a request.

    Raises:
        Refused: it is not declared to be JSON, or longer than allowed.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("expected Content-Type: application/json", 415)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limits.body:
            raise Refused(f"the body is longer than {limits.body:,} bytes: send several requests", 413)
    return bytes(body)


def _problem(text: str, status: int, again: int | None = None) -> JSONResponse:
    return JSONResponse({"error": text}, status, None if again is None else {"Retry-After": str(again)})


async def _http_problem(_: Request, error: HTTPException) -> Response:
    return JSONResponse(
        {"error": error.detail, "paths": [*_PATHS, HEALTH, "/metrics"]}, error.status_code, error.headers
    )


async def _bug(_: Request, __: Exception) -> Response:
    return _problem("a bug in the reward server; its log says more", 500)
