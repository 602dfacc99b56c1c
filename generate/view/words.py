"""Where two responses differ, word by word. Knows texts only."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

Part = tuple[str, bool]
"""A piece of a text, and whether the other text has it not."""

MOST_WORDS: Final = 3000
_WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")
_LINES: Final = re.compile(r"[^\n]*\n+|[^\n]+")


def differences(one: str, other: str) -> tuple[list[Part], list[Part]]:
    """Both texts in parts, those that the other has not marked; the parts of a text put together are the text.

    Texts of more than `MOST_WORDS` words are held against each other line by line, for the time that it takes grows with the square.
    """
    if not one or not other:
        return _whole(one), _whole(other)
    a, b = _WORDS.findall(one), _WORDS.findall(other)
    if max(len(a), len(b)) > MOST_WORDS:
        a, b = _LINES.findall(one), _LINES.findall(other)
    if max(len(a), len(b)) > MOST_WORDS:
        return _whole(one), _whole(other)
    left: list[Part] = []
    right: list[Part] = []
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        _add(left, "".join(a[i:j]), kind != "equal")
        _add(right, "".join(b[k:m]), kind != "equal")
    return left, right


def _add(parts: list[Part], text: str, differs: bool) -> None:
    """Add a piece. White space at the ends of what differs is not marked, but between two pieces that differ it is one with them."""
    if not differs:
        _put(parts, text, False)
        return
    core = text.strip()
    begin = text.find(core)
    _put(parts, text[:begin], False)
    _put(parts, core, True)
    _put(parts, text[begin + len(core) :], False)


def _put(parts: list[Part], text: str, differs: bool) -> None:
    if not text:
        return
    if parts and parts[-1][1] == differs:
        parts[-1] = (parts[-1][0] + text, differs)
    elif differs and len(parts) > 1 and not parts[-1][0].strip():
        between, first = parts.pop(), parts.pop()
        parts.append((first[0] + between[0] + text, True))
    else:
        parts.append((text, differs))


def _whole(text: str) -> list[Part]:
    return [(text, False)] if text else []
