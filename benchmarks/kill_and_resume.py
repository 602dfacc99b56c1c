"""Kill `tenet generate` at random moments, give the same command again each time, and count what was lost, asked twice or changed.

    python -m benchmarks.kill_and_resume                      # scripted engine: exported bytes must be equal
    python -m benchmarks.kill_and_resume --engine transformers --prompts 60
                                                              # pocket models: ids equal, p within 1e-3
    python -m benchmarks.kill_and_resume --schedule '{kind: knockout, second_order: close}'      # questions in waves

An uninterrupted run is made first and timed; each kill (SIGKILL, so no handler runs) then falls at random between the start of the process
and a tenth of the whole work. After every kill the recorded rows are read and compared with those seen before. Exits 1 if anything does not
hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pocket import JUDGE_PATH, POLICY_PATH
from tenet.console import Console
from tenet.records import Judgement, Sample
from tenet.runs import Run

STAGES = (("samples", Sample), ("judgements", Judgement))
P_TOLERANCE = 1e-3


@dataclass
class Tally:
    """What the kills did to a run."""

    kills: int = 0
    mid_run: int = 0
    changed: int = 0
    vanished: int = 0


def write_run(folder: Path, engine: str, prompts: int, schedule: str = "round-robin") -> Path:
    """A run.yaml with its prompts; returns the file."""
    from pocket import world

    asked = [prompt.text for prompt in world.prompts(prompts, seed=5, split="heldout")]
    (folder / "prompts.jsonl").write_text("\n".join(json.dumps({"prompt": text}) for text in asked) + "\n")
    models = {"scripted": ("hash", "longer"), "transformers": (str(POLICY_PATH), str(JUDGE_PATH))}[engine]
    options = "options: {latency: 0.1, batch: 16}" if engine == "scripted" else "options: {batch_rows: 16}"
    (folder / "run.yaml").write_text(
        f"name: killed\nprinciples: pocket/courteous\nprompts: {{path: prompts.jsonl}}\n"
        f"policy: {{engine: {engine}, model: '{models[0]}', samples: 4, max_tokens: 64, {options}}}\n"
        f"judge: {{engine: {engine}, model: '{models[1]}', {options}}}\n"
        f"schedule: {schedule}\n"
    )
    return folder / "run.yaml"


def command(file: Path, runs: Path) -> list[str]:
    """The command that is killed and given again."""
    return [sys.executable, "-m", "tenet", "generate", str(file), "--runs", str(runs)]


def run_once(words: Sequence[str], after: float | None) -> bool:
    """Run a command; with `after`, kill it so many seconds in. True where it came to its end first."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, err = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    if process.returncode:
        raise SystemExit(f"the command ended with {process.returncode}:\n{err}")
    return True


def recorded(folder: Path) -> dict[tuple[str, str], object]:
    """Every recorded row of a run by stage and key."""
    if not (folder / "run.json").exists():
        return {}
    with Run.read(folder, say=lambda _: None) as run:
        found = {
            (name, row.key): row.record for name, kind in STAGES if name in run.manifest.stages
            for row in run.stage(name, kind).rows()
        }  # fmt: skip
    return dict(found)


def digest(folder: Path) -> str:
    """SHA-256 over the names and bytes of a dataset's files."""
    whole = hashlib.sha256()
    for path in sorted((folder / "dataset").rglob("*")):
        if path.is_file():
            whole.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def kill_often(words: Sequence[str], folder: Path, kills: int, reach: tuple[float, float], seed: int) -> Tally:
    """Kill a run `kills` times at random moments between half of `reach[0]` seconds and `reach[1]`, then let it end.

    A run that comes to its end too early is thrown away and begun anew, so that every kill falls into a run under way.
    """
    rng = random.Random(seed)
    tally, before = Tally(), dict[tuple[str, str], object]()
    while tally.kills < kills:
        ended = run_once(words, rng.uniform(reach[0] / 2, reach[1]))
        now = recorded(folder)
        tally.vanished += len(before.keys() - now.keys())
        tally.changed += sum(now.get(key) != record for key, record in before.items() if key in now)
        tally.kills += not ended
        tally.mid_run += not ended and len(now) > len(before)
        if ended:
            shutil.rmtree(folder)
        before = {} if ended else now
    run_once(words, None)
    return tally


def largest_gap(one: dict[tuple[str, str], object], other: dict[tuple[str, str], object]) -> float:
    """The largest difference of p between two runs' judgements of the same key."""
    gaps = [0.0]
    for key, record in one.items():
        twin = other.get(key)
        if (
            isinstance(record, Judgement)
            and isinstance(twin, Judgement)
            and record.p_first is not None
            and twin.p_first is not None
        ):
            gaps.append(abs(record.p_first - twin.p_first))
    return max(gaps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the kills did; returns 1 if anything was lost, doubled or changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["scripted", "transformers"], default="scripted")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--schedule", default="round-robin", help="as in run.yaml, for example {kind: knockout, second_order: close}"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file = write_run(folder, asked.engine, asked.prompts, asked.schedule)
        began = time.monotonic()
        run_once(command(file, folder / "whole"), None)
        seconds = time.monotonic() - began
        run_once(command(file, folder / "whole"), None)
        start = time.monotonic() - began - seconds
        reach = (start, start + 1.2 * max(seconds - start, 0.5) / asked.kills)
        tally = kill_often(command(file, folder / "killed"), folder / "killed/killed", asked.kills, reach, asked.seed)
        whole, killed = recorded(folder / "whole/killed"), recorded(folder / "killed/killed")
        same_bytes = digest(folder / "whole/killed") == digest(folder / "killed/killed")
        gap = largest_gap(whole, killed)
    lost, extra = len(whole.keys() - killed.keys()), len(killed.keys() - whole.keys())
    good = (
        len(whole) > 0
        and tally.kills == asked.kills
        and not (lost or extra or tally.changed or tally.vanished)
        and (same_bytes if asked.engine == "scripted" else gap <= P_TOLERANCE)
    )
    console = Console(json=asked.json)
    columns = [
        "engine",
        "rows",
        "kills",
        "kills amid work",
        "lost",
        "doubled",
        "changed",
        "bytes equal",
        "largest |dp|",
        "holds",
    ]
    console.table(
        columns,
        [
            [
                asked.engine,
                len(whole),
                tally.kills,
                tally.mid_run,
                lost,
                extra,
                tally.changed + tally.vanished,
                same_bytes,
                gap,
                good,
            ]
        ],
        title=f"{seconds:.0f} s uninterrupted; seed {asked.seed}",
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
