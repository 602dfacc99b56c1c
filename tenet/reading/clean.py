"""Cleans text at the door, once, so that no later stage meets what it cannot carry.

Knows no file and no record.

NUL ends a string in SQLite and C; a lone surrogate (half of a UTF-16 pair, often left by a cut emoji) cannot
be written as UTF-8; a byte order mark at the start is an editor's trace and no text. All else, white space
included, is the user's and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tenet.records import Message

_LONE: Final = re.compile("[\ud800-\udfff]")
_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How many characters were changed: NULs and marks removed, lone surrogates replaced by U+FFFD."""

    nul: int = 0
    surrogates: int = 0
    marks: int = 0

    def __bool__(self) -> bool:
        return bool(self.nul or self.surrogates or self.marks)

    def __add__(self, other: Cleaning) -> Cleaning:
        return Cleaning(self.nul + other.nul, self.surrogates + other.surrogates, self.marks + other.marks)


NOTHING: Final = Cleaning()


def clean(text: str) -> tuple[str, Cleaning]:
    """The text without NULs, lone surrogates and a leading byte order mark, and what was changed."""
    if text.isascii():
        nul = text.count("\0")
        return (text.replace("\0", ""), Cleaning(nul=nul)) if nul else (text, NOTHING)
    marks = len(text) - len(text.lstrip(_MARK))
    kept, surrogates = _LONE.subn("\ufffd", text[marks:])
    nul = kept.count("\0")
    done = Cleaning(nul, surrogates, marks)
    return (kept.replace("\0", ""), done) if done else (text, NOTHING)


def clean_turns(turns: Iterable[Message]) -> tuple[tuple[Message, ...], Cleaning]:
    """Clean the content of each turn; the changes are summed."""
    total = NOTHING
    kept: list[Message] = []
    for turn in turns:
        content, done = clean(turn.content)
        kept.append(Message(turn.role, content) if done else turn)
        total += done
    return tuple(kept), total
