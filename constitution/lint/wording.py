"""Rules about the wording of one principle: one behaviour, that can be seen in a response, said as what to do.

They read `text` as plain English by fixed word lists and sentence positions, and stay silent where they are not sure. They know no other
language, and nothing of what a principle means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from constitution.lint.model import Hit, Rule, Severity, Subject

_NOUN: Final = r"(?:response|answer|reply|assistant|model|chatbot|AI)"
_SUBJECT: Final = rf"(?:(?:the|each|every|an?|any)\s+)?{_NOUN}"
_MODAL: Final = r"(?:(?:should|must|shall|will|always|has to|ought to|needs to)\s+)*"

_QUALITIES: Final = (
    "accurate balanced brief clear coherent complete concise consistent correct courteous creative detailed direct empathetic "
    "engaging ethical fair formal friendly gentle harmless helpful honest humble informal informative kind legal logical neutral "
    "objective organised organized original patient polite precise professional readable relevant respectful safe short simple "
    "sincere specific thorough transparent truthful unbiased useful warm"
)
_QUALITY: Final = "(?:" + "|".join(_QUALITIES.split()) + ")"
_ADVERB: Final = r"(?:(?:very|more|most|as|always|both|also|\w+ly)\s+)*"
_DOUBLE: Final = (
    (
        rf"\b(?:is|be|being|remains?|stays?|sounds?)\s+{_ADVERB}({_QUALITY}(?:\s*,\s*{_QUALITY})*\s*,?\s+(?:and|or|but|yet)\s+{_ADVERB}{_QUALITY})\b",
        "asks for several qualities at once",
    ),
    (
        r"\b((?:and|while|but) also|and/or|as well as|additionally|in addition|moreover|furthermore)\b",
        "joins two behaviours",
    ),
    (rf",?\s(and (?:it|{_SUBJECT}))\b", "joins two behaviours"),
    (r"\b(?:should|must|shall)\b.*?\b(and (?:should|must|shall|has to))\b", "joins two behaviours"),
    (rf"[.!;]\s+((?:It|{_SUBJECT}|(?:And )?also,?)\b)", "has a second sentence about another behaviour"),
)
_VAGUE: Final = (
    "acceptable adequate appropriate best better decent effective excellent good great high-quality ideal moral natural nice "
    "optimal perfect proper reasonable responsible satisfactory sensible smart suitable wise"
)
_WORDS: Final = "(?:" + "|".join(_VAGUE.split()) + ")"
_IS: Final = r"\b(?:is|be|being|remains?|stays?|sounds?)"
_UNSAID: Final = (
    rf"(?<!what )(?<!that )(?<!which )(?<!who ){_IS}\s+{_ADVERB}({_WORDS}|ethical|helpful|useful|harmless)\b(?!\s*:)",
    rf"\b({_WORDS} (?:response|answer|reply|way|manner|fashion|tone|style|quality|level|length|amount|detail))s?\b",
    r"\b(appropriately|adequately|suitably|properly|responsibly|reasonably|effectively|ethically|optimally)\b",
    r"\b((?:as|when|where|whenever|wherever|if) (?:appropriate|applicable|needed|necessary|possible|required|suitable))\b",
    r"\b(best practices?|common sense|good judge?ment|high quality|and so on|etc\.?)(?=\W|$)",
)
_MIND: Final = (
    r"understands?|knows?|thinks?|believes?|feels?|cares?|wants?|intends?|hopes?|tries|try|strives?|aims?|"
    r"is aware|be aware|has good intentions"
)
_INNER: Final = (
    rf"(?:^|[.;]\s+){_SUBJECT}\s+{_MODAL}(?:\w+ly\s+)?({_MIND})\b",
    r"\b((?:genuinely|sincerely|truly|really) (?:cares?|wants?|tries|try|understands?|means?))\b",
)
_NOT: Final = (
    r"(?:does|do|should|must|shall|will|can|may|is|are|has)\s+(?:not|never)|(?:does|do|should|must|is|wo|ca)n't|cannot|not|never|"
    r"avoids?|refrains?|(?:contains?|includes?|has) no|(?:be|is) free (?:of|from)"
)
_NEGATED: Final = (rf"^{_SUBJECT}\s+{_MODAL}({_NOT})\b", r"^(do not|don't|never|avoid|refrain)\b")
_INSTEAD: Final = re.compile(
    r"[,;:]\s*(?:but|it|instead|and instead|rather)\b|\bbut (?:instead|rather)\b", re.IGNORECASE
)

MULTIPLE: Final = "TP101"
VAGUE: Final = "TP102"
INNER: Final = "TP103"
NEGATED: Final = "TP104"


def _found(patterns: tuple[str, ...], text: str) -> Iterator[str]:
    for pattern in patterns:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            yield match[1]


def _each(words: Callable[[str], Iterator[str]]) -> Callable[[Subject], Iterator[Hit]]:
    """Make a check of a function from a text to what is wrong with it; the first thing in a text is enough."""

    def check(subject: Subject) -> Iterator[Hit]:
        for principle in subject.principles:
            told = next(words(" ".join(principle.text.replace("\u2019", "'").split())), "")
            if told:
                yield subject.hit(principle, "text", told)

    return check


def _multiple(text: str) -> Iterator[str]:
    for pattern, why in _DOUBLE:
        for found in _found((pattern,), text):
            yield f'the text {why}: "{found}"'


def _vague(text: str) -> Iterator[str]:
    for found in _found(_UNSAID, text):
        yield f'"{found}" leaves it to the judge what is meant'


def _inner(text: str) -> Iterator[str]:
    for found in _found(_INNER, text):
        yield f'"{found}" is a state of mind, which no response shows'


def _negated(text: str) -> Iterator[str]:
    if not _INSTEAD.search(text):
        for found in _found(_NEGATED, text):
            yield f'"{found}" says what to leave out, not what to do'


RULES: Final = (
    Rule(
        MULTIPLE, "double-barrelled", Severity.WARNING, "The text asks for several behaviours at once.",
        "make a principle of each, so that a verdict is about one thing", _each(_multiple),
    ),
    Rule(
        VAGUE, "vague", Severity.WARNING, "The text uses a word that every reader fills in differently.",
        "say what can be seen in a response that has it", _each(_vague),
    ),
    Rule(
        INNER, "unobservable", Severity.WARNING, "The text speaks of a state of mind instead of a behaviour.",
        "say what a response does that shows it", _each(_inner),
    ),
    Rule(
        NEGATED, "negated", Severity.WARNING, "The text forbids where it could say what to do.",
        "name the behaviour to prefer; judges agree better with people on positive wording", _each(_negated),
    ),
)  # fmt: skip
