"""The same run in one process and on 1 and 2 Ray workers: how long it takes, what the workers cost, and that the dataset is the same.

    python -m benchmarks.ray_scaling [--prompts 1024] [--latency 0.2] [--json] [--out FILE]

The scripted engine waits `latency` seconds for each batch of 16, so that workers can overlap as GPUs would; `seconds` are those of the
sampling and judging stages, `start` is the rest of the command (Python, Ray, surveys, export), and `speed` is held against one process.
A worker is given shards of 256 prompts: fewer than 512 prompts do not keep two at work. Times mean something on an idle machine only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kill_and_resume import cluster, command, digest
from pocket import world
from tenet.console import Console
from tenet.ids import Json

WORKERS = ("local", "ray:1", "ray:2")


def write_run(folder: Path, prompts: int, latency: float) -> Path:
    """A run.yaml with its prompts; returns the file."""
    asked = [prompt.text for prompt in world.prompts(prompts, seed=5, split="heldout")]
    (folder / "prompts.jsonl").write_text(
        "\n".join(json.dumps({"prompt": text}) for text in asked) + "\n", encoding="utf-8"
    )
    options = f"options: {{latency: {latency}, batch: 16}}"
    (folder / "run.yaml").write_text(
        "name: scaled\nprinciples: pocket/courteous\nprompts: {path: prompts.jsonl}\n"
        f"policy: {{engine: scripted, model: hash, samples: 4, max_tokens: 64, {options}}}\n"
        f"judge: {{engine: scripted, model: longer, {options}}}\ncritique: none\n"
    )
    return folder / "run.yaml"


def measure(file: Path, runs: Path, workers: str) -> dict[str, Json]:
    """Carry the run out with these workers."""
    with cluster(workers) as more:
        began = time.monotonic()
        subprocess.run(command(file, runs, more), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        whole = time.monotonic() - began
    seconds = sum(json.loads((runs / "scaled/stats.json").read_text())["seconds"].values())
    return {"workers": workers, "seconds": round(seconds, 1), "start": round(whole - seconds, 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each way; returns 1 if a dataset differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1024)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    asked = parser.parse_args(arguments)
    rows: list[dict[str, Json]] = []
    with tempfile.TemporaryDirectory() as place:
        file = write_run(Path(place), asked.prompts, asked.latency)
        first = ""
        for workers in WORKERS:
            runs = Path(place) / workers.replace(":", "-")
            row = measure(file, runs, workers)
            found = digest(runs / "scaled")
            first = first or found
            one = rows[0]["seconds"] if rows else row["seconds"]
            assert isinstance(one, float)
            assert isinstance(row["seconds"], float)
            rows.append({**row, "speed": round(one / row["seconds"], 2), "same dataset": found == first})
    if asked.out is not None:
        figures = {"prompts": asked.prompts, "latency": asked.latency, "rows": rows}
        asked.out.write_text(json.dumps(figures, indent=1) + "\n")
    title = f"{asked.prompts} prompts, {asked.latency:g} s a batch of 16"
    Console(json=asked.json).table(list(rows[0]), [list(row.values()) for row in rows], title=title)
    return 0 if all(row["same dataset"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
