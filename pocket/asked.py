"""Which attributes of the pocket world a principles file asks for, read from its words. For the demo's table and nothing else.

The judge reads a principle's text and never this; a text in words that are not in the lexicon is simply not recognised, and the demo
then marks no attribute (and still prints them all).
"""

from __future__ import annotations

import re
from typing import Final

from constitution.model import Constitution, Principle
from pocket.lexicon import LEXICON, Lexicon
from pocket.oracle import FAMILIES

_NEGATED: Final = re.compile(r"\b(?:not|never|no|avoids?|avoiding|without|nor|refrains?|instead of|rather than)\b", re.IGNORECASE)


def asked_families(constitution: Constitution) -> tuple[str, ...]:
    """The families that the active principles of a file ask for, in the oracle's order."""
    found = {family_of(principle) for principle in constitution.active}
    return tuple(family for family in FAMILIES if family in found)


def family_of(principle: Principle) -> str | None:
    """The family that a principle asks for; None where its words and its id name none.

    Its text decides, for it is what the judge reads: the family whose words it uses most often or, where it forbids
    something, whose opposite's words. Its id decides between equals, and where the text is silent.
    """
    named = next((family for family in FAMILIES if family in re.split(r"[^a-z]+", principle.id.lower())), None)
    negated = bool(_NEGATED.search(principle.text))
    hits = {family: _hits(principle.text, LEXICON[family].shun if negated else LEXICON[family].seek) for family in FAMILIES}
    most = max(hits.values())
    best = [family for family in FAMILIES if hits[family] == most] if most else []
    return named if named in best or not best else best[0]


def _hits(text: str, lexicon: Lexicon) -> int:
    """How many adjectives and nouns of a quality a text uses."""
    words = (*lexicon.adjectives, *lexicon.held_adjectives, *lexicon.nouns, *lexicon.held_nouns)
    return sum(bool(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)) for word in words)
