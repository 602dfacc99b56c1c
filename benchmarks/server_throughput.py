"""Judge throughput through Tenet against a bare script that sends the same requests to the same real vLLM server.

    python -m benchmarks.server_throughput [--rounds 5] [--prompts 100] [--out FILE]

Tenet starts the server (engine `vllm-server`) and goes the whole way: texts to questions, batched requests, answers to judgements, and the
rows of a run folder, durable. The bare script holds the token ids, sends them in requests of 50 with aiohttp, 16 at a time, and reads the
labels' log-probabilities out of the answers. Which goes first alternates; every round has other texts, and each leg starts with an empty
prefix cache. Wall times on a busy machine vary: the ratio is the median over the rounds, whose two legs run side by side. Exits 1 below
0.90, or if the two do not read the same log-probabilities.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.engine_material import material, questions
from benchmarks.engine_throughput import through_tenet
from constitution.load import load
from engines.base import Request, TokenIds
from engines.server import VllmServerEngine
from judges.pairwise import PairAsk, PairwiseJudge
from pocket import JUDGE_PATH
from tenet.ids import Json

GROUP = 50
IN_FLIGHT = 16
MARK = 0.90
SAME = 1e-3


@dataclass(frozen=True)
class Result:
    """Judgements per second both ways, medians over the rounds; `ratio` is the median of the rounds' own ratios.

    The CPU times are this process's, in milliseconds a judgement: what asking costs beside the server.
    """

    model: str
    judgements: int
    rounds: int
    bare_per_s: float
    tenet_per_s: float
    ratio: float
    ratios: tuple[float, ...]
    bare_cpu_ms: float
    tenet_cpu_ms: float
    largest_difference: float


@dataclass(frozen=True)
class Address:
    """Where the server is, what it calls the model, and the key."""

    base_url: str
    model: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries."""
        return {"Authorization": f"Bearer {self.key}"}


async def bare(address: Address, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[list[float]]:
    """Each prompt's label log-probabilities, without anything of Tenet."""
    wanted = [token for ids in labels for token in ids]
    fields = {"model": address.model, "max_tokens": 1, "temperature": 0, "logprobs": 1, "logprob_token_ids": wanted,
              "return_tokens_as_token_ids": True}  # fmt: skip
    found: list[list[float]] = [[] for _ in prompts]
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def ask(session: aiohttp.ClientSession, start: int) -> None:
        body = {**fields, "prompt": [list(tokens) for tokens in prompts[start : start + GROUP]]}
        async with slots, session.post(f"{address.base_url}/completions", json=body) as reply:
            reply.raise_for_status()
            for choice in (await reply.json())["choices"]:
                top = choice["logprobs"]["top_logprobs"][0]
                found[start + choice["index"]] = [
                    math.log(math.fsum(math.exp(top[f"token_id:{token}"]) for token in ids)) for ids in labels
                ]

    async with aiohttp.ClientSession(headers=address.headers, connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(ask(session, start) for start in range(0, len(prompts), GROUP)))
    return found


def asked_bare(address: Address, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[list[float]]:
    """`bare` in an event loop of its own."""
    return asyncio.run(bare(address, prompts, labels))


async def forget(address: Address) -> None:
    """Empty the server's prefix cache."""
    url = f"{address.base_url.removesuffix('/v1')}/reset_prefix_cache"
    async with aiohttp.ClientSession(headers=address.headers) as session, session.post(url) as reply:
        reply.raise_for_status()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def server_engine(model: Path, options: dict[str, Json]) -> VllmServerEngine:
    """The engine under test."""
    return VllmServerEngine(str(model), options={"prompts_per_request": GROUP, **options})


def measure(model: Path, prompts: int, rounds: int, options: dict[str, Json]) -> Result:
    """Time one model both ways."""
    constitution = load("pocket/courteous")
    shadow = PairwiseJudge(server_engine(model, options), constitution)  # tokenises without the other's caches
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "tenet": []}
    apart, count = 0.0, 0
    with server_engine(model, options) as engine, tempfile.TemporaryDirectory() as folder:
        engine.check()
        process = engine.processes[0]
        address = Address(process.base_url, engine.info.model, process.launch.key)
        judge = PairwiseJudge(engine, constitution, min_label_mass=0.0)
        for place in range(-1, rounds):
            chosen = material(prompts, 1000 + place)
            asks = questions(shadow, chosen)
            ids = [ask.tokens for ask in asks]
            count = len(ids)
            legs: list[tuple[str, Callable[[], Any]]] = [
                ("bare", partial(asked_bare, address, ids, judge.labels)),
                ("tenet", partial(through_tenet, judge, chosen, Path(folder) / str(place))),
            ]
            for name, leg in legs if place % 2 else legs[::-1]:
                asyncio.run(forget(address))
                taken = timed(leg)
                if place >= 0:  # the first round warms up
                    times[name].append(taken)
            if place < 0:
                apart = difference(asked_bare(address, ids, judge.labels), engine, judge, asks)
    ratios = tuple(a / b for (a, _), (b, _) in zip(times["bare"], times["tenet"], strict=True))
    rates = {name: count / statistics.median(wall for wall, _ in each) for name, each in times.items()}
    spent = {name: statistics.median(cpu for _, cpu in each) / count * 1e3 for name, each in times.items()}
    return Result(
        engine.info.model, count, rounds, rates["bare"], rates["tenet"], statistics.median(ratios), ratios,
        spent["bare"], spent["tenet"], apart,
    )  # fmt: skip


def difference(
    found: Sequence[Sequence[float]], engine: VllmServerEngine, judge: PairwiseJudge, asks: Sequence[PairAsk]
) -> float:
    """The largest difference between what the bare script read and what the engine reads."""
    reads = engine.read_labels([Request(ask.tokens) for ask in asks], judge.labels)
    return max(
        abs(a - b)
        for read, bare_read in zip(reads, found, strict=True)
        for a, b in zip(read.logprobs, bare_read, strict=True)
    )


def main() -> None:
    """Print both rates and the ratio; exit 1 if it is under its mark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, default=JUDGE_PATH, help="a folder; the pocket judge unless told otherwise"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompts", type=int, default=100, help="prompts a round, 12 judgements each")
    parser.add_argument("--in-flight", type=int, help="as many of Tenet's requests at once, instead of finding it out")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    args = parser.parse_args()
    os.environ["VLLM_SERVER_DEV_MODE"] = "1"  # the server's page that empties its prefix cache
    options: dict[str, Json] = {"in_flight": args.in_flight} if args.in_flight else {}
    found = measure(args.model, args.prompts, args.rounds, options)
    if args.out:
        args.out.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
    print(
        f"{found.model}: {found.judgements:,} judgements a round, {found.rounds} rounds\n"
        f"bare script {found.bare_per_s:,.1f}/s   Tenet {found.tenet_per_s:,.1f}/s   ratio {found.ratio:.3f} "
        f"({min(found.ratios):.3f} to {max(found.ratios):.3f})\nCPU of the asking process: bare script "
        f"{found.bare_cpu_ms:.2f} ms, Tenet {found.tenet_cpu_ms:.2f} ms a judgement   largest difference {found.largest_difference:.1e}"
    )
    sys.exit(found.ratio < MARK or found.largest_difference > SAME)


if __name__ == "__main__":
    main()
