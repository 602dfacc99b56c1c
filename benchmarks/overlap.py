"""What it saves to judge samples while others are still drawn: scripted models that take time and no processor, on two devices.

    python -m benchmarks.overlap [--policy 20] [--judge 20] [--prompts 2560] [--json]

The policy takes so many seconds for all samples, the judge for all judgements, in equal batches. Rows: one after the other, and side
by side; `stages` is the time of the command that does both, `ideal` the longer of the two and the shorter one's share of one
shard, which must be drawn before it can be judged. The datasets must be equal byte for byte. Tenet's own work comes on top of the engines'
time, so the numbers mean something on an idle machine only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from benchmarks.kill_and_resume import digest
from generate.context import Step
from generate.pipeline import Order, generate
from generate.shards import PROMPTS_PER_SHARD
from tenet.config import make_config
from tenet.console import Console
from tenet.ids import Json
from tenet.runconfig import RunConfig

BATCH = 64
SAMPLES = 2


def order(folder: Path, runs: Path, overlap: str, prompts: int, seconds: tuple[float, float]) -> Order:
    """A run whose two stages take so many seconds in their engines."""
    batches = prompts * SAMPLES / BATCH  # the judge's calls are as many: two orders of one pair
    drawing, judging = (each / batches for each in seconds)
    asked = folder / "prompts.jsonl"
    if not asked.exists():
        rows = (json.dumps({"prompt": f"Question {number}: what should I do about it?"}) for number in range(prompts))
        asked.write_text("\n".join(rows) + "\n")
    config = make_config(
        {
            "name": "side", "principles": "pocket/courteous", "prompts": {"path": str(asked)}, "critique": "none", "overlap": overlap,
            "policy": {"engine": "scripted", "model": "hash", "samples": SAMPLES, "max_tokens": 32,
                       "options": {"latency": drawing, "batch": BATCH, "device": "gpu:0"}},
            "judge": {"engine": "scripted", "model": "longer", "options": {"latency": judging, "batch": BATCH, "device": "gpu:1"}},
        },
        RunConfig,
    )  # fmt: skip
    return Order(config, runs / "side", "tenet generate run.yaml")


def measure(asked: Order) -> float:
    """Carry an order out; gives the seconds of its two stages, with what a command takes to begin."""
    console = Console(quiet=True, out=StringIO(), err=StringIO())
    began = time.monotonic()
    generate(replace(asked, steps={Step.SAMPLES, Step.JUDGEMENTS}), console).close()
    took = time.monotonic() - began
    generate(asked, console).close()
    return took


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each way; returns 1 if the datasets differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--judge", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--prompts", type=int, default=10 * PROMPTS_PER_SHARD)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    seconds = (asked.policy, asked.judge)
    leg = min(seconds) * PROMPTS_PER_SHARD / asked.prompts
    rows: list[dict[str, Json]] = []
    digests: set[str] = set()
    with tempfile.TemporaryDirectory() as place:
        for overlap, ideal in (("no", sum(seconds)), ("auto", max(seconds) + leg)):
            one = order(Path(place), Path(place) / overlap, overlap, asked.prompts, seconds)
            took = measure(one)
            digests.add(digest(one.folder))
            rows.append(
                {
                    "overlap": overlap,
                    "policy": seconds[0],
                    "judge": seconds[1],
                    "stages": round(took, 1),
                    "ideal": ideal,
                }
            )
    title = f"{asked.prompts} prompts, {SAMPLES} samples each; datasets {'equal' if len(digests) == 1 else 'DIFFER'}"
    Console(json=asked.json).table(list(rows[0]), [list(row.values()) for row in rows], title=title)
    return 0 if len(digests) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
