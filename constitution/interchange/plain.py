"""A plain list: one principle a line. Empty lines are skipped, `#` begins a comment, one bullet or number is taken off.

Reads any text, so it is what a file is taken for when it is nothing else and looks like lines.
"""

from __future__ import annotations

import re
from typing import Final

from constitution.interchange.source import Entry, Format, Reading, Source
from constitution.model import Constitution

_BULLET: Final = re.compile(r"(?:[-*+•]|\(?\d{1,5}[.)])\s+")
_ENDS: Final = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
_PLAIN: Final = (".txt", ".lst", "")


def _sniff(source: Source) -> bool:
    start = source.text.lstrip()[:1]
    return source.path.suffix.lower() in _PLAIN and start not in ("{", "[", "<") and source.data is None


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    comment: list[str] = []
    for number, line in enumerate(source.text.split("\n"), 1):
        told = line.strip()
        if told.startswith("#"):
            comment.append(told.lstrip("# "))
        elif told:
            text = _BULLET.sub("", told, count=1) if _BULLET.match(told) else told
            reading.entries.append(Entry(number, {"text": text}, comment="\n".join(comment).strip()))
            comment = []
    return reading


def _write(constitution: Constitution) -> str:
    return "".join(f"{_line(principle.text)}\n" for principle in constitution.principles)


def _line(text: str) -> str:
    """Write a text on one line, with a bullet where the reader would take its beginning for something else."""
    line = _ENDS.sub(" ", text)
    return f"- {line}" if line.startswith("#") or _BULLET.match(line) else line


FORMAT: Final = Format(
    name="list",
    summary="a plain list: one principle a line, `#` for comments",
    carries=frozenset({"text"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
