"""How a run grows: time a row and peak memory of `tenet generate`, for runs of a thousand to a million comparisons.

    python -m benchmarks.growth                                  # 1,000 10,000 100,000 1,000,000
    python -m benchmarks.growth --sizes 10000 100000 --responses sampled --json growth.json

Each size is the real command in a fresh process, on the scripted engine without latency: four responses to a prompt, given with it or
sampled, judged in full, both orders counted. A step begins when its folder appears in the run; times and memory are read from outside
(`/proc`, and what the system says of the ended process), so this works on Linux alone. `cpu` is what the process spent in user and system
time: it is what the bar is held against, because a busy machine does not change it much; `seconds` are by the clock. Peak memory is of
the process since its beginning. The bars compare the two largest sizes and need a size of a million. Exits 1 where one does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tenet.console import Console
from tenet.ids import Json

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
ANSWERS: Final = 4
ASKED: Final = ANSWERS * (ANSWERS - 1)
"""Comparisons of a prompt."""
BAR_MEMORY_MB: Final = 1000.0
BAR_RATIO: Final = 1.15
POLL_SECONDS: Final = 0.05
STEPS: Final = {
    "intake": ("", "prompts"), "samples": ("samples", "samples"), "judgements": ("judgements", "judgements"),
    "pairs": ("preferences", "preferences"), "dataset": ("dataset", "pairs"),
}  # fmt: skip
"""By step: the folder that tells of its beginning, and the stage whose rows are its rows."""
WORDS: Final = [f"{stem}{end}" for stem in ("print", "cable", "switch", "wait") for end in ("", "s", "ing", "er")]


@dataclass(frozen=True)
class Seen:
    """A process at a moment: seconds since its start by the clock and by its CPU time, and its peak resident memory in MB."""

    seconds: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True)
class Part:
    """What one step of a run took; `peak_mb` is the process's peak up to its end."""

    step: str
    rows: int
    seconds: float
    cpu: float
    peak_mb: float

    @property
    def cpu_us_a_row(self) -> float:
        """Microseconds of CPU time a row."""
        return self.cpu / max(1, self.rows) * 1e6

    @property
    def us_a_row(self) -> float:
        """Microseconds by the clock a row."""
        return self.seconds / max(1, self.rows) * 1e6

    def as_json(self) -> dict[str, Json]:
        """For `--json`."""
        return {**asdict(self), "us_a_row": self.us_a_row, "cpu_us_a_row": self.cpu_us_a_row}


def text(rng: random.Random, words: int) -> str:
    """So many words."""
    return " ".join(rng.choice(WORDS) for _ in range(words))


