"""The record of a pipeline, pipeline.json in its folder: of each stage its command, what it read and what it made.

Written before a stage starts and after it has ended, so a stage that was killed shows. One process at a time has the folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from tenet.errors import InvalidInput, Problem, RunLocked
from tenet.pipeline.marks import Mark, Marks
from tenet.runs.atomic import make_folder, write_text
from tenet.runs.lock import FileLock, Locked

FILE: Final = "pipeline.json"
FORMAT: Final = 1
_LOCK: Final = ".pipeline.lock"


class Status(StrEnum):
    """How far a stage came. RUNNING is also what a kill leaves behind."""

    RUNNING = "running"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True)
class Entry:
    """What is known of a stage that was started: its words, and the marks of what it needs and makes by path."""

    status: Status
    words: tuple[str, ...]
    needs: Mapping[str, Marks]
    makes: Mapping[str, Marks] = field(default_factory=dict)
    began: str = ""
    seconds: float = 0.0
    version: str = ""


@dataclass
class Record:
    """The entries of a folder's stages, by name."""

    folder: Path
    entries: dict[str, Entry]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder's record; an empty one where there is none.

        Raises:
            InvalidInput: it does not read back.
        """
        file = folder / FILE
        if not file.is_file():
            return cls(folder, {})
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                raise ValueError(f"its format is {held['format']}, this version reads {FORMAT}")
            return cls(folder, {name: _entry(value) for name, value in held["stages"].items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            hint = "move it away: every stage is then carried out or gone on with"
            raise InvalidInput(
                "The record of a pipeline cannot be read.", [Problem(str(error), file, hint=hint)]
            ) from error

    def note(self, name: str, entry: Entry) -> None:
        """Put a stage's entry in the place of the one before, durably."""
        self.entries[name] = entry
        held = {"format": FORMAT, "stages": {name: asdict(entry) for name, entry in self.entries.items()}}
        write_text(self.folder / FILE, json.dumps(held, indent=1, ensure_ascii=False) + "\n")

    def locked(self) -> FileLock:
        """Take the folder for this process, with its record as it is now.

        Raises:
            RunLocked: a living process has it.
            InvalidInput: the record does not read back.
        """
        make_folder(self.folder)
        try:
            lock = FileLock(self.folder / _LOCK)
            self.entries = self.read(self.folder).entries  # another process may have ended since
            return lock
        except Locked as error:
            who = f"process {error.holder.pid} on {error.holder.host}" if error.holder else "another process"
            hint = "Wait for it, or choose another folder: --set folder=DIR"
            raise RunLocked(f"{who} is running a pipeline in {self.folder}.", hint=hint) from error


def begun(words: tuple[str, ...], needs: Mapping[str, Marks], version: str) -> Entry:
    """The entry of a stage that starts now."""
    return Entry(Status.RUNNING, words, needs, began=time.strftime("%Y-%m-%dT%H:%M:%S%z"), version=version)


def ended(entry: Entry, status: Status, makes: Mapping[str, Marks], seconds: float) -> Entry:
    """The entry of a stage that has ended."""
    return replace(entry, status=status, makes=makes, seconds=round(seconds, 1))


def _entry(value: Mapping[str, Any]) -> Entry:
    held = {key: {path: _marks(marks) for path, marks in value[key].items()} for key in ("needs", "makes")}
    plain = {key: value[key] for key in ("began", "seconds", "version")}
    return Entry(Status(value["status"]), tuple(value["words"]), held["needs"], held["makes"], **plain)


def _marks(value: Mapping[str, Any]) -> dict[str, Mark]:
    return {name: Mark(**mark) for name, mark in value.items()}
