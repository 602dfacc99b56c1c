"""Takes answers that other runs have recorded under the same keys (`generate.others`), so that they are not asked again.

What a job owes is looked up shard by shard and recorded in this run, with a note of where it is from. Knows no stage's work.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from generate.jobs import Job
from generate.others import Others
from tenet.console import Console
from tenet.ids import Json
from tenet.runs import Run
from tenet.runs.codec import R
from tenet.workers.survey import distinct

T = TypeVar("T")

REUSED: Final = "reused.json"


class Library:
    """The answers of other runs, for one run to take."""

    def __init__(self, run: Run, others: Others) -> None:
        self._run = run
        self._others = others

    def lend(self, job: Job[T, R], console: Console) -> None:
        """Record the answers that a job owes and another run has; says how many came from where.

        Raises:
            UsageError: another run keeps other records under this stage's name.
            MissingInput: one of its shards does not read back.
        """
        if not job.stage.settled(job.plan):
            self.tell(job.stage.name, self.take(job, range(len(job.shards))), console)

    def take(self, job: Job[T, R], shards: Iterable[int]) -> Counter[str]:
        """Record the answers that a job owes in these shards and another run has; gives how many came from where.

        Raises:
            UsageError, MissingInput: as `lend`.
        """
        stage = job.stage
        taken: Counter[str] = Counter()
        for number in shards:
            held = stage.keys(number)
            owed = [key for key in distinct(job.shards[number]) if not held.get(key)]
            rows = self._others.rows(stage.name, stage.codec.record_type, owed)
            if rows:
                stage.reopen(number)
                stage.put(number, [row for _, row in rows])
                taken.update(name for name, _ in rows)
        if taken:
            self._note(stage.name, taken)
        return taken

    @staticmethod
    def tell(stage: str, taken: Mapping[str, int], console: Console) -> None:
        """Say what was taken for a stage."""
        for name, count in sorted(taken.items()):
            console.say(f"{count:,} {stage} taken from {name}")

    def _note(self, stage: str, taken: Mapping[str, int]) -> None:
        """Keep in the run where its answers are from."""
        noted = read_reused(self._run.path)
        own = noted.setdefault(stage, {})
        for name, count in taken.items():
            own[name] = own.get(name, 0) + count
        value: Mapping[str, Json] = noted
        self._run.write_json(REUSED, value)


def read_reused(folder: Path) -> dict[str, dict[str, int]]:
    """How many rows of each stage a run has taken from which others; empty for none."""
    path = folder / REUSED
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
