"""Prompts, and responses that are given with them, on their way from their source into a run: in a temporary file, so that memory does not
grow with the input.

The file is SQLite's own kind of temporary database: private, unnamed, and gone with the process. Knows no source and no run.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tenet.ids import Json, canonical_json, stream_digest
from tenet.records import Prompt, Sample
from tenet.runs.codec import Codec, R


class Spool:
    """Prompts by their place from 0, no two of one id, and samples in the order in which they came."""

    def __init__(self) -> None:
        self._prompts, self._samples = Codec(Prompt), Codec(Sample)
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.execute("PRAGMA journal_mode=OFF")
        for table, codec in (("prompts", self._prompts), ("samples", self._samples)):
            columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in codec.columns)
            self._base.execute(f"CREATE TABLE {table} (place INTEGER PRIMARY KEY, {columns})")
        self._base.execute("CREATE UNIQUE INDEX ids ON prompts (id)")
        self._base.execute("CREATE INDEX answers ON samples (prompt_id, policy)")
        self._base.execute("BEGIN")  # one transaction for all: nothing here outlives the process
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, prompt: Prompt) -> None:
        """Keep a prompt, unless there is one of its id.

        Raises:
            ValueError: it cannot be stored exactly.
        """
        self._count += self._insert("prompts", self._prompts, prompt, self._count)

    def give(self, sample: Sample) -> None:
        """Keep a response.

        Raises:
            ValueError: it cannot be stored exactly.
        """
        self._insert("samples", self._samples, sample, None)

    def alike(self, prompt_id: str, policy: str, text: str) -> tuple[int, int]:
        """How many responses to a prompt are of this policy, and how many of those have this text."""
        query = "SELECT count(*), coalesce(sum(text = ?), 0) FROM samples WHERE prompt_id = ? AND policy = ?"
        count, same = self._base.execute(query, (text, prompt_id, policy)).fetchone()
        return int(count), int(same)

    def without(self, ids: Iterable[str]) -> array[int]:
        """The places of the prompts that have none of these ids, rising."""
        self._base.execute("CREATE TEMP TABLE held (id TEXT PRIMARY KEY) WITHOUT ROWID")
        try:
            self._base.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((name,) for name in ids))
            query = "SELECT place FROM prompts WHERE id NOT IN (SELECT id FROM held) ORDER BY place"
            return array("q", (place for (place,) in self._base.execute(query)))
        finally:
            self._base.execute("DROP TABLE held")

    def prompts(self, places: Iterable[int]) -> Iterator[Prompt]:
        """The prompts at these places."""
        query = f"SELECT {_names(self._prompts)} FROM prompts WHERE place = ?"  # noqa: S608 - names of our own fields
        for place in places:
            yield from self._records(self._prompts, query, (place,))

    def given(self, ids: Iterable[str]) -> Mapping[str, Sequence[Sample]]:
        """The responses to these prompts by prompt id, in the order in which they came; a prompt without any is left out."""
        query = f"SELECT {_names(self._samples)} FROM samples WHERE prompt_id = ? ORDER BY place"  # noqa: S608 - as above
        found: defaultdict[str, list[Sample]] = defaultdict(list)
        for name in ids:
            for sample in self._records(self._samples, query, (name,)):
                found[name].append(sample)
        return found

    @property
    def responses(self) -> int:
        """How many responses there are."""
        (count,) = self._base.execute("SELECT count(*) FROM samples").fetchone()
        return int(count)

    @property
    def digest(self) -> str:
        """SHA-256 over the prompts' and their responses' ids, in order: of the canonical JSON of [[prompt, [response, ...]], ...]."""
        return stream_digest(self._written())

    def close(self) -> None:
        """Let the file go. Closing twice is harmless."""
        self._base.close()

    def _written(self) -> Iterator[str]:
        query = "SELECT id FROM samples WHERE prompt_id = ? ORDER BY place"
        opening = "["
        for (name,) in self._base.execute("SELECT id FROM prompts ORDER BY place"):
            answers: list[Json] = [answer for (answer,) in self._base.execute(query, (name,))]
            yield opening + canonical_json([name, answers])
            opening = ","
        yield "]" if opening == "," else "[]"

    def _insert(self, table: str, codec: Codec[R], record: R, place: int | None) -> int:
        marks = ", ".join("?" * (1 + len(codec.columns)))
        values = codec.to_sql(codec.encode(record))
        return self._base.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", (place, *values)).rowcount  # noqa: S608

    def _records(self, codec: Codec[R], query: str, values: Sequence[str | int]) -> Iterator[R]:
        for row in self._base.execute(query, values):
            record = codec.decode(codec.from_sql(row))
            if record is not None:
                yield record


def _names(codec: Codec[R]) -> str:
    return ", ".join(f'"{column.name}"' for column in codec.columns)
