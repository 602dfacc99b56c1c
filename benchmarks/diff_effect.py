"""What `tenet principles diff --run` is worth in the pocket world: causes, coverage of the interval, the plan, and what --apply asks.

A run judges pocket replies under a file of three principles; an edit turns the sense of one and changes the weight of another a
little, which turns next to nothing: a flip is put down rightly if the turned one is blamed. The recorded verdicts of the whole run under
both files are then resampled: how many intervals, over so many samples, hold the true share of flips. At last the edit is applied, and
what that asks is held against the plan. Exit 1 where a figure misses its bar.

    python -m benchmarks.diff_effect --plain               the shipped files pocket/courteous and pocket/blunt; transformers
    python -m benchmarks.diff_effect --plain --engine vllm
    python -m benchmarks.diff_effect --mode each           three principles, each asked by itself
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path

from constitution.diff import compare
from constitution.load import load
from generate.answers import CACHE
from generate.bill import read_usage
from generate.context import Step
from generate.effect import Effect
from generate.flip_rate import share
from generate.measured import measured
from generate.pipeline import Order, generate, read_stats
from generate.relabel import relabel
from pocket import JUDGE_PATH, world
from tenet.budget import Spent
from tenet.config import make_config
from tenet.console import Console
from tenet.ids import Json
from tenet.runconfig import RunConfig

SAMPLE = 200
HEAD = "schema_version: 1\nname: {name}\nprinciples:\n"
TEXTS = {
    "tone": "The response is polite: it greets or thanks the person and wishes them well.",
    "brief": "The response is short: it says what matters in one or two sentences.",
    "honest": "The response is honest: it admits what it does not know.",
}
RUDE = "The response is rude: it scolds the person or sends them away."


@dataclass(frozen=True)
class Found:
    """What the benchmark measured."""

    engine: str
    mode: str
    pairs: int
    reached: int
    flips: int
    cause_found: float
    true_rate: float
    coverage: float
    resamples: int
    planned_calls: float
    asked_calls: int
    planned_tokens: float
    asked_tokens: int
    seconds: float


def quiet() -> Console:
    """A console that says nothing."""
    return Console(quiet=True, out=StringIO(), err=StringIO())


def write_responses(path: Path, prompts: int, replies: int, seed: int = 0) -> None:
    """Pocket prompts, each with replies of the pocket world."""
    rng = random.Random(seed)
    rows = [
        {
            "prompt": prompt.text,
            "tags": [prompt.kind.value],
            "responses": [world.reply(prompt, world.draw_plan(rng, balanced=True), rng).text for _ in range(replies)],
        }
        for prompt in world.prompts(prompts, seed)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


def write_files(folder: Path) -> tuple[str, str]:
    """Three principles; and the same with the first one's sense turned, and the second one's weight changed a little."""
    for name, tone, weight in (("before", TEXTS["tone"], 1.0), ("after", RUDE, 1.02)):
        body = "".join(
            f"  - id: {key}\n    text: {json.dumps(tone if key == 'tone' else text)}\n"
            f"    weight: {weight if key == 'brief' else 1.0}\n"
            for key, text in TEXTS.items()
        )
        (folder / f"{name}.yaml").write_text(HEAD.format(name=name) + body, encoding="utf-8")
    return str(folder / "before.yaml"), str(folder / "after.yaml")


def make_run(folder: Path, principles: str, engine: str, prompts: int, replies: int, mode: str = "sampled") -> Path:
    """A judged run; gives its folder."""
    responses = folder / "responses.jsonl"
    write_responses(responses, prompts, replies)
    judge: Json = {"model": str(JUDGE_PATH), "engine": engine, "principles": mode}
    values: dict[str, Json] = {
        "name": "run", "principles": principles, "samples": {"path": str(responses)}, "judge": judge, "critique": "none",
    }  # fmt: skip
    order = Order(make_config(values, RunConfig), folder / "run", "tenet generate run.yaml")
    generate(order, quiet()).close()
    return folder / "run"


def coverage(flips: Sequence[bool], true_rate: float, resamples: int, size: int) -> float:
    """The share of samples of recorded verdicts whose interval holds the true rate; a pair that is out of reach does not come in."""
    import numpy as np

    rng = np.random.default_rng(0)
    turned = np.array(flips)
    held = 0
    for _ in range(resamples):
        drawn = turned[rng.choice(len(turned), size, replace=False)]
        found = share(int(drawn.sum()), size, len(turned))
        held += found.low <= true_rate <= found.high
    return held / resamples


def right(effect: Effect, *, plain: bool) -> float:
    """The share of flips for which the principle is blamed whose sense was turned."""
    wanted = {"blunt", "courteous"} if plain else {"tone"}
    good = [bool({change.id for change in one.blamed} & wanted) for one in effect.flips]
    return sum(good) / len(good) if good else 1.0


def bench(folder: Path, engine: str, prompts: int, replies: int, resamples: int, mode: str, *, plain: bool) -> Found:
    """Run it all."""
    began = time.monotonic()
    first, second = ("pocket/courteous", "pocket/blunt") if plain else write_files(folder)
    run = make_run(folder, first, engine, prompts, replies, mode)
    difference = compare(load(first), load(second))
    whole = measured(shutil.copytree(run, folder / "whole"), difference, second, quiet(), size=10**9).effect
    flips = [one.flipped for one in whole.compared]
    size = min(SAMPLE, len(flips) // 3)
    small = measured(run, difference, second, quiet(), size=size)
    line = small.relabelling.judging
    before = read_usage(read_stats(run)).get(Step.JUDGEMENTS, Spent())
    relabel(run, second, run / CACHE, quiet()).close()
    after = read_usage(read_stats(run)).get(Step.JUDGEMENTS, Spent())
    return Found(
        engine, mode, whole.reach.pairs, whole.reach.reached, sum(flips), right(whole, plain=plain), sum(flips) / len(flips),
        coverage(flips, sum(flips) / len(flips), resamples, size), resamples,
        line.owed.high, after.calls - before.calls, line.prompt_tokens.high, after.prompt_tokens - before.prompt_tokens,
        round(time.monotonic() - began, 1),
    )  # fmt: skip


def main() -> int:
    """Measure, print, and hold against the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="transformers", choices=["transformers", "vllm"])
    parser.add_argument("--mode", default="sampled", choices=["sampled", "each", "whole"])
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--replies", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = bench(
            Path(folder), given.engine, given.prompts, given.replies, given.resamples, given.mode, plain=given.plain
        )
    Console(json=given.json).table(["figure", "value"], [[name, value] for name, value in asdict(found).items()])
    good = (
        found.cause_found >= 0.95
        and 0.93 <= found.coverage <= 0.97
        and found.planned_calls == found.asked_calls
        and found.planned_tokens == found.asked_tokens
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
