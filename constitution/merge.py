"""Reads a principles file with all that it includes, and lays overrides over what they override.

The result is a table of fields for each principle, each field with the place that it was written at, so that
later checks can point there. Knows the shape of a file, and not what its fields mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from constitution import codes, shape, sources
from tenet.errors import InvalidInput, MissingInput, Problem
from tenet.yamlfile import Pointer, Yaml, YamlDocument, load_yaml, suggest

MAX_INCLUDES: Final = 8
_ADD_TEXT: Final = "add `text: ...`, the behaviour to prefer"
MOST_SUGGESTED: Final = 20
"""After so many problems no more names are searched for one that is alike: in a file of thousands that takes minutes."""


@dataclass(frozen=True)
class Place:
    """A place in a file."""

    document: YamlDocument
    pointer: Pointer

    def problem(self, message: str, hint: str = "", *further: str | int, code: str = "") -> Problem:
        """Make a problem that points here, or further down from here; `code` is one of `constitution.codes`."""
        return self.document.problem((*self.pointer, *further), message, hint, code)

    def name(self, *further: str | int) -> str:
        """Write the place as people do: `principles[2].weight`."""
        return shape.name((*self.pointer, *further))

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return self.document.position(self.pointer)[0]

    def __str__(self) -> str:
        return f"{self.document.path}:{self.line}"


@dataclass(frozen=True)
class Draft:
    """A principle as its files write it: plain field values, and where each was written.

    `place` is its last entry; `sound` is False where fields that broke the schema were left out.
    """

    place: Place
    fields: Mapping[str, Yaml]
    written: Mapping[str, Place]
    sound: bool = True

    def overridden(self, other: Draft) -> Draft:
        """Return this principle with the fields that a later entry names."""
        fields, written = {**self.fields, **other.fields}, {**self.written, **other.written}
        return Draft(other.place, fields, written, self.sound and other.sound)


Drafts = dict[str, Draft]
Spoilt = frozenset[Pointer]
"""The places at which, or below which, the schema is broken."""


class Merger:
    """Reads files. Afterwards `problems` is all that is wrong; `complete` is False if that lost principles."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.complete = True
        self._drafts: dict[Path, Drafts] = {}
        self._documents: dict[Path, YamlDocument] = {}

    @property
    def documents(self) -> tuple[YamlDocument, ...]:
        """The files that could be read, in that order."""
        return tuple(self._documents.values())

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that were read, in that order."""
        return tuple(document.path for document in self._documents.values() if document.path is not None)

    def read(self, path: Path, chain: Sequence[Path] = ()) -> Drafts:
        """Return the principles of a file by id, included ones first; `chain` are the files that led here."""
        key = path.resolve()
        if key in self._drafts:
            return self._drafts[key]
        self._drafts[key] = {}
        try:
            document = self._documents[key] = load_yaml(path)
        except InvalidInput as error:
            self.problems.extend(error.problems)
            self.complete = False
            return {}
        found = shape.problems(document)
        self.problems.extend(problem for _, problem in found)
        bad = frozenset(pointer[:end] for pointer, _ in found for end in range(len(pointer) + 1))
        table = document.data
        if isinstance(table, dict):
            self._drafts[key] = self._included(document, table, bad, (*chain, path))
            self._add_own(document, table, bad, self._drafts[key])
        return self._drafts[key]

    def head(self, path: Path) -> dict[str, Yaml]:
        """Return the top-level fields of a file that was read."""
        return cast(dict[str, Yaml], self._documents[path.resolve()].data)

    def _included(self, document: YamlDocument, table: dict[str, Yaml], bad: Spoilt, chain: tuple[Path, ...]) -> Drafts:
        """Gather the principles of the files that a file includes."""
        drafts: Drafts = {}
        items = table.get("include")
        for index, item in enumerate(items if isinstance(items, list) else []):
            place = Place(document, ("include", index))
            if isinstance(item, str) and not _spoilt(place.pointer, bad):
                self._join(drafts, self._include(place, item, chain), place, item)
        return drafts

    def _include(self, place: Place, item: str, chain: tuple[Path, ...]) -> Drafts:
        """Read one included file, unless it is missing, goes round in a circle or lies too deep."""
        steps = [step.resolve() for step in chain]
        try:
            path = sources.find(item, beside=chain[-1])
        except MissingInput as error:
            return self._lost(place.problem(error.message, error.hint, code=codes.INCLUDE))
        if path.resolve() in steps:
            circle = (*chain[steps.index(path.resolve()) :], path)
            told = f"files include each other in a circle: {' -> '.join(step.name for step in circle)}"
            return self._lost(place.problem(told, "remove one of the includes", code=codes.INCLUDE))
        if len(chain) >= MAX_INCLUDES:
            told = f"includes lie more than {MAX_INCLUDES} files deep"
            return self._lost(place.problem(told, "include it higher up", code=codes.INCLUDE))
        return self.read(path, chain)

    def _lost(self, problem: Problem) -> Drafts:
        self.problems.append(problem)
        self.complete = False
        return {}

    def _join(self, drafts: Drafts, more: Drafts, place: Place, item: str) -> None:
        """Add the principles of one included file; the same id with other content in two of them is a problem."""
        for id_, draft in more.items():
            first = drafts.setdefault(id_, draft)
            if first.fields != draft.fields:
                told = f'the principle "{id_}" of {item} differs from the one at {first.place}, also included here'
                hint = "include one of the two files, or give one another id"
                self.problems.append(place.problem(told, hint, code=codes.ID))

    def _add_own(self, document: YamlDocument, table: dict[str, Yaml], bad: Spoilt, drafts: Drafts) -> None:
        """Add a file's own principles to the included ones, or lay them over these."""
        given = table.get("defaults")
        defaults = _draft(Place(document, ("defaults",)), given if isinstance(given, dict) else {}, bad)
        items = table.get("principles")
        own: dict[str, Place] = {}
        included = bool(drafts)
        for index, item in enumerate(items if isinstance(items, list) else []):
            place = Place(document, ("principles", index))
            id_ = item.get("id") if isinstance(item, dict) else None
            if not isinstance(item, dict) or not isinstance(id_, str) or _spoilt((*place.pointer, "id"), bad):
                self.complete = False
                continue
            if id_ in own:
                told = f'a second principle has the id "{id_}"'
                self.problems.append(place.problem(told, f"the first is on line {own[id_].line}", "id", code=codes.ID))
                continue
            own[id_] = place
            self._place(drafts, id_, _draft(place, item, bad), defaults, included)

    def _place(self, drafts: Drafts, id_: str, draft: Draft, defaults: Draft, included: bool) -> None:
        if id_ in drafts:
            drafts[id_] = drafts[id_].overridden(draft)
            return
        drafts[id_] = defaults.overridden(draft)
        if "text" not in draft.fields and draft.sound:
            drafts[id_] = replace(drafts[id_], sound=False)
            if self.complete:
                few = len(self.problems) < MOST_SUGGESTED
                near = suggest(id_, drafts.keys() - {id_}) if few else ""
                told = f'{draft.place.name()} lacks `text`, and no included principle has the id "{id_}"'
                code = codes.OVERRIDE if included else codes.SHAPE
                self.problems.append(draft.place.problem(told, near or _ADD_TEXT, "id", code=code))


def _spoilt(pointer: Pointer, bad: Spoilt) -> bool:
    """Tell whether the schema is broken at a place or anywhere below it."""
    return pointer in bad


def _draft(place: Place, table: dict[str, Yaml], bad: Spoilt) -> Draft:
    """Keep the fields of a table that are well formed, with their places."""
    kept = {key: value for key, value in table.items() if not _spoilt((*place.pointer, key), bad)}
    written = {key: Place(place.document, (*place.pointer, key)) for key in kept}
    return Draft(place, kept, written, sound=len(kept) == len(table))
