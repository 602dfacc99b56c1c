"""Takes answers that other runs have recorded under the same keys, so that they are not asked again.

A key covers the model, the template, the parameters and the tokens of a question, so an equal key is an equal question. The keys of the
other runs are indexed in a temporary SQLite file, shard by shard; rows are read when a shard of this run owes them. Knows no stage's work.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from generate.jobs import Job
from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.runs import Row, Run, Stage
from tenet.runs.codec import R
from tenet.workers.survey import distinct

T = TypeVar("T")

PACKAGE: Final = "tenet-rlaif"
SUPERSEDED: Final = "-superseded"
REUSED: Final = "reused.json"
_GROUP: Final = 500


class Library:
    """The answers of other runs. `lent` counts what this command took, by stage and run."""

    def __init__(self, run: Run, others: Sequence[Run]) -> None:
        self.lent: dict[str, Counter[str]] = defaultdict(Counter)
        self._run = run
        self._others = others
        self._file = tempfile.NamedTemporaryFile(prefix="tenet-keys-", suffix=".db")  # noqa: SIM115 - closed by `close`
        self._keys = sqlite3.connect(self._file.name, isolation_level=None)
        self._keys.execute("PRAGMA journal_mode=OFF")
        self._keys.execute("PRAGMA synchronous=OFF")
        self._keys.execute(
            "CREATE TABLE held (name TEXT, key TEXT, place INT, stage TEXT, shard INT, PRIMARY KEY (name, key)) WITHOUT ROWID"
        )
        self._indexed: set[str] = set()

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
        self._index(stage)
        taken: Counter[str] = Counter()
        for number in shards:
            held = stage.keys(number)
            owed = [key for key in distinct(job.shards[number]) if not held.get(key)]
            rows = self._rows(stage, owed)
            if rows:
                stage.reopen(number)
                stage.put(number, [row for _, row in rows])
                taken.update(name for name, _ in rows)
        if taken:
            self.lent[stage.name].update(taken)
            self._note(stage.name, taken)
        return taken

    @staticmethod
    def tell(stage: str, taken: Mapping[str, int], console: Console) -> None:
        """Say what was taken for a stage."""
        for name, count in sorted(taken.items()):
            console.say(f"{count:,} {stage} taken from {name}")

    def close(self) -> None:
        """Close the other runs, and drop the index."""
        self._keys.close()
        self._file.close()
        for other in self._others:
            other.close()

    def _index(self, stage: Stage[Any]) -> None:
        """Index the good keys of the stage of this name in every other run; those that were superseded there count too."""
        if stage.name in self._indexed:
            return
        for place, other in enumerate(self._others):
            for name in (stage.name, stage.name + SUPERSEDED):
                if name not in other.manifest.stages:
                    continue
                source = other.stage(name, stage.codec.record_type)
                for shard in source.shards():
                    rows = [(stage.name, key, place, name, shard) for key, ok in source.keys(shard).items() if ok]
                    self._keys.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?)", rows)
        self._indexed.add(stage.name)

    def _rows(self, stage: Stage[R], owed: Collection[str]) -> list[tuple[str, Row[R]]]:
        """The rows that others have of these keys, each with the run that it is from."""
        found: list[tuple[str, Row[R]]] = []
        for (place, name, shard), keys in self._places(stage.name, list(owed)).items():
            other = self._others[place]
            rows = other.stage(name, stage.codec.record_type).rows(shard, ok=True)
            found += [(str(other.path), row) for row in rows if row.key in keys]
        return found

    def _places(self, name: str, owed: Sequence[str]) -> Mapping[tuple[int, str, int], set[str]]:
        places: dict[tuple[int, str, int], set[str]] = defaultdict(set)
        for start in range(0, len(owed), _GROUP):
            group = owed[start : start + _GROUP]
            marks = ", ".join("?" * len(group))
            query = f"SELECT key, place, stage, shard FROM held WHERE name = ? AND key IN ({marks})"  # noqa: S608 - marks only
            for key, place, stage, shard in self._keys.execute(query, (name, *group)):
                places[place, stage, shard].add(key)
        return places

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
    import json

    path = folder / REUSED
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def open_library(run: Run, folders: Iterable[str | Path]) -> Library:
    """Open other runs to take answers from.

    Raises:
        MissingInput: one is no run folder.
        UsageError: one is the run itself, or was made by another version of Tenet, whose keys mean something else.
    """
    others: list[Run] = []
    for folder in folders:
        other = Run.read(Path(folder), say=lambda _: None)
        if other.path.resolve() == run.path.resolve():
            raise UsageError(f"{folder} is this run itself", hint="name another run in `reuse`")
        theirs, ours = (one.fingerprint.informational.get(PACKAGE) for one in (other, run))
        if theirs != ours:
            raise UsageError(
                f"{folder} was made by Tenet {theirs}, and this run by {ours}: their records need not mean the same",
                hint="leave it out of `reuse`, or work with the version that made it",
            )
        others.append(other)
    return Library(run, others)
