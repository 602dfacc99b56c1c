"""How true a plan is: the dry run on seeded subsets of real prompts, against what the finished runs record.

For each subset of HH prompts the pocket policy answers, there are three plans: before anything is drawn (bounds), after a probe
(95 % intervals), and once all samples exist (exact). Reads `../shared/data/hh-rlhf`, offensive text inside, of which nothing is
printed. The comparisons are asked for real in `--judged` subsets; in the others their calls and prompt tokens are those of the
questions that the samples make, which the judged ones show to be the same.

    python -m benchmarks.plan_accuracy                          20 subsets of 60 prompts, probes of 15; all judged
    python -m benchmarks.plan_accuracy --subsets 3 --judged 1
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Final

from generate.amounts import Amount
from generate.bill import Bill
from generate.context import Step
from generate.pipeline import Order, dry_run, generate, probe
from generate.planned import Line
from pocket import JUDGE_PATH, POLICY_PATH
from tenet.config import make_config
from tenet.console import Console
from tenet.records import Judgement, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run

DATA = Path(__file__).parents[2] / "shared/data/hh-rlhf/harmless-base.test.jsonl.gz"
SAMPLES, MAX_TOKENS = 4, 64
CLOSE: Final = 0.05
COVERED: Final = 0.9
QUANTITIES: Final = ("written", "calls", "read", "cached")
"""Completion tokens of the samples, calls of the judge, prompt tokens of the judge, and those of them that its cache held."""
ENGINES_OWN: Final = "cached"
"""Shown, and not part of the bar: how much a cache holds is the engine's affair."""


@dataclass(frozen=True)
class Told:
    """One quantity of one subset: what each plan said, and what happened."""

    subset: int
    quantity: str
    before: Amount
    probed: Amount
    drawn: Amount
    truth: float

    @property
    def held(self) -> bool:
        """Whether both plans that were made before all was drawn hold the truth."""
        return self.before.holds(self.truth) and self.probed.holds(self.truth)

    @property
    def error(self) -> float:
        """The relative error of the plan once all samples exist."""
        return abs((self.drawn.expected or 0.0) - self.truth) / max(1.0, self.truth)


def order_of(folder: Path, prompts: Path, seed: int, samples: int = SAMPLES, **keys: object) -> Order:
    """A run of the pocket models in `folder` over a file of prompts."""
    values = {
        "name": f"subset-{seed}",
        "seed": seed,
        "principles": "harmlessness",
        "prompts": {"path": str(prompts)},
        "policy": {"model": str(folder / POLICY_PATH.name), "samples": samples, "max_tokens": MAX_TOKENS},
        "judge": {"model": str(folder / JUDGE_PATH.name), "min_label_mass": 0.0},
        "critique": "none",
        "max_failures": 1.0,
        **keys,
    }
    return Order(make_config(values, RunConfig), folder / f"subset-{seed}", "tenet generate run.yaml")  # type: ignore[arg-type]


def subset(folder: Path, seed: int, prompts: int) -> Path:
    """A file of so many transcripts, drawn with this seed."""
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    chosen = random.Random(seed).sample(rows, prompts)
    path = folder / f"prompts-{seed}.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in chosen), encoding="utf-8")
    return path


