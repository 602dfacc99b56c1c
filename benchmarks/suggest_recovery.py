"""Does `tenet principles suggest` find the principle of an annotator? In the pocket world, where the annotator's principle is known.

For each seed, one of the pocket families is in force and judges a run; an annotator who goes by another one labels 200 pairs between
which it decides, as the oracle reads the texts, and errs in 10 % of them. The pool holds all families. Recovered is the hidden one if it is
supported and ranks first. Exit 1 where that is so in fewer than nine of ten seeds.

    python -m benchmarks.suggest_recovery                  ten seeds, one principle drawn for each prompt
    python -m benchmarks.suggest_recovery --mode each --json > suggest.json
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from benchmarks.diff_effect import quiet
from generate.pipeline import Order, generate
from generate.suggest.score import Standing
from generate.suggest.work import Settings, suggest
from pocket import JUDGE_PATH, oracle, world
from tenet.config import make_config
from tenet.console import Console
from tenet.ids import Json
from tenet.runconfig import RunConfig

POOL = tuple(f"pocket/{family}" for family in oracle.FAMILIES)
BAR = 0.9


@dataclass(frozen=True)
class Found:
    """What came of one seed; figures are those of the hidden principle on held-out labels."""

    seed: int
    in_force: str
    hidden: str
    rank: int
    standing: str
    supported: int
    fixed: int
    broken: int
    before: float
    after: float
    calls: int
    seconds: float

    @property
    def recovered(self) -> bool:
        """Whether the hidden principle is supported and ranks first."""
        return self.rank == 1 and self.standing == Standing.SUPPORTED


@dataclass(frozen=True)
class Pair:
    """Two replies to a prompt, and the one that the hidden principle prefers: 1 the first, -1 the second."""

    prompt: world.PocketPrompt
    a: str
    b: str
    better: int


def pairs_decided(hidden: str, seed: int) -> Iterator[Pair]:
    """Pairs of replies between which a family decides; prompts as they come, and again with other replies when they run out."""
    rng = random.Random(f"suggest:{seed}")
    while True:
        for prompt in world.prompts(500, rng.randrange(10**9)):
            a, b = (world.reply(prompt, world.draw_plan(rng, balanced=True), rng).text for _ in range(2))
            if better := oracle.decide(hidden, prompt.text, a, b):
                yield Pair(prompt, a, b, better)


def write_material(folder: Path, hidden: str, seed: int, labels: int, noise: float) -> tuple[Path, Path]:
    """Responses with a prompt of its own for each pair, and the annotator's labels of all of them."""
    rng = random.Random(f"annotator:{seed}")
    drawn: dict[str, Pair] = {}
    for pair in pairs_decided(hidden, seed):
        drawn.setdefault(pair.prompt.text, pair)
        if len(drawn) == labels:
            break
    responses, told = folder / "responses.jsonl", folder / "labels.jsonl"
    rows = [{"prompt": p.prompt.text, "tags": [p.prompt.kind.value], "responses": [p.a, p.b]} for p in drawn.values()]
    responses.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with told.open("w", encoding="utf-8") as file:
        for pair in drawn.values():
            first = (pair.better > 0) is (rng.random() >= noise)
            row = {"prompt": pair.prompt.text, "response_a": pair.a, "response_b": pair.b}
            file.write(json.dumps({**row, "preference": "a" if first else "b", "annotator": "simulated"}) + "\n")
    return responses, told


def make_run(folder: Path, principles: str, responses: Path, engine: str, mode: str) -> Path:
    """A judged run; gives its folder."""
    judge: Json = {"model": str(JUDGE_PATH), "engine": engine, "principles": mode}
    values: dict[str, Json] = {
        "name": "run", "principles": principles, "samples": {"path": str(responses)}, "judge": judge, "critique": "none",
    }  # fmt: skip
    generate(Order(make_config(values, RunConfig), folder / "run", "tenet generate run.yaml"), quiet()).close()
    return folder / "run"


def bench(
    folder: Path,
    seed: int,
    *,
    labels: int = 200,
    noise: float = 0.1,
    engine: str = "transformers",
    mode: str = "sampled",
) -> Found:
    """One seed: an annotator, a run, and what is suggested."""
    began = time.monotonic()
    in_force, hidden = random.Random(f"families:{seed}").sample(oracle.FAMILIES, 2)
    responses, told = write_material(folder, hidden, seed, labels, noise)
    run = make_run(folder, f"pocket/{in_force}", responses, engine, mode)
    found = suggest(run, told, POOL, Settings(seed=seed), quiet(), command="", dry_run=False)
    if found.ranked is None:
        return Found(
            seed, in_force, hidden, 0, "nothing to explain", 0, 0, 0, 0, 0, found.spent.calls, time.monotonic() - began
        )
    rank, one = next((n, one) for n, one in enumerate(found.ranked.candidates, 1) if one.principle.id == hidden)
    effect = one.held_out
    return Found(
        seed, in_force, hidden, rank, one.standing.value, len(found.ranked.supported), effect.fixed, effect.broken,
        round(effect.before.value, 3), round(effect.after.value, 3), found.spent.calls, round(time.monotonic() - began, 1),
    )  # fmt: skip


def main() -> int:
    """Measure, print, and hold against the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="transformers", choices=["transformers", "vllm"])
    parser.add_argument("--mode", default="sampled", choices=["sampled", "each", "whole"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    console = Console(json=given.json)
    found: list[Found] = []
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            found.append(
                bench(Path(folder), seed, labels=given.labels, noise=given.noise, engine=given.engine, mode=given.mode)
            )
        last = found[-1]
        console.say(f"seed {seed}: {last.in_force} in force, {last.hidden} hidden: rank {last.rank}, {last.standing}")
    good = sum(one.recovered for one in found)
    if given.json:
        console.data({"mode": given.mode, "labels": given.labels, "noise": given.noise, "recovered": good,
                      "seeds": [asdict(one) for one in found]})  # fmt: skip
    else:
        console.table([field.name for field in fields(Found)], [list(astuple(one)) for one in found])
        console.data(f"Recovered in {good} of {len(found)} seeds.")
    return 0 if good >= BAR * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
