"""Parses the verdict line of a critique. Knows no model; nothing is evaluated and nothing guessed.

The last line that begins with "Verdict" counts, whatever markup is around it; it must say yes or no and
nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tenet.records import Verdict

_LINE: Final = re.compile(r"^[\s*_#>`~-]*verdict\b(?P<rest>.*)$", re.IGNORECASE | re.MULTILINE)
_SAID: Final = re.compile(r"[\s*_`~]*[:=-][\s*_`~\"'(\[]*(yes|no)[\s*_`~\"')\].!]*", re.IGNORECASE)


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
    lines = list(_LINE.finditer(text))
    if not lines:
        return Parsed(text.strip(), Verdict.UNPARSED, "no line begins with Verdict")
    last = lines[-1]
    said = _SAID.fullmatch(last["rest"].rstrip())
    if said is None:
        return Parsed(
            text.strip(),
            Verdict.UNPARSED,
            f"the verdict line says neither yes nor no: {last[0].strip()[:80]!r}",
        )
    rest = (text[: last.start()].rstrip() + "\n" + text[last.end() :].lstrip("\r\n")).strip()
    return Parsed(rest, Verdict.YES if said[1].lower() == "yes" else Verdict.NO)
