"""Loads a principles file: everything wrong with it, and with what it includes, is reported at once.

Knows no judge and no prompt. A file is valid as a whole or not loaded at all, and nothing stands in for one
that is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from constitution import build, checks, codes, sources
from constitution.merge import Drafts, Merger
from constitution.model import Constitution, Principle, Status
from tenet.errors import InvalidInput, Problem
from tenet.yamlfile import YamlDocument


@dataclass(frozen=True)
class Loaded:
    """A constitution with what its files write: a draft for each principle, by id, and the files in the order of reading."""

    constitution: Constitution
    drafts: Drafts
    documents: tuple[YamlDocument, ...]


def load(path_or_name: str | Path) -> Constitution:
    """Load a principles file, or a shipped one by its bare name (`honesty`, `pocket/courteous`).

    Raises:
        MissingInput: there is no such file; with the nearest shipped name.
        InvalidInput: every problem of the file and of the files it includes, with file, line, column and cure.
    """
    return load_with_places(path_or_name).constitution


def load_with_places(path_or_name: str | Path) -> Loaded:
    """Load a principles file with the place of every field.

    Raises:
        MissingInput, InvalidInput: see `load`.
    """
    path = sources.find(path_or_name)
    merger = Merger()
    drafts = merger.read(path)
    principles, problems = _principles(drafts)
    problems = [*merger.problems, *problems, *checks.references(drafts, merger.complete)]
    if not problems and not any(principle.status is Status.ACTIVE for principle in principles):
        problems = [
            Problem("none of the principles is active", path, 1, 1, "give one of them `status: active`", codes.INACTIVE)
        ]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise InvalidInput(f"{count} in {path}", _ordered(problems, merger.paths))
    head: dict[str, Any] = merger.head(path)
    constitution = Constitution(
        name=head["name"],
        version=head.get("version", ""),
        description=head.get("description", "").strip(),
        licence=head.get("licence", ""),
        principles=principles,
        path=path,
    )
    return Loaded(constitution, drafts, merger.documents)


def _principles(drafts: Drafts) -> tuple[tuple[Principle, ...], list[Problem]]:
    """Make the records, and tell what is wrong with each principle by itself."""
    made: list[Principle] = []
    problems: list[Problem] = []
    for draft in drafts.values():
        wrong = list(checks.patterns(draft))
        if draft.sound and not wrong:
            made.append(build.principle(draft))
            wrong = list(checks.tests(draft, made[-1]))
        problems += wrong
    return tuple(made), problems


def _ordered(problems: list[Problem], paths: tuple[Path, ...]) -> list[Problem]:
    """Sort by file, in the order of reading, and by place; leave out what two ways of including a file both found."""
    order = {path: index for index, path in enumerate(paths)}
    return sorted(
        dict.fromkeys(problems),
        key=lambda problem: (order.get(problem.path or Path(), len(order)), problem.line or 0, problem.column or 0),
    )
