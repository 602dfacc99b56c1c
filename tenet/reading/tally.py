"""Counts what becomes of the rows of a source, with the first places, so that nothing is lost unseen.

Knows no format. A few bad rows are counted and reported; above `MAX_BAD_SHARE` the source is probably not
what it was taken for, and reading it is an error that names the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from tenet.errors import InvalidInput, Problem
from tenet.ids import Json
from tenet.reading.clean import NOTHING, Cleaning
from tenet.reading.rows import Rows

MAX_BAD_SHARE: Final = 0.05
_PLACES: Final = 5
_SHOWN: Final = 10
_CURE: Final = "mend these rows or take them out; few enough of them are left out and counted"


class Fate(StrEnum):
    """What becomes of a row. Each row has one fate; the first is the good one."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"


class Note(StrEnum):
    """What is worth knowing of a row whatever its fate."""

    CLEANED = "cleaned"
    CUT = "cut"
    ODD = "odd"


WORDS: Final[Mapping[Fate | Note, str]] = {
    Fate.DUPLICATE: "duplicates of an earlier row, left out",
    Fate.EMPTY: "empty prompts, left out",
    Fate.UNREADABLE: "rows without a readable prompt, left out",
    Fate.MALFORMED: "malformed rows, left out",
    Note.CLEANED: "rows cleaned of NULs, lone surrogates or byte order marks",
    Note.CUT: "conversations cut after the last user turn",
    Note.ODD: "pairs of transcripts that part before the last answer",
}


@dataclass(frozen=True)
class ReadCounts:
    """The rows of a source by fate: `rows` is the sum of `fates`.

    `first` has the first places, with reasons, of each kind. `limited` says that reading stopped at the
    limit, with rows perhaps unread. `columns` tells where the prompts were found; `noun` says what was kept.
    """

    source: str
    columns: str
    rows: int
    fates: Mapping[Fate, int]
    notes: Mapping[Note, int]
    cleaning: Cleaning = NOTHING
    limited: bool = False
    first: Mapping[Fate | Note, tuple[str, ...]] = field(default_factory=dict)
    noun: str = "prompts"

    @property
    def kept(self) -> int:
        """How many prompts came out."""
        return self.fates.get(Fate.KEPT, 0)

    def lines(self) -> list[str]:
        """The counts in words, one line a kind, what is zero left out."""
        head = f"{self.source}: {self.rows:,} rows read" + (", stopped at the limit" if self.limited else "")
        told: list[tuple[Fate | Note, int]] = [*self.fates.items(), *self.notes.items()]
        body = [f"{count:,} {WORDS.get(kind, self.noun)}{self._examples(kind)}" for kind, count in told if count]
        return [head, *([self.columns] if self.columns else []), *body]

    def as_json(self) -> dict[str, Json]:
        """The counts for a manifest or a card."""
        return {
            "source": self.source,
            "columns": self.columns,
            "rows": self.rows,
            "limited": self.limited,
            **{str(fate): self.fates.get(fate, 0) for fate in Fate},
            **{str(note): self.notes.get(note, 0) for note in Note},
            "nul": self.cleaning.nul,
            "surrogates": self.cleaning.surrogates,
            "byte_order_marks": self.cleaning.marks,
            "first": {str(kind): list(places) for kind, places in sorted(self.first.items())},
        }

    def _examples(self, kind: Fate | Note) -> str:
        places = self.first.get(kind, ())
        return f" (first: {'; '.join(places[:3])})" if places and kind is not Fate.KEPT else ""


class Tally:
    """Counts while a source is read; `counts` freezes what there is so far."""

    def __init__(self, rows: Rows, noun: str = "prompts") -> None:
        self.rows = rows
        self.noun = noun
        self.columns = ""
        self.limited = False
        self._counts: dict[Fate | Note, int] = {}
        self._first: dict[Fate | Note, list[tuple[int, str]]] = {}
        self._cleaning = NOTHING

    def add(self, kind: Fate | Note, place: int, reason: str = "") -> None:
        """Count one row."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if kind is not Fate.KEPT and len(places := self._first.setdefault(kind, [])) < _SHOWN:
            places.append((place, reason))

    def cleaned(self, done: Cleaning, place: int) -> None:
        """Count a row whose text was cleaned."""
        self.add(Note.CLEANED, place)
        self._cleaning += done

    def kept(self) -> int:
        """How many rows were kept so far."""
        return self._counts.get(Fate.KEPT, 0)

    def counts(self) -> ReadCounts:
        """The counts so far."""
        fates = {fate: self._counts.get(fate, 0) for fate in Fate}
        notes = {note: self._counts.get(note, 0) for note in Note}
        first = {kind: tuple(self._told(*place) for place in places[:_PLACES]) for kind, places in self._first.items()}
        total = sum(fates.values())
        return ReadCounts(
            self.rows.name, self.columns, total, fates, notes, self._cleaning, self.limited, first, self.noun
        )

    def check(self) -> None:
        """Stop where too much could not be read, or where nothing was kept.

        Raises:
            InvalidInput: with the first bad rows and their places.
        """
        bad = [
            (place, kind, reason)
            for kind in (Fate.MALFORMED, Fate.UNREADABLE)
            for place, reason in self._first.get(kind, ())
        ]
        problems = [self.rows.problem(place, f"{kind}: {reason}") for place, kind, reason in sorted(bad)[:_SHOWN]]
        count = self._counts.get(Fate.MALFORMED, 0) + self._counts.get(Fate.UNREADABLE, 0)
        total = self.counts().rows
        if count > MAX_BAD_SHARE * total:
            limit = f"more than {MAX_BAD_SHARE:.0%}"
            raise InvalidInput(
                f"{count:,} of {total:,} rows of {self.rows.name} cannot be read ({limit}); the first:",
                [*problems[:-1], replace(problems[-1], hint=_CURE)],
            )
        if not self.kept():
            told = "; ".join(self.counts().lines()[1:])
            hint = (
                "see that each row has text where it is looked for"
                if told
                else "put one row a line into it, or name another file"
            )
            problem = Problem(told or "the file is empty", self.rows.path, hint=hint)
            raise InvalidInput(f"no {self.noun} in {self.rows.name}", [problem])

    def _told(self, place: int, reason: str) -> str:
        return f"{self.rows.unit} {place}" + (f": {reason}" if reason else "")
