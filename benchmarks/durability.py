"""What the run folder costs and what it survives: rows a second through `Stage.put`, and SIGKILLs at random
moments of the store alone.

    python -m benchmarks.durability --rounds 100

The kills prove what a dead process leaves behind, not what a power failure does: that rests on what SQLite
documents for the settings in `tenet.runs.opened`. Knows no model and no run beyond the store.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tenet.console import Console
from tenet.records import Judgement, Outcome
from tenet.runs import Row, Stage
from tenet.runs.filesystem import filesystem_type
from tenet.runs.manifest import ManifestFile

SHARD_ROWS = 2000
KILLS_A_STORE = 20


def judgement_row(number: int) -> Row[Judgement]:
    """The row that a number stands for, of the size that a real judgement has."""
    p = (number * 2654435761 % 2**32) / 2**32
    record = Judgement(
        id=f"{number:024x}", prompt_id=f"{number // 12:024x}", first_id=f"{number:022x}aa", second_id=f"{number:022x}bb",
        judge="org/judge-model", outcome=Outcome.FIRST if p > 0.5 else Outcome.SECOND, p_first=p, label_mass=1 - p / 100,
        principle="polite", prompt_tokens=512, cached_tokens=480,
    )  # fmt: skip
    return Row(f"{number:024x}", record, ok=True)


@contextmanager
def store(folder: Path) -> Iterator[Stage[Judgement]]:
    """The stage under test."""
    stage = Stage("judgements", Judgement, ManifestFile(folder))
    try:
        yield stage
    finally:
        stage.close()


def put_rate(folder: Path, group: int, rows: int) -> float:
    """Rows a second that are durable on return, in groups of this size."""
    made = [judgement_row(number) for number in range(rows)]
    with store(folder) as stage:
        stage.put(0, made[:1])
        began = time.perf_counter()
        for start in range(1, rows, group):
            stage.put(0, made[start : start + group])
        return (rows - 1) / (time.perf_counter() - began)


def publish_rate(folder: Path, rows: int) -> tuple[float, float, float]:
    """Rows a second through publish, and through reading back; bytes a row on the disk."""
    with store(folder) as stage:
        stage.put(0, [judgement_row(number) for number in range(rows)])
        began = time.perf_counter()
        stage.publish(0)
        published = time.perf_counter()
        assert sum(1 for _ in stage.records(0)) == rows
        read = time.perf_counter()
        size = stage.entry.shards[0].bytes
    return rows / (published - began), rows / (read - published), size / rows


def fsync_rate(folder: Path) -> float:
    """Plain fsyncs of a 4 KiB append a second: the disk's own limit for groups of one."""
    with (folder / "probe").open("wb") as file:
        began = time.perf_counter()
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return 100 / (time.perf_counter() - began)


@dataclass
class Toll:
    """What the kills have cost. Every number but `rounds`, `acknowledged` and `mid_publish` should be 0."""

    rounds: int = 0
    acknowledged: int = 0
    mid_publish: int = 0
    lost: int = 0
    duplicated: int = 0
    changed: int = 0
    litter: int = 0
    said: list[str] = field(default_factory=list)


def worker(folder: Path, start: int, pipe: int, seed: int) -> None:
    """Put, publish and reopen without end; say through the pipe what has been acknowledged."""
    rng = random.Random(seed)
    number = start
    with store(folder) as stage:
        while True:
            group = min(rng.choice((1, 7, 64, 256)), SHARD_ROWS - number % SHARD_ROWS)
            shard = number // SHARD_ROWS
            if stage.published(shard):
                stage.reopen(shard)
            stage.put(shard, [judgement_row(n) for n in range(number, number + group)])
            number += group
            os.write(pipe, f"{number}\n".encode())
            if number % SHARD_ROWS == 0 or rng.random() < 0.2:
                stage.publish(shard)
                if rng.random() < 0.5:
                    stage.reopen(shard)


