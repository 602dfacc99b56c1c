"""What `tenet demo` does to the pocket policy, file by file and seed by seed: the numbers behind "edit the file, steer the policy".

Runs the command itself, each time in a process and a folder of its own, and prints one row a run: the rate of the attribute
that the file asks for (and of its opposite) on held-out prompts, before and after, with 95 % intervals, and the wall time.

    python -m benchmarks.demo_seeds                                   courteous and blunt, seeds 0 to 2
    python -m benchmarks.demo_seeds --files brief thorough harmless honest independent --seeds 0
    python -m benchmarks.demo_seeds --json > demo_seeds.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pocket.oracle import OPPOSITES
from tenet.console import Console

RISE, REACH, FALL, FLOOR = 0.30, 0.85, 0.30, 0.10
"""The bar: what a file asks for rises by 30 points and reaches 85 %; its opposite falls by 30 points or under 10 %."""
SECONDS = 360.0


@dataclass(frozen=True)
class Outcome:
    """One demo: base and trained are (value, low, high) of the attribute that the row is about."""

    file: str
    seed: int
    attribute: str
    asked: bool
    base: tuple[float, float, float]
    trained: tuple[float, float, float]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the row meets the bar."""
        base, trained = self.base[0], self.trained[0]
        if self.asked:
            return trained - base >= RISE and trained >= REACH
        return base - trained >= FALL or trained < FLOOR


def run(family: str, seed: int, out: Path) -> list[Outcome]:
    """Run one demo, or what is left of it, and read its JSON."""
    words = ["tenet", "demo", "--principles", f"pocket/{family}", "--seed", str(seed), "--out", str(out), "--json"]
    code = f"import sys; from tenet.cli import main; sys.argv = {words!r}; main()"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.monotonic() - began
    measured: Mapping[str, Any] = json.loads(done.stdout)
    wanted = {family: True, **({OPPOSITES[family]: False} if family in OPPOSITES else {})}
    return [
        Outcome(family, seed, one["name"], wanted[one["name"]], _three(one["base"]), _three(one["trained"]), seconds)
        for one in measured["attributes"]
        if one["name"] in wanted
    ]


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the table and whether each row meets the bar."""
    columns = ["file", "seed", "attribute", "base", "trained", "change in points", "seconds", "meets the bar"]
    rows = [
        [
            one.file, one.seed, one.attribute if one.asked else f"{one.attribute} (opposite)", _text(one.base), _text(one.trained),
            f"{100 * (one.trained[0] - one.base[0]):+.0f}", round(one.seconds), "yes" if one.passed else "NO",
        ]
        for one in outcomes
    ]  # fmt: skip
    console.table(columns, rows, title="Share of answers to held-out questions, 95 % intervals")
    slowest = max(one.seconds for one in outcomes)
    console.say(
        f"{sum(one.passed for one in outcomes)} of {len(outcomes)} rows meet the bar; the slowest demo took {slowest:.0f} s"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every demo asked for; 1 where a row misses the bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", nargs="+", default=["courteous", "blunt"], metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N")
    parser.add_argument("--out", type=Path, help="keep the demos in this folder, and go on with those that are there")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    console = Console(json=given.json)
    with tempfile.TemporaryDirectory() as scratch:
        folder: Path = given.out or Path(scratch)
        outcomes = [
            one for file in given.files for seed in given.seeds for one in run(file, seed, folder / f"{file}-{seed}")
        ]
    if given.json:
        console.data([{**asdict(one), "passed": one.passed} for one in outcomes])
    else:
        show(outcomes, console)
    return 0 if all(one.passed for one in outcomes) else 1


def _three(rate: Mapping[str, float]) -> tuple[float, float, float]:
    return rate["value"], rate["low"], rate["high"]


def _text(rate: tuple[float, float, float]) -> str:
    return "{:.0f} % [{:.0f}, {:.0f}]".format(*(100 * value for value in rate))


if __name__ == "__main__":
    sys.exit(main())
