"""Reads YAML that people edit into plain values, and remembers where each of them stands.

The subset is what JSON can say, written as YAML 1.2 writes it: `no`, `on`, `12:30` and `2026-01-01` stay text,
`1e-5` is a number. Tags, anchors, aliases, duplicate keys, several documents, deep nesting and files above 1 MB
are refused, all reported together, so that nothing is built, repeated or overwritten behind the reader's back.
"""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from tenet.errors import InvalidInput, Problem, missing_file
from tenet.yamlreader import Pointer, Position, Yaml, YamlReader

__all__ = ["MAX_BYTES", "Pointer", "Position", "Yaml", "YamlDocument", "load_yaml", "parse_yaml", "suggest"]

MAX_BYTES: Final = 1_000_000
_HEAD: Final = 4_096
# The longer marks come first: that of UTF-32LE begins with that of UTF-16LE.
_MARKS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True)
class YamlDocument:
    """The plain values of one YAML file, and the line and column (from 1) of every key and item in it.

    A pointer is the path of keys and indices to a value: `("principles", 2, "weight")`; `()` is the whole file.
    """

    data: Yaml
    path: Path | None = None
    marks: dict[Pointer, Position] = field(default_factory=dict, repr=False)

    def position(self, pointer: Pointer) -> Position:
        """Return line and column of a key or a list item, or of the nearest parent where the pointer leads nowhere."""
        for length in range(len(pointer), -1, -1):
            if (mark := self.marks.get(tuple(pointer[:length]))) is not None:
                return mark
        return 1, 1

    def problem(self, pointer: Pointer, message: str, hint: str = "", code: str = "") -> Problem:
        """Make a problem that points at this place of this file."""
        return Problem(message, self.path, *self.position(pointer), hint, code)


def load_yaml(path: Path) -> YamlDocument:
    """Read a YAML file.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: it cannot be read, is not UTF-8, is not YAML, or holds what is refused; with line and column.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise missing_file(path) from error
    except OSError as error:
        raise _refused(path, [Problem(f"it cannot be read: {error.strerror or error}", path)]) from error
    if len(raw) > MAX_BYTES:
        raise _refused(path, [_too_big(path)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(path, [_encoded(path, raw, error.start)]) from error
    if _encoding(raw):
        raise _refused(path, [_encoded(path, raw, 0)])
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path | None = None) -> YamlDocument:
    """Read YAML from a string; `path` is only named in errors.

    Raises:
        InvalidInput: it is not YAML, or holds what is refused; with line and column.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _refused(path, [_too_big(path)])
    reader = YamlReader(path)
    data = reader.read(text)
    if reader.problems:
        raise _refused(path, reader.problems)
    return YamlDocument(data, path, reader.marks)


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "weight"?` for a word that resembles a known one, else an empty string."""
    by_fold = {_fold(name): name for name in sorted(known, reverse=True)}
    found = get_close_matches(_fold(word), list(by_fold), n=1, cutoff=0.6)
    return f'did you mean "{by_fold[found[0]]}"?' if found else ""


def _fold(word: str) -> str:
    return word.casefold().replace("_", "-")


def _encoding(raw: bytes) -> str:
    """Name the encoding of two or four bytes a character that a file is in, by its mark or its zero bytes; empty if it is none."""
    head = raw[:_HEAD]
    marked = next((name for mark, name in _MARKS.items() if raw.startswith(mark)), "")
    if marked or head.count(0) * 4 < len(head) or not head:
        return marked
    return "UTF-16LE" if head.index(0) % 2 else "UTF-16BE"


def _encoded(path: Path, raw: bytes, place: int) -> Problem:
    """Say which encoding a file that is not UTF-8 seems to have; `place` is the first byte that cannot be UTF-8."""
    wide = _encoding(raw)
    before = raw[:place].rpartition(b"\n")[2].decode("utf-8", "replace")
    where = (1, 1) if wide else (raw.count(b"\n", 0, place) + 1, len(before) + 1)
    name = shlex.quote(path.name)
    hint = f"save the file as UTF-8, such as with: iconv -f {wide or 'LATIN1'} -t UTF-8 {name} > new-{name}"
    return Problem(f"this is {wide} text, not UTF-8" if wide else "this is not UTF-8 text", path, *where, hint)


def _too_big(path: Path | None) -> Problem:
    return Problem(f"it is larger than {MAX_BYTES:,} bytes", path, hint="split it into several files")


def _refused(path: Path | None, problems: list[Problem]) -> InvalidInput:
    return InvalidInput(f"cannot read {path or 'this text'} as YAML:", problems)
