"""What a run folder looks like from outside: stages, rows, shards, who writes. Changes nothing, and works
beside a writer.

Reads the manifest for published shards and asks each open shard's database; needs no record types, and does
not verify checksums.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tenet.runs.lock import Holder, is_held, read_holder
from tenet.runs.manifest import Manifest, ManifestFile, StageEntry
from tenet.runs.opened import peek_counts
from tenet.runs.row import Counts
from tenet.runs.run import LOCK, Run


@dataclass(frozen=True)
class StageView:
    """One stage.

    `owed` is None before a command has planned it; `last_write` is ISO 8601 with its zone, None where nothing
    is.
    """

    name: str
    record: str
    planned: int | None
    recorded: int
    failed: int
    owed: int | None
    outcomes: Mapping[str, int] = field(default_factory=dict)
    published: int = 0
    open: int = 0
    set_aside: int = 0
    last_write: str | None = None


@dataclass(frozen=True)
class RunView:
    """One run. `writer` is the process at work on it, None where none is."""

    path: Path
    created: str
    finished: str | None
    command: str
    writer: Holder | None
    stages: tuple[StageView, ...]

    @property
    def next(self) -> str:
        """What to do next, as a command."""
        if self.finished is None or any(stage.owed for stage in self.stages):
            return self.command
        return f"tenet report {self.path}"


def overview(path: Path) -> RunView:
    """Look at a run folder.

    Raises:
        MissingInput: there is no run folder here.
        InvalidInput: its `run.json` or manifest cannot be read.
    """
    with Run.read(path) as run:
        manifest = ManifestFile(path)
        lock = path / LOCK
        return RunView(
            path=path,
            created=run.created,
            finished=run.finished,
            command=run.command,
            writer=read_holder(lock) if is_held(lock) else None,
            stages=tuple(_stage(path / name, manifest) for name in manifest.read().stages),
        )


def _stage(folder: Path, manifest: ManifestFile) -> StageView:
    entry, counts, opened = _counted(folder, manifest)
    rows = counts.rows - entry.strays
    return StageView(
        name=folder.name,
        record=entry.record,
        planned=entry.planned,
        recorded=counts.ok,
        failed=counts.failed,
        owed=None if entry.planned is None else max(0, entry.planned - rows),
        outcomes=counts.outcomes,
        published=len(entry.shards),
        open=opened,
        set_aside=sum(1 for path in folder.glob("*.corrupt-*") if path.suffix[9:].isdigit()),
        last_write=_last_write(folder),
    )


def _counted(folder: Path, manifest: ManifestFile) -> tuple[StageEntry, Counts, int]:
    """The stage's entry and counts at one moment; a shard that is published meanwhile makes us look again."""
    for _ in range(5):
        before: Manifest = manifest.read()
        entry = before.stages[folder.name]
        parts = [shard.counts for shard in entry.shards.values()]
        opened = 0
        try:
            for path in folder.glob("[0-9]*.db"):
                if int(path.stem) not in entry.shards:
                    parts.append(peek_counts(path))
                    opened += 1
        except sqlite3.Error:
            time.sleep(0.05)
            continue
        if manifest.read() is before:
            break
    return entry, Counts.total(parts), opened


def _last_write(folder: Path) -> str | None:
    times = []
    for path in folder.glob("[0-9]*"):
        try:
            times.append(path.stat().st_mtime)
        except FileNotFoundError:
            continue
    if not times:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(max(times)))
