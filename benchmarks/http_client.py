"""What Tenet's HTTP client costs beside bare ones: label reads of a scripted server with 50 ms latency, by three clients in turn.

    python -m benchmarks.http_client [--requests 3000] [--in-flight 64 256] [--rounds 3] [--json]

`engine` is HttpEngine with one prompt a request (checks, retries, adaptive machinery, hand-over between threads); `aiohttp` a bare
loop that posts the same bodies and parses the JSON; `httpx` the same with httpx, on which OpenAI's client is built. Each runs in a
process of its own, whose CPU time and peak memory are told. Rates on a busy machine mean little; the rows side by side, and the CPU
time, do. `ideal` is in-flight / latency.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from engines.base import Request, TokenIds
from engines.scripted_server import scripted_server
from tenet.ids import Json

LATENCY = 0.05
CLIENTS = ("engine", "aiohttp", "httpx")
WORDS = "It depends on many things, and so the cable should be checked before anything else is done about it. " * 3
LABELS: Sequence[TokenIds] = ((65,), (66,))


def prompts(count: int) -> list[Request]:
    """Questions of some 750 tokens, all different."""
    text = f"### Response A\n{WORDS}\n\n### Response B\n{WORDS[:-50]}\n\nWhich response follows the principle better?"
    return [Request(tuple(f"{number}: {text}".encode())) for number in range(count)]


def bodies(requests: Sequence[Request]) -> list[bytes]:
    """What the bare clients post."""
    ask = {"model": "scripted", "max_tokens": 1, "temperature": 0, "logprobs": 1, "logprob_token_ids": [65, 66],
           "return_tokens_as_token_ids": True}  # fmt: skip
    return [json.dumps({**ask, "prompt": request.tokens}).encode() for request in requests]


def by_engine(url: str, requests: Sequence[Request], in_flight: int) -> int:
    """Ask through HttpEngine; the number of good answers."""
    from engines.http import HttpEngine

    options: dict[str, Json] = {"api": "vllm", "tokenizer": "bytes", "prompts_per_request": 1, "in_flight": in_flight}
    with HttpEngine("scripted", base_url=[url], options=options) as engine:
        return sum(not read.error for _, read in engine.stream_labels(requests, LABELS))


def by_aiohttp(url: str, requests: Sequence[Request], in_flight: int) -> int:
    """Ask in a bare aiohttp loop."""
    import aiohttp

    async def run() -> int:
        source = iter(bodies(requests))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def worker() -> int:
                good = 0
                for body in source:
                    async with session.post(f"{url}/completions", data=body) as reply:
                        good += bool(json.loads(await reply.read())["choices"])
                return good

            return sum(await asyncio.gather(*(worker() for _ in range(in_flight))))

    return asyncio.run(run())


def by_httpx(url: str, requests: Sequence[Request], in_flight: int) -> int:
    """Ask in a bare httpx loop."""
    import httpx

    async def run() -> int:
        source = iter(bodies(requests))
        limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
        async with httpx.AsyncClient(limits=limits, timeout=60.0, trust_env=False) as client:

            async def worker() -> int:
                good = 0
                for body in source:
                    reply = await client.post(f"{url}/completions", content=body)
                    good += bool(reply.json()["choices"])
                return good

            return sum(await asyncio.gather(*(worker() for _ in range(in_flight))))

    return asyncio.run(run())


def resident() -> float:
    """MiB of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measured(pipe: Connection, client: str, url: str, count: int, in_flight: int) -> None:
    """One run, in a process of its own."""
    requests = prompts(count)
    work = {"engine": by_engine, "aiohttp": by_aiohttp, "httpx": by_httpx}[client]
    if work(url, requests[: 2 * in_flight], in_flight) != min(count, 2 * in_flight):  # connections and imports
        raise RuntimeError(f"{client}: not every answer was good")
    began, cpu = time.perf_counter(), time.process_time()
    good = work(url, requests, in_flight)
    wall, spent = time.perf_counter() - began, time.process_time() - cpu
    pipe.send({"good": good, "rate": good / wall, "cpu_ms": spent / count * 1e3, "mib": resident()})
    pipe.close()


def in_process(client: str, url: str, count: int, in_flight: int) -> dict[str, float]:
    """Start the process and wait for its numbers."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=measured, args=(theirs, client, url, count, in_flight))
    process.start()
    theirs.close()
    found: dict[str, float] = ours.recv()
    process.join()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=3, help="the median is reported")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    with scripted_server(latency=LATENCY) as server:
        for in_flight in args.in_flight:
            runs: dict[str, list[dict[str, float]]] = {client: [] for client in CLIENTS}
            for _ in range(args.rounds):
                for client in CLIENTS:  # in turn, so that a busy spell meets all of them
                    runs[client].append(in_process(client, server.base_url, args.requests, in_flight))
            for client in CLIENTS:
                middle = {name: statistics.median(run[name] for run in runs[client]) for name in runs[client][0]}
                rows.append({"client": client, "in_flight": in_flight, "ideal": in_flight / LATENCY, **middle})
    if args.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    print(f"{'client':8} {'in flight':>9} {'requests/s':>10} {'of ideal':>8} {'CPU ms':>7} {'MiB':>5} {'good':>6}")
    for row in rows:
        print(
            f"{row['client']:8} {row['in_flight']:9} {row['rate']:10,.0f} {row['rate'] / row['ideal']:8.2f} "
            f"{row['cpu_ms']:7.3f} {row['mib']:5.0f} {row['good']:6,.0f}"
        )


if __name__ == "__main__":
    main()
