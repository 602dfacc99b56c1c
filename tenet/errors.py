"""One tree of errors, each named by the boundary that it crossed, and the exit code that it ends a command with.

An error says what happened, where, and the edit or command that mends it. To add one, subclass the branch whose exit code fits; the
command line prints `str(error)` and nothing else, so the text must stand alone. What is wrong with one row of many is no error: it is
an outcome on that row (see `tenet.records.Outcome`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_MISSING = 3
EXIT_TOO_MANY_FAILURES = 4
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input: where it is, what is wrong, and how to mend it.

    `line` and `column` count from 1; None where the input has no lines (a folder, a Parquet file). `code` is a stable name of the
    kind of problem, for tools that sort them; empty where the reader of the input gives none.
    """

    message: str
    path: Path | None = None
    line: int | None = None
    column: int | None = None
    hint: str = ""
    code: str = ""

    def __str__(self) -> str:
        place = [str(part) for part in (self.path, self.line, self.column) if part is not None]
        where = ":".join(place)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


class TenetError(Exception):
    """Root of the tree: everything that a person can mend."""

    exit_code = EXIT_BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n  {hint}" if hint else message)
        self.message = message
        self.hint = hint


class UsageError(TenetError):
    """A command, a configuration or an input file that asks for something impossible (exit 2)."""

    exit_code = EXIT_USAGE


class InvalidInput(UsageError):
    """One or several problems of an input, all reported together (exit 2)."""

    def __init__(self, summary: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([summary, *(str(problem) for problem in self.problems)]))


class FingerprintMismatch(UsageError):
    """A run folder that another configuration made; names each field that differs (exit 2)."""


class RunLocked(UsageError):
    """A second writer on a run folder that a living process holds (exit 2)."""


class MissingInput(TenetError):
    """A file, folder, model or optional package that is not there (exit 3)."""

    exit_code = EXIT_MISSING


class EngineError(TenetError):
    """An engine that cannot start or has failed as a whole; what fails for one request is a result (exit 3)."""

    exit_code = EXIT_MISSING


class PluginBroken(TenetError):
    """An installed plug-in that cannot be imported or is not what it says; names its package (exit 3)."""

    exit_code = EXIT_MISSING


class StorageFailed(TenetError):
    """A disk that is full, not writable or failing; names the path and what is safe (exit 3)."""

    exit_code = EXIT_MISSING


class JudgeUnfit(UsageError):
    """A judge whose tokenizer, template or label mass cannot give the verdict that was asked for (exit 2)."""


class TooManyFailures(TenetError):
    """More rows failed than the configuration allows; what succeeded is kept (exit 4)."""

    exit_code = EXIT_TOO_MANY_FAILURES


class BudgetReached(TenetError):
    """Stopped at a limit that the user set: done as told, so no failure; carries the command that goes on (exit 0)."""

    exit_code = 0


class Interrupted(TenetError):
    """Stopped by the user; carries the command that goes on from here (exit 130)."""

    exit_code = EXIT_INTERRUPTED

    def __init__(self, message: str, *, resume: str) -> None:
        super().__init__(message, hint=f"go on with: {resume}")
        self.resume = resume


def missing_file(path: Path) -> MissingInput:
    """The error for a file that is not there; names the file beside it that looks most alike."""
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, beside, n=1)
    hint = f'did you mean "{path.parent / close[0]}"?' if close else f"looked in {path.parent.absolute()}"
    return MissingInput(f"no such file: {path}", hint=hint)
