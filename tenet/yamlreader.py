"""Builds plain values from a YAML parser's events, marks where each stands, and collects what the safe subset refuses.

Knows no file and no meaning of a key; `tenet.yamlfile` is what others call.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tenet.errors import Problem

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.events import Event, ScalarEvent

MAX_DEPTH: Final = 64

Yaml = str | int | float | bool | None | list["Yaml"] | dict[str, "Yaml"]
Pointer = tuple[str | int, ...]
Position = tuple[int, int]

_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_INT: Final = 2**63 - 1
_HINTS: Final = {
    "\\t": "indent with spaces, not with tabs",
    "mapping values are not allowed": 'a text that holds ": " needs quotes around it',
    "unexpected end of stream": "a quote or a bracket is opened and never closed",
}


class _Stopped(Exception):
    """Reading can go no further; the reason is already among the problems."""


class YamlReader:
    """Reads one text. `problems` is empty afterwards if all is well; `marks` tells where every key and item stands."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.marks: dict[Pointer, Position] = {}

    def read(self, text: str) -> Yaml:
        """Return the values of the one document in a text; None where it is empty or reading had to stop."""
        from ruamel.yaml.events import DocumentStartEvent, NodeEvent

        data: Yaml = None
        documents = 0
        try:
            for event in (events := self._events(text)):
                if isinstance(event, DocumentStartEvent):
                    documents += 1
                    if documents == 2:
                        raise self._stop(_place(event), "a second document starts here", "keep one document in a file")
                elif isinstance(event, NodeEvent) or hasattr(event, "anchor"):
                    self.marks[()] = _place(event)
                    data = self._value(event, events, ())
        except _Stopped:
            return None
        return data

    def _note(self, place: Position, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, self.path, *place, hint))

    def _stop(self, place: Position, message: str, hint: str = "") -> _Stopped:
        self._note(place, message, hint)
        return _Stopped()

    def _events(self, text: str) -> Iterator[Event]:
        """Yield the parser's events one at a time, so that nothing is built before it has been looked at."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import MarkedYAMLError

        if found := _UNPRINTABLE.search(text):
            before = text[: found.start()]
            place = before.count("\n") + 1, len(before) - before.rfind("\n")
            raise self._stop(place, f"the character U+{ord(found.group()):04X} is not allowed in YAML", "remove it")
        place = (1, 1)
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                place = _place(event)
                yield event
        except MarkedYAMLError as error:
            raise self._stop(*_syntax(error)) from error
        except ValueError as error:  # an escape such as "\U00110000"
            raise self._stop(place, f"not valid YAML: {error}", "the trouble is just after this place") from error

    def _value(self, event: Event, events: Iterator[Event], pointer: Pointer) -> Yaml:
        from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent

        if isinstance(event, AliasEvent):
            self._note(_place(event), f"the alias *{event.anchor} is not allowed", "write the value out")
            return None
        self._refuse_anchor_and_tag(event)
        if isinstance(event, ScalarEvent):
            return self._scalar(event)
        if len(pointer) >= MAX_DEPTH:
            raise self._stop(_place(event), f"nested deeper than {MAX_DEPTH} levels")
        return self._mapping(events, pointer) if isinstance(event, MappingStartEvent) else self._list(events, pointer)

    def _refuse_anchor_and_tag(self, event: Any) -> None:
        if event.anchor is not None:
            self._note(
                _place(event), f"the anchor &{event.anchor} is not allowed", "write the value out where it is needed"
            )
        if event.tag is not None:
            self._note(
                _place(event), f"the tag {event.tag} is not allowed", "write plain text, numbers, lists and keys"
            )

    def _list(self, events: Iterator[Event], pointer: Pointer) -> list[Yaml]:
        from ruamel.yaml.events import SequenceEndEvent

        items: list[Yaml] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            here = (*pointer, len(items))
            self.marks[here] = _place(event)
            items.append(self._value(event, events, here))
        return items

    def _mapping(self, events: Iterator[Event], pointer: Pointer) -> dict[str, Yaml]:
        from ruamel.yaml.events import MappingEndEvent

        table: dict[str, Yaml] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = self._key(event, events, pointer)
            if key in table:
                first = self.marks[*pointer, key][0]
                self._note(_place(event), f'the key "{key}" stands here a second time', f"the first is on line {first}")
            if key is None or key in table:
                self._value(next(events), events, (*pointer, "refused"))
                continue
            self.marks[*pointer, key] = _place(event)
            table[key] = self._value(next(events), events, (*pointer, key))
        return table

    def _key(self, event: Event, events: Iterator[Event], pointer: Pointer) -> str | None:
        """Return a key as it is written (`no` and `1` are text here); None for what cannot be one."""
        from ruamel.yaml.events import ScalarEvent

        if not isinstance(event, ScalarEvent):
            self._note(_place(event), "a key must be plain text")
            self._value(event, events, (*pointer, "refused"))
            return None
        self._refuse_anchor_and_tag(event)
        if not event.value:
            self._note(_place(event), "a key is empty")
        return self._text(event) or None

    def _text(self, event: ScalarEvent) -> str:
        """Return a scalar's characters; an escaped surrogate pair, as JSON writes it, becomes one character."""
        try:
            return str(event.value).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self._note(_place(event), "this text holds half of a surrogate pair, which is no character", "remove it")
            return ""

    def _scalar(self, event: ScalarEvent) -> str | int | float | bool | None:
        """Read a plain scalar by the core schema of YAML 1.2, decimal and finite only; all others are text."""
        text = self._text(event)
        if not event.implicit[0]:
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text[0] in "tT"
        if not _FLOAT.fullmatch(text):
            return text
        number = int(text) if len(text) < 32 and _INT.fullmatch(text) else float(text)
        if math.isinf(number) or (isinstance(number, int) and abs(number) > _MAX_INT):
            self._note(_place(event), "the number is too large", "quote it if it is meant as text")
            return None
        return number


def _place(event: Event) -> Position:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


def _syntax(error: MarkedYAMLError) -> tuple[Position, str, str]:
    """Say where and why the parser gave up, and what usually mends it."""
    mark = error.problem_mark or error.context_mark
    if error.context_mark is not None and str(error.context).startswith("while parsing a flow "):
        opened, sign = error.context_mark, "}" if "mapping" in str(error.context) else "]"
        place = opened.line + 1, opened.column + 1
        noticed = f", noticed on line {mark.line + 1}" if mark.line != opened.line else ""
        message = f"not valid YAML: what this bracket opens goes wrong before its end{noticed}: {error.problem}"
        return place, message, f"close it with {sign} , and put a comma between two entries"
    place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    told = ", ".join(str(part) for part in (error.context, error.problem) if part)
    if error.context_mark is not None and error.context_mark.line + 1 != place[0]:
        told += f" (it began on line {error.context_mark.line + 1})"
    return place, f"not valid YAML: {told}", next((hint for sign, hint in _HINTS.items() if sign in told), "")
