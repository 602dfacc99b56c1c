"""Which pairs a view shows, and how that stands in its address: every view has one address, and an address one view. Knows no run.

A value that cannot be read is left out, so that a link from another version still opens; what is left out is not in the address that
is made again.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

PAGE_SIZE: Final = 50
LAST_PAGE: Final = 100_000
LONGEST: Final = 500
MOST_TERMS: Final = 8


class State(StrEnum):
    """What became of a pair: it is in the dataset, left to people, judged and not taken, or nobody gave an opinion of it."""

    EXPORTED = "exported"
    PEOPLE = "people"
    JUDGED = "judged"
    FAILED = "failed"


class Sort(StrEnum):
    """In which order pairs stand; RUN is that of the run's prompts."""

    RUN = "run"
    SURE = "sure"
    UNSURE = "unsure"
    APART = "apart"
    LONGER = "longer"
    SHORTER = "shorter"


class People(StrEnum):
    """What people said of a pair: something, nothing, or something else than the run's label."""

    LABELLED = "labelled"
    UNLABELLED = "unlabelled"
    AGAINST = "against"


_ENUMS: Final[Mapping[str, type[StrEnum]]] = {"state": State, "sort": Sort, "people": People}


@dataclass(frozen=True, slots=True)
class Query:
    """Filters, an order and a page; what is empty or None filters nothing.

    `text` holds words, and phrases in quotation marks, that must all stand somewhere in the prompt or the responses, however capitals are
    written. `least` and `most` bound the margin. `flipped` is about the two orders naming different winners.
    """

    text: str = ""
    run: str = ""
    principle: str = ""
    judge: str = ""
    source: str = ""
    outcome: str = ""
    split: str = ""
    tag: str = ""
    state: State | None = None
    people: People | None = None
    flipped: bool | None = None
    least: float | None = None
    most: float | None = None
    sort: Sort = Sort.RUN
    page: int = 1

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Query:
        """The query that an address holds."""
        known: dict[str, object] = {}
        for field in fields(cls):
            value = values.get(field.name, "").strip()
            if value:
                read = _read(field.name, value)
                if read is not None:
                    known[field.name] = read
        return cls(**known)  # type: ignore[arg-type]

    @property
    def values(self) -> dict[str, str]:
        """What differs from a view without filters, as an address holds it."""
        held = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: _written(value) for name, (value, default) in held.items() if value != default}

    @property
    def address(self) -> str:
        """The part of an address behind its question mark."""
        return urlencode(self.values)

    @property
    def terms(self) -> tuple[str, ...]:
        """What must stand in the texts."""
        return terms_of(self.text)


def terms_of(text: str) -> tuple[str, ...]:
    """Words and quoted phrases, each once, `MOST_TERMS` at most; a quotation mark without a partner is a part of its word."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace_split, lexer.commenters, lexer.quotes, lexer.escape = True, "", '"', ""
    try:
        found: Iterable[str] = list(lexer)
    except ValueError:
        found = text.split()
    return tuple(dict.fromkeys(one.strip() for one in found if one.strip()))[:MOST_TERMS]


def _read(name: str, value: str) -> object:
    if name in _ENUMS:
        kind = _ENUMS[name]
        return kind(value) if value in list(kind) else None
    if name == "flipped":
        return {"yes": True, "no": False}.get(value)
    if name in ("least", "most"):
        return _number(value)
    if name == "page":
        return (
            int(value)
            if value.isascii() and value.isdigit() and len(value) < 9 and 0 < int(value) <= LAST_PAGE
            else None
        )
    return value[:LONGEST].strip()


def _number(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
