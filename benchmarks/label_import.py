"""What importing labels costs: seconds and peak memory of `tenet labels import`, by the number of rows.

    python -m benchmarks.label_import                       # 1,000 10,000 100,000 rows, JSONL and CSV
    python -m benchmarks.label_import --sizes 100000 --forms jsonl --json

Files are made up here: a prompt of about 200 characters, two responses of about 800, ten annotators, four labels a prompt. Each size is
the real command in a process of its own; then the same file again into the same store, which must add nothing. Peak memory is the
process's own, as the system counts it. The bars hold for 100,000 rows: below 60 s and 1,000 MB each. The time that is held
against them is that of the CPU, because a busy machine does not change it much. Exits 1 where one does not hold.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tenet.console import Console

SIZES: Final = (1_000, 10_000, 100_000)
FORMS: Final = ("jsonl", "csv")
BAR_ROWS: Final = 100_000
BAR_SECONDS: Final = 60.0
BAR_MB: Final = 1000.0
WORDS: Final = [f"{stem}{end}" for stem in ("print", "cable", "switch", "wait", "é") for end in ("", "s", "ing", "er")]


@dataclass(frozen=True)
class Result:
    """One import: rows, the kind of file, whether the store held them already, seconds by the clock and of CPU, peak MB."""

    rows: int
    form: str
    again: bool
    file_mb: float
    seconds: float
    cpu: float
    peak_mb: float


def rows(count: int, seed: int = 0) -> Iterator[dict[str, object]]:
    """Made-up labels, the same for the same seed."""
    rng = random.Random(seed)

    def text(size: int) -> str:
        return " ".join(rng.choices(WORDS, k=size // 6))

    for number in range(count):
        if number % 4 == 0:
            prompt = f"{number} {text(200)}"
        yield {
            "prompt": prompt, "response_a": text(800), "response_b": text(800), "preference": rng.choice(("a", "b", "tie")),
            "annotator": f"ann{rng.randrange(10)}", "strength": rng.random(), "shown_first": rng.choice("ab"),
            "time": f"2026-01-31T12:00:{number % 60:02d}",
        }  # fmt: skip


def write(path: Path, count: int) -> None:
    """Write a file of so many rows, as its suffix says."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            writer: csv.DictWriter[str] | None = None
            for row in rows(count):
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow(row)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows(count))


def measure(path: Path, store: Path, count: int, *, again: bool) -> Result:
    """Import a file in a process of its own.

    Raises:
        RuntimeError: the command failed, or did not add what it should.
    """
    words = ["labels", "import", str(path), "--to", str(store), "--json"]
    out = store.with_suffix(".out")
    start = time.perf_counter()
    with out.open("w") as file:
        child = os.posix_spawn(
            sys.executable, [sys.executable, "-m", "tenet", *words], os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), 1)],
        )  # fmt: skip
        _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    told = json.loads(out.read_text()) if status == 0 else {}
    if told.get("new") != (0 if again else count) or told.get("total") != count:
        raise RuntimeError(f"the import of {path.name} went wrong: status {status}")
    size = path.stat().st_size / 2**20
    return Result(
        count, path.suffix[1:], again, round(size, 1), round(seconds, 2), round(usage.ru_utime + usage.ru_stime, 2),
        round(usage.ru_maxrss / 1024, 1),
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table or JSON, and hold the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for form in given.forms:
            for count in given.sizes:
                path, store = Path(folder) / f"labels.{form}", Path(folder) / f"{form}-{count}.jsonl"
                write(path, count)
                found += [measure(path, store, count, again=again) for again in (False, True)]
    console = Console(json=given.json)
    console.table(list(asdict(found[0])), [list(asdict(one).values()) for one in found])
    over = [one for one in found if one.rows >= BAR_ROWS and (one.cpu >= BAR_SECONDS or one.peak_mb >= BAR_MB)]
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
