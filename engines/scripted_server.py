"""An OpenAI-compatible server that hosts no model: the scripted engine behind HTTP, with latency, stragglers and faults on order.

    python -m engines.scripted_server --port 0 --latency 0.05 --faults 0.2      prints its URL
    with scripted_server(latency=0.05) as server: ...                           the same in a process of its own

Which prompts meet a fault follows from the prompts (`engines.scripted_faults`). GET /counts tells what was asked, by prompt, so that
a test sees every repetition. A bare asyncio protocol, so that one core serves thousands of requests a second and can break the
protocol itself where a fault is to do that. Binds 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from engines.scripted import ScriptedEngine
from engines.scripted_faults import Fault, FaultPlan, prompt_hash
from engines.scripted_log import note_asked
from engines.scripted_wire import Asked, BadRequest, Desk, Style, read_json
from tenet.errors import EngineError

HOST: Final = "127.0.0.1"
_REASONS: Final = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests",
                   500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip
_HTML: Final = b"<html><body><h1>It works!</h1></body></html>"
_DRIP_SECONDS: Final = 0.2
_START_SECONDS: Final = 30.0
_POSTS: Final = {"/v1/completions": False, "/v1/chat/completions": True}


@dataclass(frozen=True)
class Timing:
    """Seconds until an answer: `latency`, or `straggler_latency` for a share of the prompts. Over `busy_above` at once: 429."""

    latency: float = 0.0
    stragglers: float = 0.0
    straggler_latency: float = 2.0
    busy_above: int = 0
    retry_after: str = "0.05"

    def seconds(self, key: bytes) -> float:
        """How long the answer to this prompt takes."""
        late = int.from_bytes(key[-4:], "little") / 2**32 < self.stragglers
        return self.straggler_latency if late else self.latency


@dataclass
class Counts:
    """What the server was asked: `keys` by prompt, `refused` by status, `peak` requests at once."""

    requests: int = 0
    prompts: int = 0
    now: int = 0
    peak: int = 0
    keys: Counter[str] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The body of /counts."""
        return {
            "requests": self.requests, "prompts": self.prompts, "peak": self.peak, "keys": dict(self.keys),
            "repeated": self.prompts - len(self.keys), "refused": {str(k): n for k, n in self.refused.items()},
        }  # fmt: skip


class Service:
    """Everything that the connections of one server share. `key` is the bearer token that it demands, if any; `log` the file that every
    question is appended to.
    """

    def __init__(self, desk: Desk, timing: Timing, plan: FaultPlan, key: str = "", log: str = "") -> None:
        self.desk = desk
        self.timing = timing
        self.plan = plan
        self.counts = Counts()
        self.log = log
        self._key = key
        self._met: set[bytes] = set()

    def fault(self, tokens: tuple[int, ...], key: bytes) -> Fault | None:
        """The fault that this prompt meets now."""
        fault = self.plan.fault(tokens)
        if fault is None or (self.plan.transient and key in self._met):
            return None
        self._met.add(key)
        return fault

    def lets_in(self, head: bytes) -> bool:
        """Whether a request's head carries the key."""
        if not self._key:
            return True
        wanted = f"authorization: bearer {self._key}".encode()
        return any(line.lower() == wanted.lower() for line in head.split(b"\r\n"))

    def page(self, path: str) -> dict[str, Any] | None:
        """The JSON of a GET, None where there is no such page."""
        if path == "/v1/models":
            return self.desk.models()
        if path == "/version" and self.desk.style.vllm:
            return {"version": "scripted"}
        return {"/health": {}, "/counts": self.counts.as_json()}.get(path)


