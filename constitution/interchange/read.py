"""Imports a foreign file of principles as a constitution. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from constitution.interchange.assemble import assemble, slug
from constitution.interchange.registry import choose
from constitution.interchange.source import open_source
from constitution.model import Constitution


@dataclass(frozen=True)
class Imported:
    """What a foreign file holds: as a constitution, with comments by principle, and what a person should know."""

    constitution: Constitution
    comments: Mapping[str, str]
    remarks: tuple[str, ...]
    format: str


def read_foreign(path: Path, format: str = "auto", name: str = "", source: str = "") -> Imported:  # noqa: A002
    """Import a file; `name` is that of the new file, `source` is noted with principles that have none.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: it is not of that format, or of none, or holds what a principles file cannot; with the lines.
        UsageError: there is no such format.
    """
    given = open_source(path)
    form = choose(given, format)
    reading = form.read(given)
    found = assemble(reading)
    principles = tuple(replace(one, source=one.source or source) for one in found.principles)
    constitution = Constitution(
        name=name or reading.name or slug(path.stem) or "imported",
        version="",
        description=reading.description.strip(),
        licence="",
        principles=principles,
        path=path,
    )
    return Imported(constitution, found.comments, found.remarks, form.name)
