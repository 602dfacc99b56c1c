"""What became of the rows and labels of a file: counts with the places where they stand, and what looks wrong about the people.

Labels are told one by one and forgotten; what is kept of each is a few short digests, so that files of any size can be counted. Knows
no file and no format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tenet.ids import Json, content_id
from tenet.reading.clean import NOTHING, Cleaning
from tenet.records import Choice, Label, prompt_id

PLACES: Final = 5
FEWEST: Final = 20
"""Choices of one annotator from which it is told that all are on one side."""
ONE_SIDED: Final = 0.001
"""Chance below which a share of one side is told, over all annotators together (Bonferroni)."""
_SIDES: Final = (Choice.A, Choice.B)
_TOLD: Final = (
    ("duplicates", "labels that stand twice, left out"),
    ("identical", "labels of a pair of identical responses, left out"),
    ("empty", "labels of a pair with an empty response, left out"),
    ("withdrawn", "labels that were taken back, left out"),
    ("repeated", "labels of a pair that the same person had labelled before, kept"),
    ("contradictions", "of these name the other response than the same person's first label of the pair"),
    ("unknown", "labels of pairs that the run does not hold, kept"),
    ("models", "opinions of models, left out (--models takes them as labels)"),
)


@dataclass(frozen=True)
class OneSided:
    """An annotator whose choices are nearly all on one side: `share` of `count`. `side` is first or second where the order of showing is
    known, else a or b.
    """

    annotator: str
    side: str
    share: float
    count: int

    def __str__(self) -> str:
        shown = f"the response shown {self.side}" if self.side in ("first", "second") else f"response {self.side}"
        return f"{self.annotator} chose {shown} in {self.share:.0%} of {self.count:,} choices"


@dataclass(frozen=True)
class LabelCounts:
    """What became of the rows.

    `repeated` labels are of a pair that the same person had labelled already; they are kept. `contradictions` are those of them
    that name the other response. `withdrawn` labels were taken back by their person.
    `unknown` labels are of pairs that the run does not hold, `models` opinions that are no person's.
    `places` are the first places of each kind; `left_out` are rows that are right and hold nothing to use, by reason, with all
    their places.
    """

    rows: int = 0
    labels: int = 0
    duplicates: int = 0
    empty: int = 0
    identical: int = 0
    repeated: int = 0
    annotators: int = 0
    prompts: int = 0
    preferences: Mapping[str, int] = field(default_factory=dict)
    cleaning: Cleaning = NOTHING
    skipped: int = 0
    contradictions: int = 0
    unknown: int = 0
    models: int = 0
    several_turns: int = 0
    left_out: Mapping[str, Sequence[int]] = field(default_factory=dict)
    first_skipped: Sequence[str] = ()
    places: Mapping[str, Sequence[int]] = field(default_factory=dict)
    one_sided: Sequence[OneSided] = ()
    unit: str = "line"
    withdrawn: int = 0

    def lines(self) -> list[str]:
        """The counts in words, with places."""
        given = ", ".join(f"{count:,} {name}" for name, count in sorted(self.preferences.items()))
        noun = "person" if self.annotators == 1 else "people"
        told = [
            f"{self.rows:,} rows read, {self.labels:,} labels ({given}) of {self.annotators:,} {noun} "
            f"on {self.prompts:,} prompts"
        ]
        if self.several_turns:
            told.append(f"{self.several_turns:,} rows of a conversation with several turns")
        if self.skipped:
            told.append(f"{self.skipped:,} rows that cannot be read, left out; the first:")
            told += [f"  {one}" for one in self.first_skipped]
        told += [
            f"{len(places):,} left out: {reason} ({self._where(len(places), places)})"
            for reason, places in self.left_out.items()
        ]
        for name, what in _TOLD:
            count = getattr(self, name)
            if count:
                where = self._where(count, self.places.get(name, ()))
                told.append(f"{count:,} {what}{f' ({where})' if where else ''}")
        return told + [f"Warning: {one}" for one in self.one_sided]

    def _where(self, count: int, places: Sequence[int]) -> str:
        if not places:
            return ""
        shown = ", ".join(str(place) for place in places[:PLACES])
        return f"{self.unit}{'s' if count > 1 else ''} {shown}{', ...' if count > len(places[:PLACES]) else ''}"

    def as_json(self) -> dict[str, Json]:
        """The counts for `--json`."""
        return {
            "rows": self.rows,
            "labels": self.labels,
            "skipped": self.skipped,
            "first_skipped": list(self.first_skipped),
            "duplicates": self.duplicates,
            "empty": self.empty,
            "identical": self.identical,
            "withdrawn": self.withdrawn,
            "repeated": self.repeated,
            "contradictions": self.contradictions,
            "unknown": self.unknown,
            "models": self.models,
            "several_turns": self.several_turns,
            "left_out": {reason: {"count": len(places), "places": list(places[:100])} for reason, places in self.left_out.items()},
            "places": {name: list(places) for name, places in self.places.items()},
            "one_sided": [
                {"annotator": one.annotator, "side": one.side, "share": one.share, "count": one.count}
                for one in self.one_sided
            ],
            "annotators": self.annotators,
            "prompts": self.prompts,
            "preferences": dict(self.preferences),
            "cleaned": {
                "nul": self.cleaning.nul,
                "surrogates": self.cleaning.surrogates,
                "marks": self.cleaning.marks,
            },
        }  # fmt: skip


class Gathered:
    """Says of each label whether it is kept, and counts; of a store (`stored`), whose labels were counted when they came, only how many.

    `withdrawn` are the ids of labels that were taken back.
    """

    def __init__(self, *, stored: bool = False, withdrawn: Container[str] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self.places: dict[str, list[int]] = {}
        self.preferences: Counter[str] = Counter()
        self.annotators: set[str] = set()
        self.prompts: set[bytes] = set()
        self._sides: dict[tuple[str, str], list[int]] = {}
        self._stored, self._withdrawn = stored, withdrawn
        self._ids: set[bytes] = set()
        self._pairs: dict[bytes, Choice] = {}

    def note(self, what: str, place: int, count: int = 1) -> None:
        """Count something, and its place while it is one of the first."""
        self.counts[what] += count
        if len(held := self.places.setdefault(what, [])) < PLACES:
            held.append(place)

    def keep(self, label: Label, place: int) -> bool:
        """Count a label; False where it is left out."""
        if not self._stored and not (label.response_a.strip() and label.response_b.strip()):
            self.note("empty", place)
        elif not self._stored and label.response_a == label.response_b:
            self.note("identical", place)
        elif (name := bytes.fromhex(label.id)) in self._ids:
            self.note("duplicates", place)
        else:
            self._ids.add(name)
            if label.id in self._withdrawn:
                self.note("withdrawn", place)
                return False
            if self._stored:
                self.preferences[label.preference.value] += 1
            else:
                self._kept(label, place)
            return True
        return False

    def _kept(self, label: Label, place: int) -> None:
        prompt = prompt_id(label.prompt)
        self.annotators.add(label.annotator)
        self.prompts.add(bytes.fromhex(prompt))
        self.preferences[label.preference.value] += 1
        a, b = label.response_a_id or label.response_a, label.response_b_id or label.response_b
        low, high = sorted((a, b))
        pair = bytes.fromhex(content_id("labelled", label.annotator, label.principle, prompt, low, high))
        named = Choice.A if (label.preference is Choice.A) == (a == low) else Choice.B
        said = named if label.preference in _SIDES else label.preference
        if pair in self._pairs:
            self.note("repeated", place)
            if {said, self._pairs[pair]} == set(_SIDES):
                self.note("contradictions", place)
        else:
            self._pairs[pair] = said
        if label.preference in _SIDES:
            known = label.shown_first is not None
            held = self._sides.setdefault((label.annotator, "first" if known else "a"), [0, 0])
            held[label.preference is not (label.shown_first if known else Choice.A)] += 1

    def one_sided(self) -> tuple[OneSided, ...]:
        """Annotators whose choices fall on one side more often than chance and pairs in drawn order explain, and nearly always."""
        from scipy.stats import binomtest

        found = []
        for (annotator, side), counts in sorted(self._sides.items()):
            total, most = sum(counts), max(counts)
            if total < FEWEST or most < 0.9 * total:
                continue
            if binomtest(most, total).pvalue * len(self._sides) < ONE_SIDED:
                other = "second" if side == "first" else "b"
                found.append(OneSided(annotator, side if counts[0] == most else other, most / total, total))
        return tuple(found)
