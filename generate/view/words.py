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
    """Add a piece; white space that differs alone is no difference to see, and white space between two that differ is one with them."""
    if not text:
        return
    if differs and not text.strip():
        differs = False
    parts.append((text, differs))
    if len(parts) > 2 and parts[-1][1] and parts[-3][1] and not parts[-2][0].strip():
        last, between, first = parts.pop(), parts.pop(), parts.pop()
        parts.append((first[0] + between[0] + last[0], True))


def _whole(text: str) -> list[Part]:
    return [(text, False)] if text else []
