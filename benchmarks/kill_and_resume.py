"""Kill `tenet generate` at random moments, give the same command again each time, and count what was lost, asked twice or changed.

    python -m benchmarks.kill_and_resume                      # scripted engine: exported bytes must be equal
    python -m benchmarks.kill_and_resume --engine transformers --prompts 60
                                                              # pocket models: ids equal, p within 1e-3
    python -m benchmarks.kill_and_resume --schedule '{kind: knockout, second_order: close}'      # questions in waves
    python -m benchmarks.kill_and_resume --workers ray:2 --kills 50    # Ray actors and the driver in turn, at random
    python -m benchmarks.kill_and_resume --engine http                 # a server counts what is asked again

An uninterrupted run is made first and timed; each kill (SIGKILL, so no handler runs) then falls at random between the start of the process
and a tenth of the whole work. With Ray each kill takes the command or one of its actors; the cluster is started here and
survives both. After every kill the recorded rows are read and compared with those seen before. Exits 1 if anything does not
hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from engines.scripted_server import scripted_server
from pocket import JUDGE_PATH, POLICY_PATH
from tenet.console import Console
from tenet.ids import Json
from tenet.records import Judgement, Sample
from tenet.runs import Run
from tenet.runs.lock import is_held, read_holder
from tenet.runs.run import WORKERS

IN_FLIGHT = 32
COMMIT_GROUP = 256
PREFLIGHT = 44
"""Questions that a command begins with and does not record: the pre-flight, and the checks of the servers."""
STAGES = (("samples", Sample), ("judgements", Judgement))
P_TOLERANCE = 1e-3


@dataclass
class Tally:
    """What the kills did to a run."""

    kills: int = 0
    actors: int = 0
    mid_run: int = 0
    changed: int = 0
    vanished: int = 0


def write_run(folder: Path, engine: str, prompts: int, schedule: str = "round-robin", url: str = "") -> Path:
    """A run.yaml with its prompts; returns the file."""
    from pocket import world

    asked = [prompt.text for prompt in world.prompts(prompts, seed=5, split="heldout")]
    (folder / "prompts.jsonl").write_text("\n".join(json.dumps({"prompt": text}) for text in asked) + "\n")
    models = {
        "scripted": ("hash", "longer"), "http": ("scripted", "scripted"),
        "transformers": (str(POLICY_PATH), str(JUDGE_PATH)),
    }[engine]  # fmt: skip
    options = {
        "scripted": "options: {latency: 0.1, batch: 16}", "transformers": "options: {batch_rows: 16}",
        "http": f"base_url: '{url}', "
        f"options: {{api: vllm, tokenizer: bytes, prompts_per_request: 1, in_flight: {IN_FLIGHT}}}",
    }[engine]  # fmt: skip
    (folder / "run.yaml").write_text(
        f"name: killed\nprinciples: pocket/courteous\nprompts: {{path: prompts.jsonl}}\n"
        f"policy: {{engine: {engine}, model: '{models[0]}', samples: 4, max_tokens: 64, {options}}}\n"
        f"judge: {{engine: {engine}, model: '{models[1]}', {options}}}\n"
        f"schedule: {schedule}\n"
    )
    return folder / "run.yaml"


def command(file: Path, runs: Path, more: Sequence[str] = ()) -> list[str]:
    """The command that is killed and given again."""
    return [sys.executable, "-m", "tenet", "generate", str(file), "--runs", str(runs), *more]


class Victim:
    """A command that is killed, it or one of its workers, and given again."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self._words = words
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def ends_within(self, seconds: float | None) -> bool:
        """Wait for the command, started if it is not under way. True where it came to its end."""
        if self._process is None:
            self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            _, err = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        code = self._process.returncode
        self._process = None
        if code:
            raise SystemExit(f"the command ended with {code}:\n{err}")
        return True

    def workers(self) -> list[int]:
        """The processes that write to the run for the command."""
        locks = sorted((self._folder / WORKERS).glob("*.lock"))
        holders = [read_holder(lock) for lock in locks if is_held(lock)]
        return sorted({holder.pid for holder in holders if holder is not None})

    def kill(self, worker: int | None = None) -> None:
        """End a worker, or the command itself, without a warning."""
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
        elif self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


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


