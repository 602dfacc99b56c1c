"""What differs between two principles files: which principles were added, removed, reworded, reweighted or otherwise changed.

A principle keeps its identity by its id. One whose id is only in the first file is taken for renamed where the second has a new one
with like words: `difflib`'s ratio over words (Ratcliff and Metzener 1988) is at least `ALIKE`, the most alike first. Knows no judge
and no run: what an edit does to verdicts is measured elsewhere; here is said only which edits can do anything at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from constitution.model import Constitution, Principle, Status

ALIKE: Final = 0.6
MOST_COMPARED: Final = 250_000
"""Most pairs of principles without a partner that are compared for likeness; beyond that equal texts alone make a partner."""

KINDS: Final = {
    "id": "renamed",
    "text": "reworded",
    "compare": "questions changed",
    "critique": "questions changed",
    "revise": "questions changed",
    "weight": "reweighted",
    "tier": "tier changed",
    "applies_when": "conditions changed",
    "yields_to": "precedence changed",
    "status": "status changed",
    "examples": "examples changed",
    "counterexamples": "examples changed",
    "tests": "tests changed",
    "source": "source changed",
}
"""The fields of a principle, in the order of telling, with what a change of each is called."""
_ASKED: Final = frozenset({"id", "text", "compare", "weight", "tier", "applies_when", "yields_to", "status"})


@dataclass(frozen=True)
class Change:
    """One principle that differs: `before` is None where it was added, `after` where it was removed; else `fields` differ."""

    before: Principle | None
    after: Principle | None
    fields: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What the change is called by: the id in the second file, or in the first where it is gone."""
        found = self.after or self.before
        return found.id if found else ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """In words, what was done: `added`, `removed`, or one word or more such as `reworded`."""
        if self.before is None:
            return ("added",)
        if self.after is None:
            return ("removed",)
        return tuple(dict.fromkeys(KINDS[field] for field in self.fields))

    @property
    def principles(self) -> tuple[Principle, ...]:
        """The principle before and after, as far as there is one."""
        return tuple(one for one in (self.before, self.after) if one is not None)

    @property
    def decides(self) -> bool:
        """Whether the change can change a comparison: judges ask it before or after, and more than notes on it differ."""
        asked = any(one.status is Status.ACTIVE for one in self.principles)
        return asked and (self.before is None or self.after is None or bool(_ASKED.intersection(self.fields)))

    def touches(self, *ids: str) -> bool:
        """Whether one of these ids is the principle's, before or after."""
        return any(one.id in ids for one in self.principles)

    def flipped(self) -> Change:
        """The edit taken back."""
        return Change(self.after, self.before, self.fields)


@dataclass(frozen=True)
class Difference:
    """Two principles files held against each other. `reordered` says that principles of both come in another order."""

    first: Constitution
    second: Constitution
    changes: tuple[Change, ...]
    reordered: bool = False

    @property
    def identical(self) -> bool:
        """Whether the files hold the same principles in the same order."""
        return not self.changes and not self.reordered

    @property
    def changes_labels(self) -> bool:
        """Whether a run judged by the first would be another one by the second."""
        return self.first.digest != self.second.digest

    @property
    def deciding(self) -> tuple[Change, ...]:
        """The changes that can change a comparison."""
        return tuple(change for change in self.changes if change.decides)


def compare(first: Constitution, second: Constitution) -> Difference:
    """Hold two files against each other: changed and removed principles in the first one's order, then what was added."""
    pairs = dict(_partners(first.principles, second.principles))
    taken = {one.id for one in pairs.values()}
    changes: list[Change] = []
    for before in first.principles:
        after = pairs.get(before.id)
        fields = () if after is None else tuple(name for name in KINDS if _value(before, name) != _value(after, name))
        if after is None or fields:
            changes.append(Change(before, after, fields))
    changes += [Change(None, after) for after in second.principles if after.id not in taken]
    places = {one.id: place for place, one in enumerate(second.principles)}
    order = [places[pairs[one.id].id] for one in first.principles if one.id in pairs]
    return Difference(first, second, tuple(changes), order != sorted(order))


def applied(constitution: Constitution, change: Change) -> Constitution:
    """The constitution with one change made: replaced in its place, put at the end, or taken out."""
    old, new = change.before, change.after
    principles = [
        new if old is not None and new is not None and one.id == old.id else one
        for one in constitution.principles
        if new is not None or old is None or one.id != old.id
    ]
    if old is None and new is not None:
        principles.append(new)
    return replace(constitution, principles=tuple(principles))


def _value(principle: Principle, name: str) -> object:
    """A field as far as it counts: the order of references is no difference, nor is white space at a line's end."""
    value = getattr(principle, name)
    if name == "yields_to":
        return sorted(value)
    return " ".join(value.split()) if isinstance(value, str) else value


def _partners(first: Sequence[Principle], second: Sequence[Principle]) -> Iterator[tuple[str, Principle]]:
    """The principles of the first file, by id, that are in the second too, each with what it is there."""
    known = {one.id: one for one in second}
    ids = {one.id for one in first}
    yield from ((one.id, known[one.id]) for one in first if one.id in known)
    left = [one for one in first if one.id not in known]
    new = [one for one in second if one.id not in ids]
    likeness = sorted(_alike(left, new), key=lambda found: (-found[0], found[1].id, found[2].id))
    gone: set[str] = set()
    for _, before, after in likeness:
        if before.id not in gone and after.id not in gone:
            gone |= {before.id, after.id}
            yield before.id, after


def _alike(left: Sequence[Principle], new: Sequence[Principle]) -> Iterator[tuple[float, Principle, Principle]]:
    """Pairs that are alike enough to be one principle renamed, with how alike they are."""
    if len(left) * len(new) > MOST_COMPARED:
        texts = {one.text: one for one in new}
        yield from ((1.0, one, texts[one.text]) for one in left if one.text in texts)
        return
    words = {one.id: one.text.lower().split() for one in (*left, *new)}
    for after in new:
        matcher = SequenceMatcher(b=words[after.id], autojunk=False)
        for before in left:
            matcher.set_seq1(words[before.id])
            if matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE:
                yield matcher.ratio(), before, after
