"""How `tenet report` grows with a run: time, memory and the size of the page, for runs of a thousand to a hundred thousand pairs.

    python -m benchmarks.report_size [--pairs 1000 10000 100000] [--json]

The runs are those of `benchmarks.view_rows` (four judged pairs a prompt in both orders, seven of eight exported, responses of 95 words),
with two trainings whose logs have a line for every pair, so that what could grow with its material does. Each report is a process of its
own; memory is the most that it ever held, CPU time its own. The bound is 5 MB for the page of the largest run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.view_rows import PAIRS_A_PROMPT, make_run
from tenet.console import Console
from tenet.ids import Json, unit_interval
from tenet.records import PreferencePair
from tenet.runs import Run

EXPORTED = PAIRS_A_PROMPT * 7 / 8
"""Exported pairs a prompt."""
BOUND_MB = 5.0


@dataclass(frozen=True)
class Row:
    """One report: the run's exported pairs, what it took, and the bytes of its page."""

    pairs: int
    shards_mb: float
    seconds: float
    cpu_seconds: float
    peak_mib: float
    page_mb: float


def measured(folder: Path, pairs: int) -> Row:
    """Make a run of so many pairs, write its report in a process of its own, and say what that took."""
    run = folder / f"pairs-{pairs}"
    size = make_run(run, round(pairs / EXPORTED), folder)
    for name in ("reward", "dpo"):
        _training(run / "train" / name, name, pairs)
    out = folder / f"{pairs}.html"
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tenet", "report", str(run), "--out", str(out)])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"tenet report ended with {status}")
    with Run.read(run) as held:
        exported = held.stage("pairs", PreferencePair).counts().rows
    cpu = usage.ru_utime + usage.ru_stime
    return Row(exported, size / 1e6, seconds, cpu, usage.ru_maxrss / 1024, out.stat().st_size / 1e6)


def _training(folder: Path, method: str, steps: int) -> None:
    """A training's record and its log, a line a step."""
    folder.mkdir(parents=True)
    record = {"status": "finished", "method": method, "config": {}, "data": {"train_rows": steps}, "result": {}}
    (folder / "train.json").write_text(json.dumps(record))
    with (folder / "metrics.jsonl").open("w") as log:
        for step in range(1, steps + 1):
            noise = unit_interval("noise", method, step)
            line = {
                "step": step,
                "loss": 0.3 + 0.4 / step**0.2 + 0.1 * noise,
                "margin": noise,
                "accuracy": 0.5 + noise / 2,
            }
            log.write(json.dumps(line) + "\n")


def main(words: Sequence[str] | None = None) -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    console = Console(json=given.json)
    with tempfile.TemporaryDirectory(prefix="tenet-report-") as folder:
        rows = [measured(Path(folder), pairs) for pairs in given.pairs]
    if given.json:
        told: list[Json] = [asdict(row) for row in rows]
        console.data(told)
    cells: list[list[Json]] = [
        [
            f"{row.pairs:,}", f"{row.shards_mb:.1f}", f"{row.seconds:.1f}", f"{row.cpu_seconds:.1f}",
            f"{row.peak_mib:.0f}", f"{row.page_mb:.2f}",
        ]
        for row in rows
    ]  # fmt: skip
    console.table(["pairs", "shards, MB", "s", "s of CPU", "peak, MiB", "page, MB"], cells)
    console.say(
        f"largest page {max(row.page_mb for row in rows):.2f} MB (bound {BOUND_MB:.0f}); {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