@contextmanager
def cluster(workers: str) -> Iterator[list[str]]:
    """What to add to the command so that it has these workers; for Ray a cluster that outlives it."""
    if not workers.startswith("ray"):
        yield []
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
    import ray

    cpus = max(os.cpu_count() or 1, int(workers.partition(":")[2] or 1))
    joined = ray.init(
        address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    try:
        yield ["--workers", workers, "--set", f"workers.address={joined.address_info['gcs_address']}"]
    finally:
        ray.shutdown()


def kill_often(words: Sequence[str], folder: Path, kills: int, reach: tuple[float, float], seed: int) -> Tally:
    """Kill a run `kills` times at random moments between half of `reach[0]` seconds and `reach[1]`, then let it end.

    A run that comes to its end too early is thrown away and begun anew, so that every kill falls into a run under way.
    """
    rng = random.Random(seed)
    tally, before = Tally(), dict[tuple[str, str], object]()
    victim = Victim(words, folder)
    while tally.kills < kills:
        ended = victim.ends_within(rng.uniform(reach[0] / 2, reach[1]))
        if not ended:
            workers = victim.workers()
            worker = rng.choice(workers) if workers and rng.random() < 0.5 else None
            victim.kill(worker)
            tally.actors += worker is not None
        now = recorded(folder)
        tally.vanished += len(before.keys() - now.keys())
        tally.changed += sum(now.get(key) != record for key, record in before.items() if key in now)
        tally.kills += not ended
        tally.mid_run += not ended and len(now) > len(before)
        if ended:
            shutil.rmtree(folder)
        before = {} if ended else now
    victim.ends_within(None)
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
    parser.add_argument("--engine", choices=["scripted", "transformers", "http"], default="scripted")
    parser.add_argument("--workers", default="local", help="local, or ray:N")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--schedule", default="round-robin", help="as in run.yaml, for example {kind: knockout, second_order: close}"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(scripted_server(latency=0.1)) if asked.engine == "http" else None
        more = stack.enter_context(cluster(asked.workers))
        file = write_run(folder, asked.engine, asked.prompts, asked.schedule, server.base_url if server else "")
        words = command(file, folder / "whole", more)
        began = time.monotonic()
        Victim(words, folder / "whole/killed").ends_within(None)
        seconds = time.monotonic() - began
        questions = server.counts()["prompts"] if server else 0
        Victim(words, folder / "whole/killed").ends_within(None)
        start = time.monotonic() - began - seconds
        reach = (start, start + 1.2 * max(seconds - start, 0.5) / asked.kills)
        before = server.counts()["prompts"] if server else 0
        words = command(file, folder / "killed", more)
        tally = kill_often(words, folder / "killed/killed", asked.kills, reach, asked.seed)
        again = (server.counts()["prompts"] - before - questions) / tally.kills if server else None
        whole, killed = recorded(folder / "whole/killed"), recorded(folder / "killed/killed")
        same_bytes = digest(folder / "whole/killed") == digest(folder / "killed/killed")
        gap = largest_gap(whole, killed)
    lost, extra = len(whole.keys() - killed.keys()), len(killed.keys() - whole.keys())
    workers = int(asked.workers.partition(":")[2] or 1)
    good = (
        len(whole) > 0
        and tally.kills == asked.kills
        and not (lost or extra or tally.changed or tally.vanished)
        and (same_bytes if asked.engine != "transformers" else gap <= P_TOLERANCE)
        and (again is None or again <= PREFLIGHT + workers * (IN_FLIGHT + COMMIT_GROUP))
    )
    row: dict[str, Json] = {
        "engine": asked.engine, "workers": asked.workers, "rows": len(whole), "kills": tally.kills,
        "of actors": tally.actors, "kills amid work": tally.mid_run, "lost": lost, "doubled": extra,
        "changed": tally.changed + tally.vanished, "asked again a kill": again, "bytes equal": same_bytes,
        "largest |dp|": gap, "holds": good,
    }  # fmt: skip
    title = (
        f"{seconds:.0f} s uninterrupted; seed {asked.seed}; `asked again` has pre-flights and checks of servers in it"
    )
    Console(json=asked.json).table(list(row), [list(row.values())], title=title)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
