"""The run's table of contents: which shards are published, with checksums, and what each stage was asked to
do.

One JSON file, replaced as a whole under a lock of its own, so that several workers may publish shards of one
run. Knows nothing of what the shards hold.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tenet.errors import InvalidInput, Problem
from tenet.runs.atomic import write_bytes
from tenet.runs.lock import FileLock
from tenet.runs.published import ShardEntry
from tenet.runs.row import Counts

FILE = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class StageEntry:
    """One stage: its record type, its published shards, and its last plan.

    `planned` is the number of rows that the last command asked for, None before any did; `strays` counts rows
    on the books that this plan does not ask for (of an earlier principles file, say). `settled` names the
    plan of which nothing is owed any more, as long as no shard changes.
    """

    record: str
    planned: int | None = None
    strays: int = 0
    settled: str = ""
    shards: Mapping[int, ShardEntry] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The stage as JSON, a line a shard."""
        head = {"record": self.record, "planned": self.planned, "strays": self.strays, "settled": self.settled}
        shards = ",\n".join(f'  "{number:05d}": {entry.text}' for number, entry in sorted(self.shards.items()))
        return f'{json.dumps(head)[:-1]}, "shards": {{\n{shards}\n }}}}'


@dataclass(frozen=True)
class Manifest:
    """All stages of a run, in the order in which they were first worked on."""

    stages: Mapping[str, StageEntry] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The file's content: JSON, a line a shard."""
        stages = ",\n".join(f" {json.dumps(name)}: {stage.text}" for name, stage in self.stages.items())
        return f'{{"format": {FORMAT}, "stages": {{\n{stages}\n}}}}\n'

    def with_stage(self, name: str, stage: StageEntry) -> Manifest:
        """The same manifest with one stage added or replaced."""
        return replace(self, stages={**self.stages, name: stage})

    def with_shard(self, name: str, shard: int, entry: ShardEntry | None) -> Manifest:
        """The same manifest with one shard added or replaced, or, for None, taken out; the stage is no longer settled."""
        stage = self.stages[name]
        shards = {number: held for number, held in stage.shards.items() if number != shard}
        if entry is not None:
            shards[shard] = entry
        return self.with_stage(name, replace(stage, shards=shards, settled=""))


def load(folder: Path) -> Manifest:
    """Read the manifest of a run folder; empty where there is none yet.

    Raises:
        InvalidInput: the file is no manifest.
    """
    content = _content(folder)
    return Manifest() if content is None else _parsed(content, folder / FILE)


def _content(folder: Path) -> bytes | None:
    try:
        return (folder / FILE).read_bytes()
    except FileNotFoundError:
        return None


def _parsed(content: bytes, path: Path) -> Manifest:
    try:
        data = json.loads(content)
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']}; this version reads {FORMAT}")
        return Manifest({name: _stage(stage) for name, stage in data["stages"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = f"Move it away (mv {path} {path}.bad) and give the command again: the shards are found without it."
        raise InvalidInput("The run's manifest cannot be read.", [Problem(str(error), path, hint=hint)]) from error


class ManifestFile:
    """The manifest of one run folder, re-read only when the file is another one than last time. Threads may share it.

    What it costs to publish a shard grows with the shards there are by the writing of a line for each, and by nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: tuple[tuple[int, int, int] | None, bytes, Manifest] = None, b"", Manifest()
        self._lock = threading.RLock()

    def read(self) -> Manifest:
        """The manifest as it is now.

        Raises:
            InvalidInput: the file is no manifest.
        """
        with self._lock:
            try:
                seen = _seen(self.folder)
            except FileNotFoundError:
                return Manifest()
            if seen != self._held[0]:
                self._hold(seen, _content(self.folder))
            return self._held[2]

    def update(self, change: Callable[[Manifest], Manifest]) -> None:
        """Replace the manifest by what `change` makes of it, alone and atomically.

        Raises:
            StorageFailed: the disk is full or not writable; the old manifest stands.
        """
        with self._lock, FileLock(self.folder / ".manifest.lock", wait=True):
            self._hold(None, _content(self.folder))  # by its content: what another process wrote must never be lost
            manifest = change(self._held[2])
            content = manifest.text.encode()
            write_bytes(self.folder / FILE, content)
            self._held = _seen(self.folder), content, manifest

    def _hold(self, seen: tuple[int, int, int] | None, content: bytes | None) -> None:
        if content is None:
            self._held = None, b"", Manifest()
        elif content == self._held[1]:
            self._held = seen, self._held[1], self._held[2]
        else:
            self._held = seen, content, _parsed(content, self.folder / FILE)


def _seen(folder: Path) -> tuple[int, int, int]:
    status = (folder / FILE).stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _stage(data: Mapping[str, Any]) -> StageEntry:
    shards = {
        int(number): ShardEntry(entry["bytes"], entry["sha256"], Counts(**entry["counts"]))
        for number, entry in data["shards"].items()
    }
    return StageEntry(data["record"], data["planned"], data["strays"], data.get("settled", ""), shards)
