"""Kill `tenet generate` at random moments, give the same command again each time, and count what was lost, asked twice or changed.

    python -m benchmarks.kill_and_resume                      # scripted engine: exported bytes must be equal
    python -m benchmarks.kill_and_resume --engine transformers --prompts 60
                                                              # pocket models: ids equal, p within 1e-3
    python -m benchmarks.kill_and_resume --schedule '{kind: knockout, second_order: close}'      # questions in waves
    python -m benchmarks.kill_and_resume --workers ray:2 --kills 50                   # the command or a Ray worker
    python -m benchmarks.kill_and_resume --workers ray:2 --engine http                # these, or the server that they ask

An uninterrupted run is made first and timed; each kill (SIGKILL, so no handler runs) then falls at random into a share of the whole work.
A command that was killed is given again at once, a server comes up again at its port; the Ray cluster is started here and survives. After
every kill the recorded rows are read and compared with those seen before. Of each kill it is told how many questions were asked again,
and how many that may be: what was in flight, a group of answers not committed yet, and the pre-flight that a command begins with. Exits
1 if anything does not hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.victims import Kill, Kind, Log, Server, Victim, restartable
from pocket import JUDGE_PATH, POLICY_PATH
from tenet.console import Console
from tenet.ids import Json
from tenet.records import Critique, Judgement, Sample
from tenet.runs import Run

IN_FLIGHT = 32
COMMIT_GROUP = 256
PREFLIGHT = 40
"""Questions that a command begins with and does not record."""
CHECKS = 4
"""Questions by which a process makes sure of an HTTP server."""
STAGES = (("samples", Sample), ("judgements", Judgement), ("critiques", Critique))
P_TOLERANCE = 1e-3
BATCH = 16
LOG = "asked.log"

Rows = dict[tuple[str, str], object]


@dataclass
class Tally:
    """What the kills did to a run: `vanished` and `changed` rows there should be none of."""

    kills: list[Kill] = field(default_factory=list)
    mid_run: int = 0
    changed: int = 0
    vanished: int = 0


def write_run(
    folder: Path, engine: str, prompts: int, schedule: str = "round-robin", url: str = "", latency: float = 0.1
) -> Path:
    """A run.yaml with its prompts; returns the file. The scripted engine logs what it is asked to `asked.log` in the folder."""
    from pocket import world

    asked = [prompt.text for prompt in world.prompts(prompts, seed=5, split="heldout")]
    (folder / "prompts.jsonl").write_text("\n".join(json.dumps({"prompt": text}) for text in asked) + "\n")
    models = {
        "scripted": ("hash", "longer"), "http": ("scripted", "scripted"),
        "transformers": (str(POLICY_PATH), str(JUDGE_PATH)),
    }[engine]  # fmt: skip
    options = {
        "scripted": f"options: {{latency: {latency}, batch: {BATCH}, log: '{folder / LOG}'}}",
        "transformers": f"options: {{batch_rows: {BATCH}}}",
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


def recorded(folder: Path) -> tuple[Rows, int]:
    """Every recorded row of a run by stage and key, and how many there are."""
    if not (folder / "run.json").exists():
        return {}, 0
    found: Rows = {}
    count = 0
    with Run.read(folder, say=lambda _: None) as run:
        for name, kind in STAGES:
            for row in run.stage(name, kind).rows() if name in run.manifest.stages else ():
                found[name, row.key] = row.record
                count += 1
    return found, count


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


def kill_often(
    victim: Victim, server: Server | None, log: Log, folder: Path, kinds: Sequence[Kind], reach: tuple[float, float], rng: random.Random,
) -> Tally:  # fmt: skip
    """Kill these one after the other, each at a random moment within `reach[1]` seconds, for a new command after half of its `reach[0]`
    seconds of start; then let the run end.

    A run that comes to its end too early is thrown away and begun anew, so that every kill falls into a run under way.
    """
    tally, before = Tally(), Rows()
    fresh = True
    for kind in kinds:
        while victim.ends_within(rng.uniform(reach[0] / 2 if fresh else 0.0, sum(reach) if fresh else reach[1])) or (
            kind is Kind.WORKER and not victim.kill_worker(rng)
        ):
            _compare(tally, before, recorded(folder)[0])
            tally.kills += log.take()
            shutil.rmtree(folder)
            before, fresh = {}, True
        fresh = kind is Kind.COMMAND
        if kind is Kind.SERVER and server is not None:
            victim.excuse()
            server.kill()
            log.mark(kind)
            server.restart()
        elif kind is Kind.COMMAND:
            victim.kill()
            victim.start()
            victim.await_workers()  # until then they ask and record; the new command waits for them too
            log.mark(kind)
        else:
            log.mark(kind)
        now = recorded(folder)[0]
        tally.mid_run += len(now) > len(before)
        _compare(tally, before, now)
        before = now
    while not victim.ends_within(None):
        pass
    tally.kills += log.take()
    return tally


def _compare(tally: Tally, before: Rows, now: Rows) -> None:
    tally.vanished += len(before.keys() - now.keys())
    tally.changed += sum(now.get(key) != record for key, record in before.items() if key in now)


def dealt(kinds: Sequence[Kind], kills: int, rng: random.Random) -> list[Kind]:
    """So many victims in random order, of each kind as many as of the others."""
    whole = [kinds[place % len(kinds)] for place in range(kills)]
    rng.shuffle(whole)
    return whole


def most_again(kind: Kind, workers: int) -> int:
    """The most questions that a kill may have asked again: what was in flight and a group of answers that were not committed, of each
    process that ended with it, and what new processes begin with. The command may end for want of its server.
    """
    ended = 1 if kind is Kind.WORKER else workers
    return ended * (IN_FLIGHT + COMMIT_GROUP) + PREFLIGHT + CHECKS * (workers + 1)


def largest_gap(one: Rows, other: Rows) -> float:
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
    parser.add_argument(
        "--latency", type=float, default=0.1, help="seconds a call of the scripted engine, or of its server"
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--schedule", default="round-robin", help="as in run.yaml, for example {kind: knockout, second_order: close}"
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logged = None if asked.engine == "transformers" else folder / LOG
        server = (
            stack.enter_context(restartable(latency=asked.latency, log=str(logged))) if asked.engine == "http" else None
        )
        more = stack.enter_context(cluster(asked.workers))
        url = server.base_url if server else ""
        file = write_run(folder, asked.engine, asked.prompts, asked.schedule, url, asked.latency)
        words = command(file, folder / "whole", more)
        began = time.monotonic()
        Victim(words, folder / "whole/killed").ends_within(None)
        seconds = time.monotonic() - began
        Victim(words, folder / "whole/killed").ends_within(None)
        start = time.monotonic() - began - seconds
        log = Log(logged)
        log.take()
        kinds = [Kind.COMMAND, *([Kind.WORKER] if more else []), *([Kind.SERVER] if server else [])]
        rng = random.Random(asked.seed)
        tally = kill_often(
            Victim(command(file, folder / "killed", more), folder / "killed/killed"), server, log, folder / "killed/killed",
            dealt(kinds, asked.kills, rng), (start, 1.2 * max(seconds - start, 0.5) / max(1, asked.kills)), rng,
        )  # fmt: skip
        (whole, _), (killed, count) = recorded(folder / "whole/killed"), recorded(folder / "killed/killed")
        same_bytes = digest(folder / "whole/killed") == digest(folder / "killed/killed")
        gap = largest_gap(whole, killed)
    lost, extra = len(whole.keys() - killed.keys()), count - len(whole.keys() & killed.keys())
    workers = int(asked.workers.partition(":")[2] or 1)
    told = [
        _told(kind, [one.again for one in tally.kills if one.kind is kind], most_again(kind, workers)) for kind in kinds
    ]
    good = (
        len(whole) > 0
        and len(tally.kills) == asked.kills
        and not (lost or extra or tally.changed or tally.vanished)
        and (same_bytes if asked.engine != "transformers" else gap <= P_TOLERANCE)
        and all(row["holds"] for row in told)
    )
    row: dict[str, Json] = {
        "engine": asked.engine, "workers": asked.workers, "rows": len(whole), "kills": len(tally.kills),
        "kills amid work": tally.mid_run, "lost": lost, "doubled": extra, "changed": tally.changed + tally.vanished,
        "bytes equal": same_bytes, "largest |dp|": gap, "holds": good,
    }  # fmt: skip
    console = Console(json=asked.json)
    if asked.json:
        console.data({**row, "killed": told})
        return 0 if good else 1
    console.table(list(row), [list(row.values())], title=f"{seconds:.0f} s uninterrupted; seed {asked.seed}")
    console.table(list(told[0]), [list(one.values()) for one in told], title="Questions asked again, by who was killed")
    return 0 if good else 1


def _told(kind: Kind, again: Sequence[int | None], most: int) -> dict[str, Json]:
    """A row about the kills of one kind."""
    known = [one for one in again if one is not None]
    return {
        "killed": kind.value, "kills": len(again), "asked again: most": max(known) if known else None,
        "in all": sum(known) if known else None, "may be": most, "holds": max(known, default=0) <= most,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
