"""Which attributes of the pocket world a principles file asks for, read from its words. For the demo's table and nothing else.

The judge reads a principle's text and never this. A text in words that are not in the lexicon is not recognised; the demo
then goes by what the judge's labels reward, and prints every attribute in any case.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from constitution.model import Constitution, Principle
from pocket.lexicon import COMPARATIVES, LEXICON, Lexicon
from pocket.oracle import FAMILIES

_NEGATED: Final = re.compile(
    r"\b(?:not|never|no|nor|without|avoids?|avoiding|refrains?|less|worse|loses|dislikes?|rejects?|mark|steer clear|leaves? out"
    r"|instead of|rather than|stops?|hates?|nobody|bad|lower|loses? points|throw out|stay away|free of|penalises?)\b",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[,:;.]|\band\b|\bbut\b|(?=\binstead of\b|\brather than\b)", re.IGNORECASE)


def asked_families(constitution: Constitution) -> tuple[str, ...]:
    """The families that the active principles of a file ask for, in the oracle's order."""
    found = {family_of(principle) for principle in constitution.active}
    return tuple(family for family in FAMILIES if family in found)


def family_of(principle: Principle) -> str | None:
    """The family that a principle asks for; None where its words and its id name none.

    Its text decides, for it is what the judge reads: clause by clause, the family whose words it uses or, in a clause that
    forbids something, whose opposite's words. Its id decides between equals, and where the text is silent.
    """
    named = next((family for family in FAMILIES if family in re.split(r"[^a-z]+", principle.id.lower())), None)
    hits = dict.fromkeys(FAMILIES, 0)
    for clause in _CLAUSE.split(principle.text):
        negated = bool(_NEGATED.search(clause))
        for family in FAMILIES:
            hits[family] += len(_words(family, negated).findall(clause))
    most = max(hits.values())
    best = [family for family in FAMILIES if hits[family] == most] if most else []
    return named if named in best or not best else best[0]


@cache
def _words(family: str, negated: bool) -> re.Pattern[str]:
    """The adjectives and nouns that name what a family seeks or, in a clause that forbids, what it shuns."""
    lexicon = LEXICON[family].shun if negated else LEXICON[family].seek
    words = {*_adjectives(lexicon), *lexicon.nouns, *lexicon.held_nouns}
    return re.compile(
        r"\b(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + r")\b", re.IGNORECASE
    )


def _adjectives(lexicon: Lexicon) -> set[str]:
    plain = {*lexicon.adjectives, *lexicon.held_adjectives}
    return plain | {COMPARATIVES[word] for word in plain if word in COMPARATIVES}