def measure(order: Order, number: int, probed: int, *, judged: bool) -> Iterator[Told]:
    """The three plans of one subset, held against what it came to."""
    quiet = Console(quiet=True, out=StringIO(), err=StringIO())
    before = dry_run(order)
    probe(order, probed, quiet)
    after = dry_run(order)
    sampling = Order(order.config, order.folder, order.command, frozenset({Step.SAMPLES}))
    generate(sampling, quiet).close()
    drawn = dry_run(order)
    if judged:
        generate(Order(order.config, order.folder, order.command, frozenset({Step.JUDGEMENTS})), quiet).close()
    with Run.read(order.folder) as run:
        samples = list(run.stage(Step.SAMPLES, Sample).records(ok=None))
        answers = list(run.stage(Step.JUDGEMENTS, Judgement).records(ok=None)) if judged else []
    written = sum(one.completion_tokens or 0 for one in samples)
    known = _recorded(samples, order.folder, probed)
    exact = _line(drawn, Step.JUDGEMENTS)
    calls = len(answers) if judged else exact.calls.high
    read = sum(one.prompt_tokens or 0 for one in answers) if judged else exact.prompt_tokens.high
    told = [_line(bill, Step.SAMPLES).completion_tokens for bill in (before, after)]
    yield Told(number, "written", told[0], told[1] + Amount.exact(known), Amount.exact(written), written)
    cached = sum(one.cached_tokens or 0 for one in answers) if judged else exact.cached_tokens.high
    for quantity, field, truth in (
        ("calls", "calls", calls),
        ("read", "prompt_tokens", read),
        ("cached", "cached_tokens", cached),
    ):
        one, two, three = (getattr(_line(bill, Step.JUDGEMENTS), field) for bill in (before, after, drawn))
        yield Told(number, quantity, one, two, three, truth)


def _line(bill: Bill, step: str) -> Line:
    (line,) = [line for line in bill.lines if line.stage == step]
    return line


def _recorded(samples: list[Sample], folder: Path, probed: int) -> int:
    """Tokens that the probe wrote."""
    from generate.probing import chosen
    from tenet.records import Prompt

    with Run.read(folder) as run:
        prompts = list(run.stage(Step.PROMPTS, Prompt).records())
        seed = int(str(run.config["seed"]))
    names = chosen(prompts, probed, seed)
    return sum(one.completion_tokens or 0 for one in samples if one.prompt_id in names)


def show(found: list[Told], subsets: int, console: Console) -> bool:
    """Print a row a quantity; true where the bar is met."""
    rows = []
    good = True
    for quantity in QUANTITIES:
        told = [one for one in found if one.quantity == quantity]
        bounds = sum(one.before.holds(one.truth) for one in told)
        held = sum(one.probed.holds(one.truth) for one in told)
        width = sum((one.probed.high - one.probed.low) / max(1.0, one.truth) for one in told) / len(told)
        off = sum(abs((one.probed.expected or 0.0) / max(1.0, one.truth) - 1) for one in told) / len(told)
        worst = max(one.error for one in told)
        if quantity != ENGINES_OWN:
            good = good and min(bounds, held) >= COVERED * subsets and worst <= CLOSE
        rows.append(
            [quantity, f"{bounds} of {subsets}", f"{held} of {subsets}", f"{width:.1%}", f"{off:.1%}", f"{worst:.2%}"]
        )
    columns = [
        "quantity",
        "bounds hold",
        "95 % intervals hold",
        "their width",
        "error of the middle",
        "worst error once drawn",
    ]
    console.table(columns, [list(row) for row in rows], title=f"{subsets} subsets")
    return good


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subsets", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=60)
    parser.add_argument("--probe", type=int, default=15)
    parser.add_argument("--judged", type=int, default=None, help="subsets in which the judge is asked; default: all")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.exists():
        print(f"{DATA.name} is not there")
        return 3
    console = Console(json=arguments.json)
    found: list[Told] = []
    judged = arguments.subsets if arguments.judged is None else arguments.judged
    with tempfile.TemporaryDirectory() as folder:
        for model in (POLICY_PATH, JUDGE_PATH):  # copies: what is measured must not change on the way
            shutil.copytree(model, Path(folder) / model.name)
        for seed in range(arguments.subsets):
            began = time.monotonic()
            order = order_of(Path(folder), subset(Path(folder), seed, arguments.prompts), seed)
            found += measure(order, seed, arguments.probe, judged=seed < judged)
            console.say(f"subset {seed}: {time.monotonic() - began:.0f} s")
    if arguments.json:
        console.data([{**asdict(one), "held": one.held, "error": one.error} for one in found])
        return 0
    return 0 if show(found, arguments.subsets, console) else 1


if __name__ == "__main__":
    raise SystemExit(main())
