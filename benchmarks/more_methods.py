"""Whether KTO and online DPO move the pocket policy as DPO does: the rate of what a principles file asks for, before and after.

One set of pairs a seed, made as `tenet demo` makes it (pocket policy, pocket judge, principles pocket/courteous): clear
verdicts, with their p. DPO and KTO learn from these pairs; `kto, labels rounded` sees the same pairs with p set to 1. Online
DPO sees only the prompts and asks the same judge while it learns. All trainings have the same beta, rate and batch size; KTO's
batches hold as many single responses as DPO's hold pairs. The oracle reads the answers to held-out prompts. Times are CPU seconds of
this process.

    python -m benchmarks.more_methods                   one seed, 120 prompts with 3 samples each
    python -m benchmarks.more_methods --methods online  online DPO alone
    python -m benchmarks.more_methods --seeds 0 1 2 --json
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from constitution.load import load
from pocket import JUDGE_PATH, POLICY_PATH, demo
from pocket.plan import HELD_OUT_SEED, QUICK, DemoPlan, draw_prompts, kinds_for, write_prompts
from tenet.console import Console
from tenet.ids import Json
from train.config import DpoConfig, KtoConfig, OnlineDpoConfig, TrainConfig, method_of
from train.evaluate import EvaluateConfig, Side, evaluate
from train.judged import JudgedBy

FAMILY = "courteous"
PRINCIPLES = f"pocket/{FAMILY}"
MAX_TOKENS = 96
COMMON: Mapping[str, Any] = {"batch_size": 16, "learning_rate": 5e-4, "warmup": 0.1, "log_every": 5, "device": "cpu"}


@dataclass(frozen=True)
class Outcome:
    """One training: rates of the asked attribute, share of answers on topic, rows a pass, updates, CPU seconds."""

    seed: int
    method: str
    base: float
    trained: float
    on_topic: float
    rows: int
    steps: int
    seconds: float


def trainings(plan: DemoPlan, methods: Sequence[str]) -> Iterator[tuple[str, TrainConfig]]:
    """What is compared; the pairs are made where a method needs them."""
    folder, data = plan.out, plan.dataset / "trl-preference"
    keys: dict[str, Any] = {"model": str(POLICY_PATH), "seed": plan.seed, "eval_share": 0.0, "beta": 0.2, **COMMON}
    if "pairs" in methods:
        yield from _on_pairs(data, _rounded(data, folder / "rounded.parquet"), folder, keys)
    if "online" in methods:
        judge = JudgedBy(model=str(JUDGE_PATH), principles=PRINCIPLES)
        yield (
            "online-dpo",
            OnlineDpoConfig(
                data=str(plan.prompts), out=str(folder / "online"), epochs=3, judge=judge, max_tokens=MAX_TOKENS,
                temperature=1.0, max_length=512, **keys,
            ),
        )  # fmt: skip


def _on_pairs(data: Path, rounded: Path, folder: Path, keys: Mapping[str, Any]) -> Iterator[tuple[str, TrainConfig]]:
    yield "dpo", DpoConfig(data=str(data), out=str(folder / "dpo"), epochs=1.5, **keys)
    yield "kto", KtoConfig(data=str(data), out=str(folder / "kto"), epochs=1.5, **keys)
    yield "kto, labels rounded", KtoConfig(data=str(rounded), out=str(folder / "kto-rounded"), epochs=1.5, **keys)


def run(seed: int, prompts: int, held_out: int, methods: Sequence[str], folder: Path) -> Iterator[Outcome]:
    """Make the pairs of one seed, train every way on them, and measure."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        quiet = Console(quiet=True, err=nowhere)
        sizes = replace(QUICK, prompts=prompts, samples=3, held_out=held_out)
        plan = DemoPlan(PRINCIPLES, seed, folder, sizes)
        made = demo.Demo(plan, load(PRINCIPLES), (FAMILY,), quiet, quiet)
        if "pairs" in methods:
            for step in (demo.sample, demo.judge, demo.pair):
                step(made)
        else:
            shares = kinds_for((FAMILY,))
            write_prompts(plan.prompts, draw_prompts(prompts, seed, "train", shares))
            write_prompts(plan.held_out, draw_prompts(held_out, HELD_OUT_SEED, "heldout", shares))
        base: Side | None = None
        for name, config in trainings(plan, methods):
            began = time.process_time()
            result = _train(config, quiet)
            seconds = time.process_time() - began
            found = evaluate(
                EvaluateConfig(
                    base=str(POLICY_PATH), trained=str(result.folder), prompts=str(plan.held_out), oracle="pocket",
                    max_tokens=MAX_TOKENS, seed=seed, out=str(folder / f"{result.folder.name}.json"),
                ),
                console=quiet, base=base,
            )  # fmt: skip
            base = found.base
            rates = {one.name: one for one in found.attributes}
            asked, topic = rates[FAMILY], rates["on_topic"]
            yield Outcome(
                seed,
                name,
                asked.base.value,
                asked.trained.value,
                topic.trained.value,
                result.rows,
                result.steps,
                seconds,
            )


def _rounded(data: Path, file: Path) -> Path:
    """The same pairs with every label certain."""
    import pyarrow.parquet as pq

    files = sorted(data.glob("train*.parquet"))  # what is held out stays so
    pq.write_table(pq.ParquetDataset(files).read(columns=["prompt", "chosen", "rejected", "weight"]), file)
    return file


def _train(config: TrainConfig, console: Console) -> Any:
    from importlib import import_module

    name = method_of(config).value.replace("-", "_")
    return getattr(import_module(f"train.{name}"), f"train_{name}")(config, console=console)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--prompts", type=int, default=120)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--methods", nargs="+", choices=["pairs", "online"], default=["pairs", "online"])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    console = Console(json=given.json)
    found: list[Outcome] = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory() as folder:
            for outcome in run(seed, given.prompts, given.held_out, given.methods, Path(folder)):
                console.say(f"{outcome}")
                found.append(outcome)
    if given.json:
        console.data([asdict(one) for one in found])
        return
    rows: list[list[Json]] = [
        [one.seed, one.method, f"{100 * one.base:.0f} %", f"{100 * one.trained:.0f} %", f"{100 * one.on_topic:.0f} %",
         one.rows, one.steps, f"{one.seconds:.0f}"]
        for one in found
    ]  # fmt: skip
    console.table(["seed", "method", f"{FAMILY} before", "after", "on topic after", "rows", "updates", "CPU s"], rows)


if __name__ == "__main__":
    main()
