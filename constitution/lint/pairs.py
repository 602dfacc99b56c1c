"""Rules about two principles: one said twice, or two that no response can follow together.

By words always; by the meaning that a model gives the texts where one is given. Of many alike, each is reported against the
most similar one before it. Two principles of which one yields to the other, or that are asked about other prompts, may well
oppose each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from constitution.lint.model import EMBEDDINGS, JUDGE, Hit, Rule, Severity, Subject
from constitution.lint.words import close_pairs, closest, cosines, overlaps, plain, stance
from constitution.model import Principle

SAME: Final = "TP201"
NEAR: Final = "TP202"
ALIKE: Final = "TP203"
OPPOSED: Final = "TP204"
CONTRADICTED: Final = "TP205"


def _same(subject: Subject) -> Iterator[Hit]:
    first: dict[str, Principle] = {}
    for principle in subject.principles:
        other = first.setdefault(plain(principle.text), principle)
        if other is not principle:
            yield subject.hit(
                principle, "text", f'"{principle.id}" says word for word what {_named(subject, other)} says'
            )


def _near(subject: Subject) -> Iterator[Hit]:
    principles = subject.principles
    rows = overlaps([one.text for one in principles]) if len(principles) > 1 else None
    for i, j, share in close_pairs(len(principles), rows, subject.options.close) if rows else ():
        one, other = principles[j], principles[i]
        if not _alike_at_sight(one, other):
            told = f'"{one.id}" shares {share:.0%} of its words with {_named(subject, other)}'
            yield subject.hit(one, "text", told)


def _alike(subject: Subject) -> Iterator[Hit]:
    principles = subject.principles
    if subject.options.embed is None or len(principles) < 2:
        return
    vectors = subject.options.embed([one.text for one in principles])
    for i, j, cosine in close_pairs(len(principles), cosines(vectors), subject.options.close_embedding):
        one, other = principles[j], principles[i]
        if not _alike_at_sight(one, other):
            told = f'"{one.id}" means nearly what {_named(subject, other)} means (cosine {cosine:.2f})'
            yield subject.hit(one, "text", told)


def _opposed(subject: Subject) -> Iterator[Hit]:
    held: dict[tuple[frozenset[str], bool], list[Principle]] = {}
    for principle in subject.principles:
        topic, side = stance(principle.text)
        for other in held.get((topic, not side), ())[:1]:
            if topic and _meet(principle, other):
                told = f'"{principle.id}" asks for the opposite of {_named(subject, other)}'
                yield subject.hit(principle, "text", told)
        held.setdefault((topic, side), []).append(principle)


def _contradicted(subject: Subject) -> Iterator[Hit]:
    principles, options = subject.principles, subject.options
    if options.judge is None or len(principles) < 2:
        return
    texts = [one.text for one in principles]
    rows = cosines(options.embed(texts)) if options.embed else overlaps(texts)
    near = [(principles[i], principles[j]) for i, j in closest(len(texts), rows, options.most_pairs)]
    asked = [(one, other) for one, other in near if _meet(one, other)]
    for (other, one), p in zip(asked, options.judge(asked), strict=True):
        if p is not None and p > 0.5:
            told = f'the judge sees no response that follows both "{one.id}" and {_named(subject, other)} (p = {p:.2f})'
            yield subject.hit(one, "text", told)


def _meet(one: Principle, other: Principle) -> bool:
    """Tell whether two principles are weighed against each other on one prompt, as far as the file tells."""
    together = not one.applies_when or not other.applies_when or one.applies_when == other.applies_when
    return together and one.id not in other.yields_to and other.id not in one.yields_to


def _alike_at_sight(one: Principle, other: Principle) -> bool:
    """Tell whether another rule speaks of this pair: the texts are equal, or opposite."""
    (topic, side), (other_topic, other_side) = stance(one.text), stance(other.text)
    return plain(one.text) == plain(other.text) or (topic == other_topic and side != other_side)


def _named(subject: Subject, other: Principle) -> str:
    place = subject.place(other, "text")
    return f'"{other.id}" ({place.document.path.name if place.document.path else ""}:{place.line})'


_KEEP_ONE: Final = "keep one of the two, or say what sets them apart"
_DECIDE: Final = "decide which goes first with `yields_to`, or part their prompts with `applies_when`"
RULES: Final = (
    Rule(SAME, "duplicate", Severity.ERROR, "Two principles have the same text.", "keep one of the two", _same),
    Rule(NEAR, "near-duplicate", Severity.WARNING, "Two texts share most of their words.", _KEEP_ONE, _near),
    Rule(
        ALIKE, "near-duplicate-by-meaning", Severity.WARNING, "A model puts two texts in nearly the same place.",
        _KEEP_ONE, _alike, EMBEDDINGS,
    ),
    Rule(
        OPPOSED, "opposites", Severity.ERROR, "Two texts differ only in opposite words, and nothing says which goes first.",
        _DECIDE, _opposed,
    ),
    Rule(
        CONTRADICTED, "contradiction", Severity.ERROR, "A judge sees no response that follows both principles.",
        _DECIDE, _contradicted, JUDGE,
    ),
)  # fmt: skip
