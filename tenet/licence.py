"""Reads the licence that the head of a card names, a dataset's or a model's. Makes none up, and knows nothing else of cards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_LICENCE: Final = re.compile(r"^license:[ \t]*(\S.*)$", re.MULTILINE)
_HEAD: Final = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def licence_of(card: Path) -> str | None:
    """Return the licence that an existing card names at its head, as it stands; None if it names none."""
    if not card.is_file():
        return None
    head = _HEAD.match(card.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n"))
    found = _LICENCE.search(head[1]) if head else None
    return found[1].strip() if found else None
