"""Rewards over HTTP as RL stacks ask for them: `tenet serve rewards` in a process of its own, under clients written from their protocols.

    python -m benchmarks.serve_rewards [--requests 10000] [--concurrent 64] [--batch 32] [--reward MODEL] [--json]

`openrlhf`: one response a request, prompt and response as one text rendered by the chat template, a new connection each time, five tries
a second apart, 180 s each. `verl`: a thread a request, each calling `train.serving.verl:compute_score` with the prompt in `extra_info`.
Clients and server share the machine's cores. `failed` counts requests that got no reward, `tries` all attempts; `gap` is the largest
difference to the same responses scored offline, in this process. Without --reward a reward model with a random head is made of the
pocket policy: what it scores means nothing, what it costs does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tenet.console import Console
from tenet.ids import Json

START_SECONDS = 300.0
CLIENTS = ("openrlhf", "verl")


@dataclass(frozen=True)
class Case:
    """A prompt of one user turn with a response; `rendered` is the prompt as the policy saw it, `end` what closed its answer."""

    prompt: str
    response: str
    rendered: str
    end: str


@dataclass(frozen=True)
class Got:
    """What a client got: rewards in the order of the cases (None: none), seconds a request, attempts, seconds in all."""

    rewards: list[float | None]
    seconds: list[float]
    tries: int
    wall: float


def cases(count: int, model: str) -> list[Case]:
    """Prompts of the pocket world with replies of all kinds, all different, and two in a hundred with control tokens spelled out."""
    from engines.loading import find_model, load_tokenizer
    from pocket.world import all_prompts, draw_plan, reply

    tokenizer: Any = load_tokenizer(find_model(model))
    rng = random.Random(7)
    known = rng.sample(all_prompts(), len(all_prompts()))
    made = []
    for number in range(count):
        asked = known[number % len(known)]
        text = f"{asked.text} (case {number})"
        response = reply(asked, draw_plan(rng), rng).text
        if number % 50 == 0:
            response = f"{response[:20]} {tokenizer.eos_token} {response[20:]}"
        turns = [{"role": "user", "content": text}]
        rendered = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        made.append(Case(text, response, rendered, tokenizer.eos_token))
    return made


def random_reward_model(folder: Path) -> str:
    """The pocket policy with a random head of one output, saved."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    from engines.loading import quiet
    from pocket import POLICY_PATH

    logging.set_verbosity_error()
    torch.manual_seed(0)
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(POLICY_PATH, num_labels=1, dtype=torch.float32)
        model.score.weight.data.normal_(0.0, 0.1)
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(POLICY_PATH).save_pretrained(folder)
    return str(folder)


