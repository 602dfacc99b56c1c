"""A judge behind HTTP, from question to recorded row: rate, cost, stragglers and faults, on a scripted server.

    python -m benchmarks.http_judging [rate stragglers malformed faults] [--judgements 5000] [--json]

`rate`: questions made, asked one a request with 50 ms latency, and every answer recorded in a run's store by the same thread; the
ideal is in flight / latency. `stragglers`: 5 % of answers take 2 s, the others 0.2 s; the ideal is a simulated sliding window over the same
latencies. `malformed`: 2 % of answers are broken for good. `faults`: 20 % of 10,000 prompts meet each kind of fault in turn, the first
time; what comes back is compared with the rule itself. Times mean something on an idle machine only, and all counts anywhere.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

import pyarrow.parquet  # noqa: F401 - a run has read its prompts and samples when it comes to judge

from benchmarks import judge_overhead
from benchmarks.http_client import resident
from constitution.model import Constitution, Principle
from engines.base import Request
from engines.http import HttpEngine
from engines.scripted import ScriptedEngine
from engines.scripted_faults import Fault, FaultPlan, prompt_hash
from engines.scripted_server import Timing, scripted_server
from generate.schedule import round_robin
from generate.shards import LazyShards, shards_of
from judges.pairwise import PairAsk, PairwiseJudge
from tenet.console import Console, Progress
from tenet.ids import Json
from tenet.records import Judgement, Outcome
from tenet.runs import Row, Stage
from tenet.runs.manifest import ManifestFile
from tenet.workers.local import Task, run_stage

LATENCY = 0.05
ASKS_A_PROMPT = 12  # four samples, six pairs, both orders
RESPONSE_WORDS = 40
LABELS = ((65,), (66,))
PRINCIPLES = tuple(Principle(f"p{n}", f"The response is courteous in way {n} of 5.") for n in range(5))

Line = dict[str, Json]


def engine_on(url: str, in_flight: int, **more: Json) -> HttpEngine:
    """The engine under test, one prompt a request."""
    options: dict[str, Json] = {"api": "vllm", "tokenizer": "bytes", "prompts_per_request": 1, "in_flight": in_flight}
    return HttpEngine("scripted", base_url=[url], options={**options, **more})


def recorded(judge: PairwiseJudge, judgements: int, folder: Path) -> int:
    """Make the questions, ask them and record the answers, as a run does; the rows recorded."""
    judge_overhead.RESPONSE_WORDS = RESPONSE_WORDS
    shards = shards_of(judge_overhead.world(judgements // ASKS_A_PROMPT))

    def make(number: int) -> Iterator[Task[PairAsk]]:
        for prompt, samples in shards[number]:
            for first, second in round_robin(samples):
                yield from (Task(ask.record_id, ask) for ask in judge.asks(prompt, first, second))

    def work(tasks: Iterable[Task[PairAsk]]) -> Iterator[Row[Judgement]]:
        for found in judge.stream(task.payload for task in tasks):
            yield Row(found.id, found, ok=found.outcome is not Outcome.ERROR, reason=found.reason)

    stage = Stage("judgements", Judgement, ManifestFile(folder))
    with Progress(Console(err=StringIO()), "judging") as progress:
        tasks = LazyShards(
            len(shards), make, lambda number: len(shards[number]) * ASKS_A_PROMPT
        )  # counted as a run counts them
        report = run_stage(stage, tasks, work, progress=progress)
    stage.close()
    return report.ok


def rate(judgements: int) -> Iterator[Line]:
    """Judgements a second and what each costs, at 64 and 256 in flight."""
    constitution = Constitution("bench", "1", "", "", PRINCIPLES)
    with scripted_server(latency=LATENCY) as server:
        for in_flight in (64, 256):
            with engine_on(server.base_url, in_flight) as engine, tempfile.TemporaryDirectory() as folder:
                judge = PairwiseJudge(engine, constitution)
                began, cpu = time.perf_counter(), time.process_time()
                rows = recorded(judge, judgements, Path(folder))
                wall, spent = time.perf_counter() - began, time.process_time() - cpu
            yield {
                "what": f"rate, {in_flight} in flight", "judgements": rows, "per_s": rows / wall,
                "of_ideal": rows / wall / (in_flight / LATENCY), "cpu_ms": spent / rows * 1e3, "mib": resident(),
            }  # fmt: skip


def prompts(count: int) -> list[Request]:
    """Short questions, all different."""
    text = "{0}: ### Response A\nfirst {0}\n\n### Response B\nother {0}\n\nWhich response is it?"
    return [Request(tuple(text.format(number).encode())) for number in range(count)]


def sliding_window(seconds: Sequence[float], in_flight: int) -> float:
    """How long these take if the next one starts whenever one of so many ends."""
    ends = [0.0] * in_flight
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def stragglers(count: int = 1000, in_flight: int = 50) -> Iterator[Line]:
    """Time with 5 % stragglers, and the ideal."""
    timing = Timing(0.2, 0.05, 2.0)
    requests = prompts(count)
    ideal = sliding_window([timing.seconds(prompt_hash(request.tokens)) for request in requests], in_flight)
    with (
        scripted_server(latency=0.2, stragglers=0.05, straggler_latency=2.0) as server,
        engine_on(server.base_url, in_flight) as engine,
    ):
        engine.check()
        began = time.perf_counter()
        good = sum(not read.error for _, read in engine.stream_labels(requests, LABELS))
        wall = time.perf_counter() - began
    yield {"what": "stragglers", "good": good, "seconds": wall, "ideal_s": ideal, "of_ideal": wall / ideal}


def outcomes(count: int, plan: FaultPlan, in_flight: int, **server_options: float | bool | Sequence[str]) -> Line:
    """What becomes of prompts under a plan of faults, against the rule itself."""
    requests = prompts(count)
    with ScriptedEngine("hash") as rule:
        right = rule.read_labels(requests, LABELS)
    limits: dict[str, Json] = {"connect_timeout": 1.0, "read_timeout": 2.0, "deadline": 120.0, "backoff": 0.1}
    began = time.perf_counter()
    with (
        scripted_server(latency=LATENCY, faults=plan.share, **server_options) as server,
        engine_on(server.base_url, in_flight, **limits) as engine,
    ):
        reads = engine.read_labels(requests, LABELS)
        repeated = server.counts()["repeated"]
    met = Counter(str(fault) for request in requests if (fault := plan.fault(request.tokens)) is not None)
    wrong = sum(not read.error and read.logprobs != true.logprobs for read, true in zip(reads, right, strict=True))
    failed = Counter(
        str(plan.fault(request.tokens)) for request, read in zip(requests, reads, strict=True) if read.error
    )
    told = all(read.error for read in reads if not read.logprobs)
    return {
        "judgements": count, "met": dict(met), "failed": dict(failed), "wrong": wrong, "every_failure_has_its_reason": told,
        "asked_again": repeated, "seconds": time.perf_counter() - began,
    }  # fmt: skip


def malformed(count: int = 5000) -> Iterator[Line]:
    """2 % of answers broken for good."""
    kinds = [Fault.TRUNCATED, Fault.HTML, Fault.NAN, Fault.MISSING_LABEL, Fault.EMPTY_CHOICES]
    names = [str(kind) for kind in kinds]
    yield {"what": "malformed", **outcomes(count, FaultPlan.of(0.02, names), 64, kinds=names, for_good=True)}


def faults(count: int = 10_000) -> Iterator[Line]:
    """20 % of prompts meet a fault of any kind, once."""
    yield {"what": "faults", **outcomes(count, FaultPlan.of(0.2), 64)}


PARTS: dict[str, Callable[[], Iterator[Line]]] = {
    "rate": lambda: rate(5000),
    "stragglers": stragglers,
    "malformed": malformed,
    "faults": faults,
}


def main() -> None:
    """Print what was measured, a line each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless named")
    parser.add_argument("--judgements", type=int, default=5000, help="of the part rate")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for name in args.parts or PARTS:
        for row in rate(args.judgements) if name == "rate" else PARTS[name]():
            if args.json:
                sys.stdout.write(json.dumps(row) + "\n")
            else:
                cells = [
                    f"{key} {value:,.3f}" if isinstance(value, float) else f"{key} {value}"
                    for key, value in row.items()
                ]
                print("; ".join(cells).removeprefix("what "))


if __name__ == "__main__":
    main()
