"""What a check finds, and what it may look at. Knows no check."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tenet.ids import Json

GIB = 2**30


class Level(StrEnum):
    """How bad a finding is. BROKEN stops a command; WARNING slows it, or may surprise; NOTE is good to know."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found; `cure` is a command where one mends it, else what to do."""

    check: str
    level: Level
    message: str
    cure: str = ""

    def as_json(self) -> dict[str, Json]:
        """For `--json`."""
        return {"check": self.check, "level": self.level.value, "message": self.message, "cure": self.cure or None}


@dataclass(frozen=True)
class Place:
    """What is looked at: the folder of runs, the environment's variables, and the interpreter."""

    runs: Path = Path("runs")
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: str = sys.executable

    def there(self) -> Path:
        """The folder of runs, or the nearest one above it that is there."""
        path = self.runs.absolute()
        while not path.exists() and path != path.parent:
            path = path.parent
        return path

    def pip(self, words: str) -> str:
        """A pip command for this very interpreter."""
        found = shutil.which("python", path=self.variables.get("PATH"))
        mine = found is not None and Path(found).absolute() == Path(self.python).absolute()
        return f"{'python' if mine else shlex.quote(self.python)} -m pip {words}"
