"""What other runs have recorded, by key. A key covers the model, the template, the parameters and the tokens of a question, so an equal
key is an equal question, and its answer need not be asked for.

The keys are indexed in a temporary SQLite file, stage by stage; records are read from the shards that hold them. Reads only, and knows no
stage's work: `generate.reuse` records what is lent, `generate.plan` counts it.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Generic

from tenet.errors import UsageError
from tenet.runs import Row, Run, versions
from tenet.runs.codec import R

PACKAGE: Final = "tenet-rlaif"
SUPERSEDED: Final = "-superseded"
BY: Final = "-by-"
_GROUP: Final = 500

Place = tuple[int, str, int]
"""Where a row is: which run, and its stage and shard there."""


class Others:
    """The good answers of other runs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._folder = tempfile.TemporaryDirectory(prefix="tenet-keys-")  # removed by `close`
        self._keys = sqlite3.connect(Path(self._folder.name, "keys.db"), isolation_level=None)
        self._keys.execute("PRAGMA journal_mode=OFF")
        self._keys.execute("PRAGMA synchronous=OFF")
        self._keys.execute(
            "CREATE TABLE held (name TEXT, key TEXT, place INT, stage TEXT, shard INT, PRIMARY KEY (name, key)) WITHOUT ROWID"
        )
        self._indexed: set[str] = set()

    def rows(self, name: str, kind: type[R], keys: Collection[str]) -> list[tuple[str, Row[R]]]:
        """The rows of these keys that other runs have in the stage of this name, each with the run that it is from.

        Raises:
            UsageError: another run keeps other records under this name.
            MissingInput: one of its shards does not read back.
        """
        self._index(name, kind)
        found: list[tuple[str, Row[R]]] = []
        for (run, stage, shard), wanted in self._places(name, list(keys)).items():
            rows = self._runs[run].stage(stage, kind).rows(shard, ok=True)
            found += [(str(self._runs[run].path), row) for row in rows if row.key in wanted]
        return found

    def place(self, name: str, kind: type[R], key: str) -> Place | None:
        """Where the row of a key is; None where nobody has one. Raises as `rows`."""
        self._index(name, kind)
        found: Place | None = self._keys.execute(
            "SELECT place, stage, shard FROM held WHERE name = ? AND key = ?", (name, key)
        ).fetchone()
        return found

    def shard(self, place: Place, kind: type[R]) -> dict[str, R]:
        """All good records where this row is."""
        run, stage, shard = place
        rows = self._runs[run].stage(stage, kind).rows(shard, ok=True)
        return {row.key: row.record for row in rows if row.record is not None}

    def close(self) -> None:
        """Close the other runs, and drop the index."""
        self._keys.close()
        self._folder.cleanup()
        for run in self._runs:
            run.close()

    def _index(self, name: str, kind: type[R]) -> None:
        """Index the good keys of the stages of this kind in every run; those superseded there, or by a panel's member, count too."""
        if name in self._indexed:
            return
        for place, run in enumerate(self._runs):
            for stage in [one for one in run.manifest.stages if _kind(one) == _kind(name)]:
                source = run.stage(stage, kind)
                for shard in source.shards():
                    rows = [(name, key, place, stage, shard) for key, ok in source.keys(shard).items() if ok]
                    self._keys.executemany("INSERT OR IGNORE INTO held VALUES (?, ?, ?, ?, ?)", rows)
        self._indexed.add(name)

    def _places(self, name: str, keys: Sequence[str]) -> Mapping[Place, set[str]]:
        places: dict[Place, set[str]] = defaultdict(set)
        for start in range(0, len(keys), _GROUP):
            group = keys[start : start + _GROUP]
            marks = ", ".join("?" * len(group))
            query = f"SELECT key, place, stage, shard FROM held WHERE name = ? AND key IN ({marks})"  # noqa: S608 - marks only
            for key, place, stage, shard in self._keys.execute(query, (name, *group)):
                places[place, stage, shard].add(key)
        return places


def _kind(stage: str) -> str:
    """What a stage holds, whoever of a panel it is by, and superseded or not."""
    return stage.removesuffix(SUPERSEDED).partition(BY)[0]


class OnLoan(Generic[R]):
    """What other runs would lend to one stage; nothing where there are no others. `taken` are the keys whose records were asked for.

    With `keys_alone` no record is read: an answer is None.
    """

    def __init__(self, others: Others | None, name: str, kind: type[R], *, keys_alone: bool = False) -> None:
        self.taken: set[str] = set()
        self._others = others
        self._name, self._kind = name, kind
        self._keys_alone = keys_alone
        self._read: dict[Place, dict[str, R]] = {}

    def __contains__(self, key: str) -> bool:
        return self._others is not None and self._others.place(self._name, self._kind, key) is not None

    def __bool__(self) -> bool:
        return self._others is not None

    def get(self, key: str) -> R | None:
        """The record of a key; None where nobody lends it. Shards that were read are kept."""
        if self._others is None or (place := self._others.place(self._name, self._kind, key)) is None:
            return None
        self.taken.add(key)
        if self._keys_alone:
            return None
        if place not in self._read:
            self._read[place] = self._others.shard(place, self._kind)
        return self._read[place][key]

    def records(self) -> Iterator[R]:
        """The records of all keys taken."""
        rows = self._others.rows(self._name, self._kind, self.taken) if self._others is not None else ()
        return (row.record for _, row in rows if row.record is not None)


@contextmanager
def lending(folders: Sequence[str | Path], borrower: Path, *, own: bool = False) -> Iterator[Others | None]:
    """Open other runs to take answers from, for the run in the folder `borrower`; None where there are none.

    With `own` also what the borrower has moved aside, which comes back to it where it is asked for again: for counting.

    Raises:
        MissingInput: one is no run folder.
        UsageError: one is the run itself, or was made by another version of Tenet, whose keys mean something else.
    """
    if not folders and not own:
        yield None
        return
    ours = versions().get(PACKAGE)
    runs = [Run.read(borrower, say=lambda _: None)] if own else []
    for folder in folders:
        run = Run.read(Path(folder), say=lambda _: None)
        if run.path.resolve() == borrower.resolve():
            raise UsageError(f"{folder} is this run itself", hint="name another run in `reuse`")
        theirs = run.fingerprint.informational.get(PACKAGE)
        if theirs != ours:
            raise UsageError(
                f"{folder} was made by Tenet {theirs}, and this run by {ours}: their records need not mean the same",
                hint="leave it out of `reuse`, or work with the version that made it",
            )
        runs.append(run)
    with closing(Others(runs)) as others:
        yield others
