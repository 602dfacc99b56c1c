"""Judge throughput through Tenet against the same vLLM engine fed directly with the same token ids.

    python -m benchmarks.engine_throughput [--rounds 5] [--prompts 40] [--large-prompts 3] [--json]

Through Tenet means all of it: texts to questions, the engine, answers to judgements, and the rows of a run folder, durable. Directly means
one call of `LLM.generate` with the token ids at hand. Both are timed in this process on the same engine; which goes first alternates; every
round has other texts and starts with an empty prefix cache. The pocket judge, where the engine is nearly free, shows Tenet's own cost; a
random-weight model of 57M parameters shows what is left of it. Wall times on a busy machine vary: the ratio is the median over
the rounds, whose two legs run side by side, and that of CPU times is printed beside it. Exits 1 below 0.80 and 0.95.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.engine_material import Material, material, questions, random_model
from constitution.load import load
from engines.registry import create_engine
from engines.vllm import VllmEngine, label_params
from judges.pairwise import PairAsk, PairwiseJudge
from pocket import JUDGE_PATH
from tenet.console import Console
from tenet.records import Judgement, Outcome
from tenet.runs import Fingerprint, Row, Run
from tenet.workers.local import Task, run_stage


@dataclass(frozen=True)
class Result:
    """Judgements per second of one model both ways, and the ratios."""

    model: str
    parameters: int
    judgements: int
    direct_per_s: float
    tenet_per_s: float
    ratio: float
    cpu_ratio: float


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def through_tenet(judge: PairwiseJudge, chosen: Material, folder: Path) -> None:
    """Texts to durable rows, as `tenet generate` does it."""

    def work(tasks: Iterable[Task[PairAsk]]) -> Iterator[Row[Judgement]]:
        for one in judge.stream(task.payload for task in tasks):
            yield Row(one.id, one, ok=one.outcome is not Outcome.ERROR, reason=one.reason)

    with Run.open(folder, {}, Fingerprint({}), command="benchmark") as run, Console().progress("judging") as progress:
        stage = run.stage("judgements", Judgement)
        tasks = [Task(ask.record_id, ask) for ask in questions(judge, chosen)]
        report = run_stage(stage, [tasks], work, progress=progress)
    if report.ok != len(tasks):
        raise SystemExit(f"{report.failed} of {len(tasks)} judgements failed: {report.reasons}")


def measure(name: str, model: Path, parameters: int, prompts: int, rounds: int) -> Result:
    """Time one model both ways."""
    constitution = load("pocket/courteous")
    direct: list[tuple[float, float]] = []
    tenet: list[tuple[float, float]] = []
    count = 0
    with closing(create_engine("vllm", str(model))) as engine, tempfile.TemporaryDirectory() as folder:
        assert isinstance(engine, VllmEngine)
        llm: Any = engine.loaded()
        judge = PairwiseJudge(engine, constitution, min_label_mass=0.0)
        for place in range(-1, rounds):
            chosen = material(prompts, 1000 + place)
            shadow = PairwiseJudge(
                create_engine("vllm", str(model)), constitution
            )  # tokenises without the engine's caches
            asks = questions(shadow, chosen)
            ids = [{"prompt_token_ids": list(ask.tokens)} for ask in asks]
            params = label_params(judge.labels)
            count = len(asks)
            legs = [
                (direct, partial(llm.generate, ids, params, use_tqdm=False)),
                (tenet, partial(through_tenet, judge, chosen, Path(folder) / str(place))),
            ]
            for times, leg in legs if place % 2 else legs[::-1]:
                llm.reset_prefix_cache()
                taken = timed(leg)
                if place >= 0:  # the first round warms up
                    times.append(taken)
    wall = statistics.median(a / b for (a, _), (b, _) in zip(direct, tenet, strict=True))
    cpu = statistics.median(a / b for (_, a), (_, b) in zip(direct, tenet, strict=True))
    rates = [count / statistics.median(seconds for seconds, _ in times) for times in (direct, tenet)]
    return Result(name, parameters, count, rates[0], rates[1], wall, cpu)


def main() -> None:
    """Print the table; exit 1 if a ratio is under its mark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--prompts", type=int, default=40, help="prompts a round for the pocket judge, 12 judgements each"
    )
    parser.add_argument("--large-prompts", type=int, default=3, help="the same for the large model; 0 leaves it out")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results, marks = [], []
    if args.prompts:
        results.append(measure("pocket judge", JUDGE_PATH, 2_068_800, args.prompts, args.rounds))
        marks.append(0.80)
    if args.large_prompts:
        with tempfile.TemporaryDirectory() as folder:
            parameters = random_model(Path(folder) / "large")
            results.append(
                measure("random weights", Path(folder) / "large", parameters, args.large_prompts, args.rounds)
            )
        marks.append(0.95)
    if args.json:
        print(json.dumps([asdict(result) for result in results]))
    else:
        print(
            f"{'model':16}{'parameters':>12}{'judgements':>12}{'direct/s':>10}{'Tenet/s':>10}{'ratio':>8}{'CPU ratio':>11}"
        )
        for one in results:
            print(
                f"{one.model:16}{one.parameters:>12,}{one.judgements:>12,}{one.direct_per_s:>10.1f}{one.tenet_per_s:>10.1f}"
                f"{one.ratio:>8.3f}{one.cpu_ratio:>11.3f}"
            )
    sys.exit(any(one.ratio < mark for one, mark in zip(results, marks, strict=True)))


if __name__ == "__main__":
    main()
