"""What stands at a path: for each file its size, time and SHA-256. A file whose size and time are as noted is not read again.

Hidden files are left out: locks and half-written files are no content. Knows no stage.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenet.errors import StorageFailed
from tenet.ids import file_digest

ITSELF: Final = "."


@dataclass(frozen=True)
class Mark:
    """One file as it was seen. Two marks are of one content where their digests are equal."""

    size: int
    time_ns: int
    digest: str


Marks = Mapping[str, Mark]
"""The files of a folder by their path in it; of a single file, that file under `ITSELF`."""


def marks_of(path: str, known: Marks | None = None, only: Collection[str] | None = None) -> dict[str, Mark]:
    """Mark the files at a path; nothing where nothing is there.

    Args:
        path: a file or a folder.
        known: marks of before, to save reading.
        only: the files to look for; the others are left out.

    Raises:
        StorageFailed: a file cannot be read.
    """
    found: dict[str, Mark] = {}
    for name, file in _files(Path(path)):
        if only is not None and name not in only:
            continue
        try:
            found[name] = _mark(file, (known or {}).get(name))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageFailed(f"{file} cannot be read: {error.strerror or error}", hint="make it readable") from error
    return found


def same(one: Marks, other: Marks) -> bool:
    """Whether the contents are the same."""
    return {name: mark.digest for name, mark in one.items()} == {name: mark.digest for name, mark in other.items()}


def difference(before: Marks, now: Marks) -> str:
    """Name a file that differs, with how many more; empty where nothing does."""
    changed = [name for name in sorted({*before, *now}) if _digest(before, name) != _digest(now, name)]
    if not changed:
        return ""
    first = "" if changed[0] == ITSELF else changed[0]
    more = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
    return f" ({first}{more})" if first else ""


def below(marks: Marks, folder: str, path: str) -> set[str]:
    """The names, seen from `path`, of those marked files of a folder that are at `path` or in it."""
    inner = Path(os.path.relpath(path, folder)).as_posix()
    if inner == ITSELF:
        return set(marks)
    if inner in marks:
        return {ITSELF}
    return {name.removeprefix(f"{inner}/") for name in marks if name.startswith(f"{inner}/")}


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield ITSELF, path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                file = Path(folder, name)
                yield file.relative_to(path).as_posix(), file


def _mark(file: Path, known: Mark | None) -> Mark:
    stat = file.stat()
    if known is not None and (known.size, known.time_ns) == (stat.st_size, stat.st_mtime_ns):
        return known
    return Mark(stat.st_size, stat.st_mtime_ns, file_digest(file))


def _digest(marks: Marks, name: str) -> str | None:
    return marks[name].digest if name in marks else None