def kill_round(folder: Path, start: int, seed: int, rng: random.Random) -> int:
    """Let a worker run and kill it a random moment after a random number of groups; gives the rows it had
    acknowledged.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        worker(folder, start, writing, seed)
        os._exit(1)
    os.close(writing)
    acknowledged = start
    with os.fdopen(reading, "rb") as pipe:
        for _ in range(rng.randint(0, 12)):
            acknowledged = int(pipe.readline())
        time.sleep(rng.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        *complete, _ = pipe.read().split(b"\n")
    return int(complete[-1]) if complete else acknowledged


def check(folder: Path, acknowledged: int, toll: Toll) -> int:
    """Hold the store against what was acknowledged; gives the next number to use."""
    stage = Stage("judgements", Judgement, ManifestFile(folder), say=toll.said.append)
    seen: dict[str, Row[Judgement]] = {}
    for row in stage.rows():
        toll.duplicated += row.key in seen
        seen[row.key] = row
    stage.close()
    toll.lost += sum(f"{number:024x}" not in seen for number in range(acknowledged))
    toll.changed += sum(row != judgement_row(int(key, 16)) for key, row in seen.items())
    names = [path.name for path in (folder / "judgements").iterdir()]
    shards = [name for name in names if name.endswith((".db", ".parquet"))]
    toll.litter += len(shards) - len({name[:5] for name in shards}) + sum(name.endswith(".tmp") for name in names)
    return 1 + max((int(key, 16) for key in seen), default=-1)


def kills(folder: Path, rounds: int, seed: int) -> Toll:
    """Kill so many workers, `KILLS_A_STORE` one after the other on the same store, and check after each."""
    rng = random.Random(seed)
    toll = Toll()
    acknowledged = following = 0
    for number in range(rounds):
        if number % KILLS_A_STORE == 0:
            toll.acknowledged += acknowledged
            acknowledged = following = 0
        place = folder / str(number // KILLS_A_STORE)
        acknowledged = kill_round(place, following, seed + number, rng)
        stage = place / "judgements"
        shards = [path.stem for path in stage.glob("*") if path.suffix in (".db", ".parquet")]
        toll.mid_publish += len(shards) > len(set(shards)) or any(stage.glob(".*.tmp"))
        following = check(place, acknowledged, toll)
        toll.rounds += 1
    toll.acknowledged += acknowledged
    return toll


def main() -> int:
    """Print both tables; exit 1 if a kill cost anything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="rows to time (groups of one: a twentieth)")
    parser.add_argument("--rounds", type=int, default=50, help="SIGKILLs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="where to write (default: the temporary folder)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    console = Console(json=asked.json)
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        sizes = {1: asked.rows // 20, 16: asked.rows // 4, 64: asked.rows, 256: asked.rows}
        rates = {group: put_rate(folder / f"g{group}", group, rows) for group, rows in sizes.items()}
        published, read, size = publish_rate(folder / "p", asked.rows)
        rows = [(f"put, groups of {group}", rate) for group, rate in rates.items()]
        rows += [("publish", published), ("read back", read), ("plain fsyncs of this disk", fsync_rate(folder))]
        toll = kills(folder / "k", asked.rounds, asked.seed)
    if asked.json:
        toll_json = json.loads(json.dumps(vars(toll)))
        console.data({"rates": dict(rows), "bytes_a_row": size, "toll": toll_json})
    else:
        kind = filesystem_type(asked.folder or Path(tempfile.gettempdir())) or "unknown file system"
        title = f"Rows of judgements on {kind}, {size:.0f} bytes each when published"
        console.table(["step", "a second"], [[name, round(rate)] for name, rate in rows], title=title)
        console.table(["SIGKILL", "number"], [[name, value] for name, value in vars(toll).items() if name != "said"])
        for line in toll.said:
            console.say(line)
    return int(bool(toll.lost or toll.duplicated or toll.changed or toll.litter))


if __name__ == "__main__":
    sys.exit(main())
