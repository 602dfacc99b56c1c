"""What a format is, the file that it reads, and what comes out of it before it is checked.

Knows no format by itself, and no file of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from constitution.interchange.jsonfile import read_json
from constitution.model import Constitution
from tenet.errors import InvalidInput, Problem, missing_file
from tenet.ids import Json
from tenet.yamlfile import Pointer, Yaml, YamlDocument

MAX_BYTES: Final = 20_000_000
UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Source:
    """A file to import, whole."""

    path: Path
    raw: bytes

    @cached_property
    def text(self) -> str:
        """The file as text, with line ends as `\\n`.

        Raises:
            InvalidInput: it is not UTF-8, or holds a NUL; with the line.
        """
        try:
            text = self.raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            told = "this is UTF-16, not UTF-8 text" if self.raw[:2] in UTF16 else "this is not UTF-8 text"
            hint = f"save it as UTF-8, as with: iconv -f {'UTF-16' if self.raw[:2] in UTF16 else 'LATIN1'} -t UTF-8"
            raise self.refused(told, self.raw.count(b"\n", 0, error.start) + 1, hint) from error
        if (place := text.find("\0")) >= 0:
            raise self.refused("a NUL stands here, so this is no text file", text.count("\n", 0, place) + 1)
        return text.replace("\r\n", "\n").replace("\r", "\n")

    @cached_property
    def json(self) -> YamlDocument:
        """The file as JSON, with the place of every value.

        Raises:
            InvalidInput: it is not JSON, or a key stands twice in a table; with line and column.
        """
        return read_json(self.text, self.path)

    @cached_property
    def data(self) -> Yaml:
        """The file as JSON; None where it is none."""
        try:
            return self.json.data
        except InvalidInput:
            return None

    def refused(self, message: str, line: int | None = None, hint: str = "") -> InvalidInput:
        """Make the error that there is one thing wrong with this file."""
        return InvalidInput(f"cannot import {self.path}:", [Problem(message, self.path, line, hint=hint)])


def open_source(path: Path) -> Source:
    """Read a file to import.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: it cannot be read, is empty, or is larger than 20 MB.
    """
    try:
        with path.open("rb") as file:
            source = Source(path, file.read(MAX_BYTES + 1))
    except FileNotFoundError as error:
        raise missing_file(path) from error
    except OSError as error:
        raise Source(path, b"").refused(f"it cannot be read: {error.strerror or error}") from error
    if len(source.raw) > MAX_BYTES:
        raise source.refused(f"it is larger than {MAX_BYTES:,} bytes", hint="split it into several files")
    if not source.raw.strip():
        raise source.refused("the file is empty", 1)
    return source


@dataclass(frozen=True)
class Entry:
    """One principle as a foreign file has it, unchecked: `fields` go by our names, `name` is what becomes its id.

    `comment` is what the file says above it that is no part of it.
    """

    line: int
    fields: Mapping[str, Json]
    name: str = ""
    comment: str = ""


@dataclass
class Reading:
    """What a format found in a file: entries, problems, and the lines of what has no place in a principles file."""

    path: Path
    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unread: dict[str, list[int]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    name: str = ""
    description: str = ""

    def skip(self, what: str, line: int) -> None:
        """Note something that is not imported."""
        self.unread.setdefault(what, []).append(line)

    def problem(self, message: str, line: int, hint: str = "") -> None:
        """Note something that keeps the file from being imported."""
        self.problems.append(Problem(message, self.path, line, hint=hint))


@dataclass(frozen=True)
class Format:
    """A kind of file. `carries` are the fields of a principle that survive writing and reading."""

    name: str
    summary: str
    carries: frozenset[str]
    sniff: Callable[[Source], bool]
    read: Callable[[Source], Reading]
    write: Callable[[Constitution], str]
    heading: frozenset[str] = frozenset()
    """The fields of the whole file that it carries, of name, version, description and licence."""


class Rows:
    """Reads text fields of tables in a JSON file; what is missing or of another kind becomes a problem of the reading."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self.document, self.reading = source.json, reading

    def line(self, pointer: Pointer) -> int:
        """The line of a place."""
        return self.document.position(pointer)[0]

    def tables(self, items: Yaml, pointer: Pointer = ()) -> Iterable[tuple[Pointer, dict[str, Yaml]]]:
        """Yield the tables of a list; what is no table is a problem."""
        if not isinstance(items, list):
            self.reading.problem("expected a list of tables", self.line(pointer))
            return
        for index, item in enumerate(items):
            if isinstance(item, dict):
                yield (*pointer, index), item
            else:
                self.reading.problem(f"entry {index + 1} is no table", self.line((*pointer, index)))

    def text(self, table: dict[str, Yaml], key: str, pointer: Pointer) -> str:
        """Return a text field that must be there."""
        value = table.get(key)
        if isinstance(value, str):
            return value
        lack = f"`{key}` must be text" if key in table else f"`{key}` is missing"
        self.reading.problem(lack, self.line((*pointer, key)))
        return ""

    def leave(self, table: dict[str, Yaml], known: Iterable[str], pointer: Pointer) -> None:
        """Note the keys of a table that are not imported."""
        for key in table.keys() - set(known):
            self.reading.skip(f"`{key}`", self.line((*pointer, key)))


def dump(value: Json) -> str:
    """Write JSON as people read it."""
    import json

    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
