"""The rows of a run's stages as DuckDB reads them: its Parquet shards as they lie there, and open shards from copies. Knows no pairs.

A stage that the run has not gives no rows, and a column that an earlier version did not write gives NULL: an empty file of today's
columns is read with the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from tenet.ids import Json, digest
from tenet.runs import Codec, Run
from tenet.runs.published import write_parquet
from tenet.runs.row import PlainRow


class Shards:
    """The shards of a run. `folder` is a place for copies, which whoever calls removes."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self._folder = run, folder
        self._empty: dict[type[Any], Path] = {}

    def rows(self, stages: Iterable[tuple[str, type[Any]]], shards: Collection[int], columns: Sequence[str]) -> str:
        """SQL for the rows of these stages, each with the same `columns`; rows without a record are left out.

        Raises:
            MissingInput: an open shard does not read back.
            StorageFailed: there is no room for the copy of one.
        """
        parts = [self._stage(name, kind, shards, columns) for name, kind in stages]
        return "(" + " UNION ALL ".join(parts) + ")"

    def _stage(self, name: str, kind: type[Any], shards: Collection[int], columns: Sequence[str]) -> str:
        files = [self._model(kind)]
        if name in self._run.manifest.stages:
            published = self._run.manifest.stages[name].shards
            stage = self._run.stage(name, kind)
            files += [
                stage.path / f"{number:05d}.parquet" if number in published else self._copy(name, kind, number)
                for number in sorted(set(shards) & set(stage.shards()))
            ]
        listed = ", ".join(quoted(str(path)) for path in files)
        read = f"read_parquet([{listed}], union_by_name=true, filename=true)"
        return f"SELECT {', '.join(columns)} FROM {read} WHERE {_required(kind)} IS NOT NULL"  # noqa: S608 - names of ours

    def _model(self, kind: type[Any]) -> Path:
        if kind not in self._empty:
            path = self._folder / f"{kind.__name__}.parquet"
            write_parquet(path, Codec(kind), [])
            self._empty[kind] = path
        return self._empty[kind]

    def _copy(self, name: str, kind: type[Any], number: int) -> Path:
        codec = Codec(kind)
        path = self._folder / f"{name}-{number:05d}.parquet"
        write_parquet(path, codec, [PlainRow.of(row, codec) for row in self._run.stage(name, kind).rows(number)])
        return path


def state_of(run: Run) -> str | None:
    """A digest of all published rows of a run; None where a shard is open, since its rows may be others in a moment."""
    if any(run.path.glob("*/[0-9]*.db")):
        return None
    held: list[Json] = [
        [name, number, entry.sha256]
        for name, stage in sorted(run.manifest.stages.items())
        for number, entry in sorted(stage.shards.items())
    ]
    return digest(held)


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _required(kind: type[Any]) -> str:
    return "id" if "id" in kind.__dataclass_fields__ else "prompt_id"