class Connection(asyncio.Protocol):
    """One client's connection: its requests one after another."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._arrived = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the transport."""
        self._transport = None
        if self._busy:
            self._done()

    def data_received(self, data: bytes) -> None:
        """Gather a request until it is whole."""
        self._buffer += data
        self._next()

    def _next(self) -> None:
        if self._busy:
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        place = head.lower().find(b"\r\ncontent-length:")
        length = int(head[place + 17 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        self._busy = True
        self._arrived = self._loop.time()
        self._service.counts.now += 1
        self._service.counts.peak = max(self._service.counts.peak, self._service.counts.now)
        try:
            self._serve(method, path, head, body)
        except BadRequest as error:
            self._refuse(error.status, str(error))

    def _serve(self, method: str, path: str, head: bytes, body: bytes) -> None:
        service = self._service
        if path.startswith("/v1") and not service.lets_in(head):
            sent = next(
                (line[21:] for line in head.split(b"\r\n") if line.lower().startswith(b"authorization: bearer")), b""
            )
            raise BadRequest(401, f"Incorrect API key provided: {sent.decode('latin-1').strip() or 'none'}.")
        if method == "GET":
            page = service.page(path)
            if page is None:
                raise BadRequest(404, f"Not Found: {path}")
            self._send(200, page)
            return
        if path not in _POSTS:
            raise BadRequest(404, f"Not Found: {path}")
        asked = service.desk.understand(read_json(body), chat=_POSTS[path])
        keys = [prompt_hash(tokens) for tokens in asked.prompts]
        note_asked(service.log, ((tokens, asked.seed) for tokens in asked.prompts))
        service.counts.requests += 1
        service.counts.prompts += len(keys)
        service.counts.keys.update(key.hex() for key in keys)
        if 0 < service.timing.busy_above < service.counts.now:
            self._refuse(429, "too many requests at once", {"Retry-After": service.timing.retry_after})
            return
        faults = [service.fault(tokens, key) for tokens, key in zip(asked.prompts, keys, strict=True)]
        loud = next((fault for fault in faults if fault is not None and not fault.of_one_choice), None)
        if loud is None or loud is Fault.EMPTY_CHOICES:
            answer = partial(self._write, 200, json.dumps(service.desk.answer(asked, faults)).encode())
        else:
            answer = partial(self._break, loud, asked)
        wait = max(map(service.timing.seconds, keys))
        if wait:  # from the moment when the request was whole, whatever it took to read it
            self._loop.call_at(self._arrived + wait, answer)
        else:
            answer()

    def _break(self, fault: Fault, asked: Asked) -> None:
        """Answer as a server in trouble does."""
        transport = self._transport
        if transport is None or fault is Fault.HANG:
            return
        if fault in (Fault.BUSY, Fault.OVERLOADED):
            headers = {"Retry-After": self._service.timing.retry_after} if fault is Fault.BUSY else {}
            self._refuse(int(fault), "try again later", headers)
        elif fault is Fault.BROKEN:
            self._refuse(500, "internal error")
        elif fault is Fault.HTML:
            self._write(200, _HTML, {"Content-Type": "text/html"})
        elif fault is Fault.ERROR_BODY:
            self._send(200, {"error": {"message": "the engine has stopped", "type": "server_error", "code": 500}})
        elif fault is Fault.RESET:
            transport.abort()
        else:
            whole = json.dumps(self._service.desk.answer(asked, [None] * len(asked.prompts))).encode()
            if fault is Fault.TRUNCATED:
                self._write(200, whole[: len(whole) // 2])
            else:
                self._write(200, b"", length=len(whole), finish=False)
                self._drip(whole)

    def _drip(self, left: bytes) -> None:
        if self._transport is None:
            return
        if not left:
            self._done()
            return
        self._transport.write(left[:1])
        self._loop.call_later(_DRIP_SECONDS, self._drip, left[1:])

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._service.counts.refused[status] += 1
        self._send(status, {"error": {"message": message, "type": "error", "code": status}}, headers)

    def _send(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._write(status, json.dumps(body).encode(), headers)

    def _write(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, *, length: int = -1, finish: bool = True
    ) -> None:
        if self._transport is None:
            return
        told = {"Content-Type": "application/json", "Content-Length": str(len(body) if length < 0 else length)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**told, **(headers or {})}.items())
        self._transport.write(f"HTTP/1.1 {status} {_REASONS[status]}\r\n{lines}\r\n".encode() + body)
        if finish:
            self._done()

    def _done(self) -> None:
        self._busy = False
        self._service.counts.now -= 1
        if self._transport is not None:
            self._next()


@dataclass(frozen=True)
class Running:
    """A server in a process of its own. `base_url` ends in /v1."""

    base_url: str
    process: subprocess.Popen[str]

    def counts(self) -> dict[str, Any]:
        """What it was asked so far."""
        with urlopen(self.base_url.removesuffix("/v1") + "/counts", timeout=10) as reply:  # noqa: S310 - our own server
            found: dict[str, Any] = json.loads(reply.read())
        return found

    def stop(self) -> None:
        """End the process; doing so twice is harmless."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def scripted_server(**options: str | float | bool | Sequence[str]) -> Iterator[Running]:
    """Run the server in a process of its own; options are the command line's, with underscores (`straggler_latency=2.0`).

    Raises:
        EngineError: it did not start; its last words are in the message.
    """
    arguments: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            arguments += [flag] if value else []
        elif isinstance(value, str | float | int):
            arguments += [flag, str(value)]
        else:
            arguments += [flag, *value]
    root = str(Path(__file__).resolve().parents[1])
    found = os.environ.get("PYTHONPATH")
    process = subprocess.Popen(  # noqa: S603 - this interpreter, this module
        [sys.executable, "-m", "engines.scripted_server", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{found}" if found else root},
    )
    assert process.stdout is not None
    running = Running(process.stdout.readline().strip(), process)
    try:
        if not running.base_url.startswith("http"):
            raise EngineError(f"the scripted server did not start (exit status {process.wait(_START_SECONDS)})")
        yield running
    finally:
        running.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engines.scripted_server", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--rule", default="hash", help="longer, shorter, hash or word:WORD")
    parser.add_argument("--model", default="scripted", help="the model's name")
    parser.add_argument("--latency", type=float, metavar="X", default=0.0, help="seconds until an answer")
    parser.add_argument("--stragglers", type=float, metavar="X", default=0.0, help="share of prompts that take longer")
    parser.add_argument("--straggler-latency", type=float, metavar="X", default=2.0, help="how long those take")
    parser.add_argument("--busy-above", type=int, default=0, metavar="N", help="429 above so many requests at once")
    parser.add_argument("--retry-after", default="0.05", metavar="TEXT", help="the Retry-After of a 429")
    parser.add_argument("--faults", type=float, metavar="X", default=0.0, help="share of prompts that meet a fault")
    parser.add_argument("--kinds", nargs="+", default=[], metavar="KIND", help=f"faults to use: {', '.join(Fault)}")
    parser.add_argument("--for-good", action="store_true", help="faults stay, instead of coming the first time only")
    parser.add_argument("--plain", action="store_true", help="a server without vLLM's additions")
    parser.add_argument("--no-ids", action="store_true", help="take prompts as text only, not as token ids")
    parser.add_argument("--no-logprobs", action="store_true", help="never give log-probabilities")
    parser.add_argument(
        "--max-length", type=int, default=65_536, metavar="N", help="most tokens of a prompt and its answer"
    )
    parser.add_argument("--key-env", default="", metavar="NAME", help="demand the key in this environment variable")
    parser.add_argument("--log", default="", metavar="FILE", help="append a line for every question asked")
    parser.add_argument(
        "--position-bias", type=float, metavar="X", default=0.0, help="what the response shown first gets, in log-odds"
    )
    return parser


async def _serve(service: Service, port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), HOST, port, backlog=1024)
    sys.stdout.write(f"http://{HOST}:{server.sockets[0].getsockname()[1]}/v1\n")
    sys.stdout.flush()
    await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until killed."""
    args = _parser().parse_args(arguments)
    engine = ScriptedEngine(args.rule, options={"position_bias": args.position_bias, "max_length": args.max_length})
    style = Style(
        args.model, vllm=not args.plain, logprobs=not args.no_logprobs, max_length=args.max_length, ids=not args.no_ids
    )
    timing = Timing(args.latency, args.stragglers, args.straggler_latency, args.busy_above, args.retry_after)
    plan = FaultPlan.of(args.faults, args.kinds, transient=not args.for_good)
    key = os.environ.get(args.key_env, "") if args.key_env else ""
    try:
        asyncio.run(_serve(Service(Desk(engine, style), timing, plan, key, args.log), args.port))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
