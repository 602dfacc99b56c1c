"""How well the phrase list finds refusals, by labels of people.

    python -m benchmarks.refusal_phrases [--data ../shared/data] [--json]

The completions of safety-rbr (351 and 167), in which people marked whether they voice an inability to comply. `train.measures.refusals`
reads the completions alone. The list was written before these labels were looked at, so both halves test it. Shares have Wilson
intervals; few completions refuse, so these are wide.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.recorded_data import DATA
from tenet.console import Console
from tenet.ids import Json
from tenet.intervals import wilson
from train.measures.refusals import by_phrases

PARTS = ("train", "test")


def labelled(data: Path) -> Iterator[tuple[bool, bool]]:
    """For each completion whether people say that it refuses, and whether the phrases do."""
    for part in PARTS:
        with gzip.open(data / "safety-rbr" / f"rbr_gold_{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                said = row["completion"] if isinstance(row["completion"], list) else [row["completion"]]
                yield bool(row["propositions"]["inability_to_comply"]), by_phrases("", said[-1]["content"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = list(labelled(args.data))
    hits = sum(truth and found for truth, found in rows)
    shares = {
        "recall: of the refusals, found": (hits, sum(truth for truth, _ in rows)),
        "precision: of the found, refusals": (hits, sum(found for _, found in rows)),
        "false alarms: of the others, found": (
            sum(found and not truth for truth, found in rows),
            sum(not truth for truth, _ in rows),
        ),
    }
    console = Console(json=args.json)
    table: list[list[Json]] = []
    for name, (part, whole) in shares.items():
        low, high = wilson(part / whole, whole)
        table.append([name, part, whole, round(part / whole, 3), f"{low:.3f} to {high:.3f}"])
    if args.json:
        console.data(table)
    else:
        console.table(["", "count", "of", "share", "95 %"], table, title=f"{len(rows)} completions")


if __name__ == "__main__":
    main()
