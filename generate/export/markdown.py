"""Writes the few forms of Markdown that a card needs, with text from outside kept from acting as mark-up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_ACTIVE: Final = re.compile(r"([\\`*_\[\]<>|#~])")


def inline(text: str) -> str:
    """Return text as one line without any mark-up in it."""
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return text as code; back-ticks and bars, which would end it, become look-alikes that do not."""
    return "`" + " ".join(text.split()).replace("`", "'").replace("|", "¦") + "`" if text.strip() else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are inline Markdown already."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]
    return "\n".join(lines)


def bullet(lines: Sequence[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {line}" for line in lines)