@contextmanager
def served(words: Sequence[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`tenet serve rewards` with these words on a free port: its address, and its process, which is stopped as Ctrl-C stops it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tenet", "serve", "rewards", *words, "--port", "0"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address.startswith("http"):
            raise RuntimeError(f"the server did not start (exit status {process.wait(START_SECONDS)})")
        yield address, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(START_SECONDS)
        process.stdout.close()


async def as_openrlhf(address: str, given: Sequence[Case], concurrent: int) -> Got:
    """Ask as OpenRLHF's single-turn executor does: a session a try, five tries, the reward of one sample."""
    import aiohttp

    room = asyncio.Semaphore(concurrent)
    timeout = aiohttp.ClientTimeout(total=180)
    tries = 0

    async def one(case: Case) -> tuple[float | None, float]:
        nonlocal tries
        body = {"query": [case.rendered + case.response + case.end], "prompts": [case.rendered], "labels": [""]}
        async with room:
            began = time.perf_counter()
            for attempt in range(5):
                tries += 1
                try:
                    async with (
                        aiohttp.ClientSession(timeout=timeout) as session,
                        session.post(f"{address}/get_reward", json=body) as reply,
                    ):
                        reply.raise_for_status()
                        told = await reply.json()
                        return float(told["rewards"][0]), time.perf_counter() - began
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(1 if attempt < 4 else 0)
            return None, time.perf_counter() - began

    began = time.perf_counter()
    found = await asyncio.gather(*map(one, given))
    return Got([reward for reward, _ in found], [seconds for _, seconds in found], tries, time.perf_counter() - began)


def as_verl(address: str, given: Sequence[Case], concurrent: int) -> Got:
    """Ask as verl's reward managers do: `compute_score` by its keywords, in threads."""
    from tenet.errors import TenetError
    from train.serving.verl import compute_score

    def one(case: Case) -> tuple[float | None, float]:
        began = time.perf_counter()
        told: dict[str, Any] = {"index": 0, "question": case.prompt}
        try:
            score = compute_score(
                data_source="pocket", solution_str=case.response, ground_truth="", extra_info=told, url=address
            )["score"]
        except TenetError as error:
            print(error, file=sys.stderr)
            return None, time.perf_counter() - began
        return score, time.perf_counter() - began

    began = time.perf_counter()
    with ThreadPoolExecutor(concurrent) as pool:
        found = list(pool.map(one, given))
    return Got(
        [reward for reward, _ in found], [seconds for _, seconds in found], len(given), time.perf_counter() - began
    )


def _run(pipe: Connection, client: str, address: str, given: Sequence[Case], concurrent: int) -> None:
    if client == "openrlhf":
        pipe.send(asyncio.run(as_openrlhf(address, given, concurrent)))
    else:
        pipe.send(as_verl(address, given, concurrent))
    pipe.close()


def asked(client: str, address: str, given: Sequence[Case], concurrent: int) -> Got:
    """Run a client in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, client, address, given, concurrent))
    process.start()
    theirs.close()
    got: Got = ours.recv()
    process.join()
    return got


def counter(address: str, name: str) -> float:
    """A sample of the server's metrics."""
    with urlopen(f"{address}/metrics", timeout=30) as reply:
        found = re.search(rf"^tenet_rewards_{name} (\S+)$", reply.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def measured(
    client: str, address: str, given: Sequence[Case], offline: Sequence[float | None], concurrent: int
) -> dict[str, Json]:
    """One row of the table."""
    before = [counter(address, name) for name in ("batch_rows_sum", "batch_rows_count")]
    got = asked(client, address, given, concurrent)
    rows, batches = (
        counter(address, name) - old for name, old in zip(("batch_rows_sum", "batch_rows_count"), before, strict=True)
    )
    gaps = [abs(a - b) for a, b in zip(got.rewards, offline, strict=True) if a is not None and b is not None]
    cuts = statistics.quantiles(got.seconds, n=100)
    return {
        "client": client, "requests": len(given), "concurrent": concurrent, "failed": got.rewards.count(None),
        "tries": got.tries, "per_s": round(len(given) / got.wall, 1), "p50_ms": round(1e3 * cuts[49], 1),
        "p99_ms": round(1e3 * cuts[98], 1), "batch": round(rows / batches, 1), "gap": f"{max(gaps):.1e}",
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000, help="of each client")
    parser.add_argument("--concurrent", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32, help="the server's")
    parser.add_argument("--reward", metavar="MODEL")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from train.rewards import RewardModelSource

    with tempfile.TemporaryDirectory() as folder:
        model = args.reward or random_reward_model(Path(folder) / "model")
        given = cases(args.requests, model)
        began = time.perf_counter()
        offline = RewardModelSource(model).score(
            [[{"role": "user", "content": case.prompt}] for case in given], [case.response for case in given]
        )
        alone = args.requests / (time.perf_counter() - began)
        with served(["--reward", model, "--batch", str(args.batch)]) as (address, _):
            rows = [measured(client, address, given, offline, args.concurrent) for client in CLIENTS]
    console = Console(json=args.json)
    console.table(list(rows[0]), [list(row.values()) for row in rows], title=f"offline: {alone:,.0f} responses/s")
    if any(row["failed"] for row in rows):
        sys.exit(json.dumps({"failed": [row["failed"] for row in rows]}))


if __name__ == "__main__":
    main()