def write_run(folder: Path, comparisons: int, responses: str) -> Path:
    """A run.yaml with its input, the same each time; returns the file."""
    rng = random.Random(0)
    with (folder / "input.jsonl").open("w", encoding="utf-8") as file:
        for number in range(-(-comparisons // ASKED)):
            row: dict[str, Json] = {"prompt": f"Question {number}: {text(rng, 20)}?"}
            if responses == "given":
                row["responses"] = [f"Answer {place}: {text(rng, rng.randint(10, 40))}." for place in range(ANSWERS)]
            file.write(json.dumps(row) + "\n")
    sources = {
        "given": "samples: {path: input.jsonl}\n",
        "sampled": "prompts: {path: input.jsonl}\n"
        f"policy: {{engine: scripted, model: hash, samples: {ANSWERS}, max_tokens: 256}}\n",
    }
    (folder / "run.yaml").write_text(
        f"name: grown\nprinciples: pocket/courteous\n{sources[responses]}"
        "judge: {engine: scripted, model: longer, options: {noise: 0.5}}\ncritique: none\n"
    )
    return folder / "run.yaml"


def look(pid: int, began: float) -> Seen | None:
    """A process as it is now; None where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    peak = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
    if not peak:
        return None
    return Seen(
        time.monotonic() - began, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), peak[0] / 1024
    )


def watched(words: Sequence[str], run: Path) -> dict[str, Seen]:
    """Run a command to its end; gives by step how the process stood when the step began, and under "end" how it ended.

    Raises:
        SystemExit: the command failed.
    """
    began = time.monotonic()
    marks: dict[str, Seen] = {"intake": Seen(0.0, 0.0, 0.0)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, stdout=said, stderr=said)
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            for step, (folder, _) in STEPS.items():
                if step not in marks and (run / folder).is_dir() and (now := look(process.pid, began)):
                    marks[step] = now
            time.sleep(POLL_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"the command ended with {process.returncode}:\n{said.read().decode(errors='replace')}")
    whole = Seen(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    return marks | {"end": whole}


def parts_of(marks: dict[str, Seen], rows: dict[str, int], responses: str) -> Iterator[Part]:
    """The steps of a run in their order, then all of it under the number of its comparisons."""
    steps = [step for step in STEPS if step != "samples" or responses == "sampled"]
    for step, following in zip(steps, [*steps[1:], "end"], strict=True):
        start, end = marks[step], marks[following]
        yield Part(step, rows.get(STEPS[step][1], 0), end.seconds - start.seconds, end.cpu - start.cpu, end.peak_mb)
    end = marks["end"]
    yield Part("all", rows["judgements"], end.seconds, end.cpu, end.peak_mb)


def measure(folder: Path, comparisons: int, responses: str) -> list[Part]:
    """Carry a run of so many comparisons out."""
    file = write_run(folder, comparisons, responses)
    runs = folder / "runs"
    words = [sys.executable, "-m", "tenet", "generate", str(file), "--runs", str(runs)]
    marks = watched(words, runs / "grown")
    held = json.loads((runs / "grown/manifest.json").read_text(encoding="utf-8"))["stages"]
    rows = {
        name: sum(one["counts"]["ok"] + one["counts"]["failed"] for one in stage["shards"].values())
        for name, stage in held.items()
    }
    return list(parts_of(marks, rows, responses))


def verdicts(found: dict[int, list[Part]]) -> list[tuple[str, float, float, bool]]:
    """Each bar: what it says, what was measured, the most that is allowed, whether it holds; none without two sizes."""
    if len(found) < 2:
        return []
    small, large = (found[size][-1] for size in sorted(found)[-2:])
    memory, growth = large.peak_mb, large.peak_mb / small.peak_mb
    pace = large.cpu_us_a_row / small.cpu_us_a_row
    told = f"{large.rows:,} against {small.rows:,}"
    return [
        (f"peak memory at {large.rows:,}, MB", memory, BAR_MEMORY_MB, memory < BAR_MEMORY_MB),
        (f"peak memory, {told}", growth, BAR_RATIO, growth < BAR_RATIO),
        (f"CPU time a row, {told}", pace, BAR_RATIO, pace <= BAR_RATIO),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each step of each size, and the bars; returns 1 if one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), metavar="N", help="comparisons")
    parser.add_argument("--responses", choices=["given", "sampled"], default="given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--folder", type=Path, help="where to write runs (default: the temporary folder)")
    asked = parser.parse_args(arguments)
    found: dict[int, list[Part]] = {}
    console = Console()
    for size in sorted(asked.sizes):
        with tempfile.TemporaryDirectory(dir=asked.folder) as name:
            found[size] = measure(Path(name), size, asked.responses)
        whole = found[size][-1]
        console.say(f"{whole.rows:,} comparisons: {whole.seconds:.0f} s, {whole.peak_mb:.0f} MB")
    rows: list[list[Json]] = [
        [f"{size:,}", one.step, one.rows, round(one.seconds, 1), round(one.cpu, 1), round(one.us_a_row),
         round(one.cpu_us_a_row), round(one.peak_mb)]
        for size, parts in found.items() for one in parts
    ]  # fmt: skip
    columns = ["comparisons", "step", "rows", "seconds", "cpu", "us a row", "cpu us a row", "peak MB"]
    console.table(columns, rows, title=f"responses {asked.responses}; peak MB is since the beginning of the process")
    bars = verdicts(found)
    for bar, value, most, good in bars:
        console.say(f"{bar}: {value:.3f}, bar {most:g}: {'holds' if good else 'does not hold'}")
    if asked.json:
        told = [{"bar": bar, "value": value, "most": most, "holds": good} for bar, value, most, good in bars]
        steps = [{"comparisons": size, **one.as_json()} for size, parts in found.items() for one in parts]
        asked.json.write_text(json.dumps({"responses": asked.responses, "steps": steps, "bars": told}, indent=1) + "\n")
    return 0 if all(good for *_, good in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
