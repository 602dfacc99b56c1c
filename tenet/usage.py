"""What a run's recorded answers took, stage by stage: sums of their token columns, without a record being decoded. Changes nothing, and
works beside a writer.

Published shards give up three columns of their Parquet file, open ones a sum of their database. Verifies no checksum; a shard that does not
read back is not counted. Knows which records are a model's answers, and what prices a run was given, but no model.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from tenet.budget import Spent
from tenet.ids import Json
from tenet.records import Critique, Judgement, Listing, Rating, Revision, Sample
from tenet.runconfig import PriceConfig
from tenet.runs.manifest import ManifestFile, StageEntry
from tenet.runs.opened import connect, is_begun
from tenet.runs.published import ShardEntry

POLICY, JUDGE = "policy", "judge"
ANSWERS: Final[Mapping[str, str]] = {
    Sample.__name__: POLICY, Judgement.__name__: JUDGE, Critique.__name__: JUDGE, Revision.__name__: JUDGE,
    Rating.__name__: JUDGE, Listing.__name__: JUDGE,
}  # fmt: skip
"""The records that are a model's answers, and whose."""
_COLUMNS: Final = ("prompt_tokens", "completion_tokens", "cached_tokens")
_SUMS: Final = (
    "SELECT COUNT(*), SUM(prompt_tokens), SUM(completion_tokens), SUM(cached_tokens), "
    "SUM(CASE WHEN cached_tokens IS NOT NULL THEN prompt_tokens END) FROM rows WHERE _outcome <> 'failed'"
)
_TRIES: Final = 5


class Usage:
    """Reads what the answers of one run took; published shards are read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest = ManifestFile(folder)
        self._held: dict[tuple[str, int, str], Spent] = {}

    def read(self) -> dict[str, Spent]:
        """What the rows of each stage of answers took, as they are now; attempts that were asked again left no row.

        Raises:
            InvalidInput: the manifest cannot be read.
        """
        stages = self._manifest.read().stages
        return {name: self._stage(name) for name, entry in stages.items() if entry.record in ANSWERS}

    def _stage(self, name: str) -> Spent:
        """The sum at one moment; a shard that is published or reopened meanwhile makes us look again."""
        for _ in range(_TRIES):
            before = self._manifest.read()
            found, whole = self._sum(name, before.stages[name])
            if whole and self._manifest.read() is before:
                break
            time.sleep(0.02)
        return found

    def _sum(self, name: str, entry: StageEntry) -> tuple[Spent, bool]:
        """What can be read of a stage, and whether that is all."""
        found, whole = Spent(), True
        for number, shard in entry.shards.items():
            known = (name, number, shard.sha256)
            if known not in self._held:
                spent = _of_parquet(self._folder / name / f"{number:05d}.parquet", shard)
                if spent is None:
                    whole = False
                    continue
                self._held[known] = spent
            found += self._held[known]
        for path in (self._folder / name).glob("[0-9]*.db"):
            if int(path.stem) not in entry.shards:
                try:
                    found += _of_database(path)
                except sqlite3.Error:
                    whole = False
        return found, whole


def price_of(record: str, config: Mapping[str, Json]) -> PriceConfig | None:
    """The price of a stage's answers by the run's configuration; None where none is given."""
    prices: Any = config.get("prices") or {}
    held = prices.get(ANSWERS.get(record))
    return PriceConfig(**held) if held else None


def currency_of(config: Mapping[str, Json]) -> str:
    """The currency of a run's prices; empty without any."""
    prices: Any = config.get("prices") or {}
    return str(prices.get("currency") or "")


def _of_parquet(path: Path, entry: ShardEntry) -> Spent | None:
    """The sums of a published shard; None where the file is gone or damaged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=list(_COLUMNS), use_threads=False)
        prompt, completion, cached = (table.column(name) for name in _COLUMNS)
    except (pa.ArrowException, OSError, KeyError):
        return None
    told = pc.if_else(pc.is_valid(cached), prompt, None)
    sums = [pc.sum(column).as_py() or 0 for column in (prompt, completion, cached, told)]
    return Spent(entry.counts.rows - entry.counts.outcomes.get("failed", 0), *sums)


def _of_database(path: Path) -> Spent:
    """The sums of an open shard.

    Raises:
        sqlite3.Error: it is gone or cannot be read now.
    """
    with closing(connect(path, read_only=True)) as connection:
        if not is_begun(connection):
            return Spent()
        return Spent(*(value or 0 for value in connection.execute(_SUMS).fetchone()))
