"""Reads JSON strictly and remembers the line of every value, as `tenet.yamlfile` does for YAML.

Python's own decoder keeps no places and lets the last of two equal keys win; here tables and lists are walked, and only
strings and numbers are left to it. Knows no format.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from json.decoder import scanstring  # type: ignore[attr-defined]  # the decoder's own reader of strings
from pathlib import Path
from typing import Final

from tenet.errors import InvalidInput, Problem
from tenet.yamlfile import Pointer, Position, Yaml, YamlDocument

MAX_DEPTH: Final = 64
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def read_json(text: str, path: Path) -> YamlDocument:
    """Read a JSON text; `path` is only named in errors.

    Raises:
        InvalidInput: it is not JSON, holds NaN or an infinity, nests deeper than 64 levels, or a key stands twice.
    """
    return _Walker(text, path).document()


class _Walker:
    def __init__(self, text: str, path: Path) -> None:
        self.text, self.path = text, path
        self.marks: dict[Pointer, Position] = {}
        self._ends = [found.start() for found in re.finditer("\n", text)]
        self._scan = json.JSONDecoder(parse_constant=_constant).scan_once  # type: ignore[attr-defined]  # one value

    def document(self) -> YamlDocument:
        try:
            data, end = self._value(self._skip(0), ())
            if (rest := self._skip(end)) < len(self.text):
                raise self._fault("something follows the end of the JSON value", rest)
        except json.JSONDecodeError as error:
            raise self._fault(error.msg, error.pos) from error
        return YamlDocument(data, self.path, self.marks)

    def _fault(self, message: str, at: int, hint: str = "") -> InvalidInput:
        return InvalidInput(f"{self.path} is not usable JSON:", [Problem(message, self.path, *self._place(at), hint)])

    def _place(self, at: int) -> Position:
        line = bisect_right(self._ends, at - 1)
        return line + 1, at - (self._ends[line - 1] if line else -1)

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def _value(self, at: int, pointer: Pointer) -> tuple[Yaml, int]:
        self.marks.setdefault(pointer, self._place(at))
        if len(pointer) > MAX_DEPTH:
            raise self._fault(f"nested deeper than {MAX_DEPTH} levels", at)
        match self.text[at : at + 1]:
            case "{":
                return self._table(at, pointer)
            case "[":
                return self._list(at, pointer)
        try:
            value, end = self._scan(self.text, at)
        except StopIteration:
            raise self._fault("expected a value", at) from None
        except ValueError as error:
            if isinstance(error, json.JSONDecodeError):
                raise
            raise self._fault(f"not a number: {error}", at) from error
        return value, end

    def _table(self, at: int, pointer: Pointer) -> tuple[Yaml, int]:
        table: dict[str, Yaml] = {}
        at = self._skip(at + 1)
        if self.text[at : at + 1] == "}":
            return table, at + 1
        while True:
            if self.text[at : at + 1] != '"':
                raise self._fault("expected a key in double quotes", at, "a comma after the last entry is not JSON")
            key, end = scanstring(self.text, at + 1, True)
            if key in table:
                first = self.marks[*pointer, key][0]
                told = f'the key "{key}" stands here a second time'
                raise self._fault(told, at, f"the first is on line {first}; give each entry its own")
            self.marks[*pointer, key] = self._place(at)
            at = self._skip(end)
            if self.text[at : at + 1] != ":":
                raise self._fault("expected a colon after the key", at)
            table[key], at = self._value(self._skip(at + 1), (*pointer, key))
            at, last = self._next(at, "}")
            if last:
                return table, at

    def _list(self, at: int, pointer: Pointer) -> tuple[Yaml, int]:
        items: list[Yaml] = []
        at = self._skip(at + 1)
        if self.text[at : at + 1] == "]":
            return items, at + 1
        while True:
            item, at = self._value(at, (*pointer, len(items)))
            items.append(item)
            at, last = self._next(at, "]")
            if last:
                return items, at

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        """Step over a comma, or over the end of a table or list."""
        at = self._skip(at)
        sign = self.text[at : at + 1]
        if sign == closing:
            return at + 1, True
        if sign != ",":
            raise self._fault(f"expected a comma or {closing}", at)
        return self._skip(at + 1), False


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
