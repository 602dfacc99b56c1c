"""Parses the verdict line of a critique. Knows no model; nothing is evaluated and nothing guessed.

The last line that begins with "Verdict" counts, whatever markup is around it; it must say yes or no and
nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tenet.records import Verdict

_WORD: Final = re.compile(r"verdict\b", re.IGNORECASE)
_MARKUP: Final = " \t*_#>`~-"
_SAID: Final = re.compile(r"verdict[*_`~ ]*[:=-][ *_`~\"'(]*(yes|no)", re.IGNORECASE)
_ENDS: Final = _MARKUP + "\"').!\r"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A critique without its verdict line, and the verdict.

    Where that is UNPARSED, the text is whole and `reason` says why.
    """

    text: str
    verdict: Verdict
    reason: str = ""


def parse_critique(text: str) -> Parsed:
    """Split what a judge wrote into critique and verdict."""
    lines = text.split("\n")
    bare = [line.strip(_ENDS) for line in lines]
    place = max((n for n, line in enumerate(bare) if _WORD.match(line)), default=None)
    if place is None:
        return Parsed(text.strip(), Verdict.UNPARSED, "no line begins with Verdict")
    said = _SAID.fullmatch(bare[place])
    if said is None:
        shown = lines[place].strip()[:80]
        return Parsed(text.strip(), Verdict.UNPARSED, f"the verdict line says neither yes nor no: {shown!r}")
    rest = "\n".join(lines[:place] + lines[place + 1 :]).strip()
    return Parsed(rest, Verdict.YES if said[1].lower() == "yes" else Verdict.NO)
