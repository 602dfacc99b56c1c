"""Reads a file of human labels, strictly: one that cannot be read is an error, so that no work vanishes.

Knows what labels are and nothing of where they are kept; the formats are in `judges.formats.registry`. What is a fact of the data
and no mistake (an empty or identical response, a label that stands twice) is counted and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from judges.formats.base import Columns, Comparison, Item, Withdrawn
from judges.formats.identity import Identities
from judges.formats.registry import AUTO, Reading, read_file
from judges.humans.labels import labels_of
from tenet.errors import InvalidInput, Problem
from tenet.ids import Json
from tenet.reading.clean import NOTHING, Cleaning
from tenet.records import Label


@dataclass(frozen=True)
class LabelCounts:
    """What became of the rows.

    `repeated` labels are of a pair that the same person had labelled already; they are kept. `withdrawn` ones were taken back.
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
    withdrawn: int = 0

    def lines(self) -> list[str]:
        """The counts in words."""
        given = ", ".join(f"{count:,} {name}" for name, count in sorted(self.preferences.items()))
        told = [
            f"{self.rows:,} rows read, {self.labels:,} labels ({given}) of {self.annotators:,} people "
            f"on {self.prompts:,} prompts"
        ]
        counts = (
            (self.skipped, "rows that cannot be read, left out"),
            (self.duplicates, "labels that stand twice, left out"),
            (self.identical, "labels of a pair of identical responses, left out"),
            (self.empty, "labels of a pair with an empty response, left out"),
            (self.repeated, "labels of a pair that the same person had labelled before, kept"),
            (self.withdrawn, "labels that were taken back, left out"),
        )
        return told + [f"{count:,} {what}" for count, what in counts if count]

    def as_json(self) -> dict[str, Json]:
        """The counts for `--json`."""
        return {
            "rows": self.rows,
            "labels": self.labels,
            "skipped": self.skipped,
            "duplicates": self.duplicates,
            "empty": self.empty,
            "identical": self.identical,
            "repeated": self.repeated,
            "withdrawn": self.withdrawn,
            "annotators": self.annotators,
            "prompts": self.prompts,
            "preferences": dict(self.preferences),
            "cleaned": {
                "nul": self.cleaning.nul,
                "surrogates": self.cleaning.surrogates,
                "marks": self.cleaning.marks,
            },
        }


@dataclass(frozen=True)
class LabelSet:
    """The labels of a file in its order, no two alike, what became of its rows, and the ids of labels that were taken back."""

    labels: tuple[Label, ...]
    counts: LabelCounts
    withdrawn: frozenset[str] = frozenset()


def read_labels(
    path: Path,
    *,
    format: str = AUTO,  # noqa: A002
    names: Mapping[str, str] | None = None,
    ignored: Sequence[str] = (),
    strict: bool = True,
    stored: bool = False,
) -> LabelSet:
    """Read a file of labels (JSONL, JSON, CSV, TSV or Parquet; gzip or not).

    `stored`: the file is a store of Tenet's own, of which nothing is left out.

    Raises:
        MissingInput: there is no such file.
        UsageError: the format or a mapped column is not known.
        InvalidInput: the file has no labels, a column is missing or unknown, or (strictly) a row is not a label; all problems
            together, with their lines.
    """
    reading = read_file(path, format=format, columns=Columns(names or {}, frozenset(ignored)), strict=strict)
    if not reading.format.labels:
        hint = f"import what {reading.format.name} holds with: tenet verdicts import {path} --to runs/NAME"
        raise InvalidInput(f"{path} holds no labels of comparisons", [Problem(reading.format.summary, path, hint=hint)])
    return gathered(reading, stored=stored)


def gathered(reading: Reading, *, stored: bool = False) -> LabelSet:
    """The labels of what was read, in its order, and the counts."""
    found, names, withdrawn = _Gathered(stored), Identities(), set[str]()
    for place, item in reading.items:
        if isinstance(item, Withdrawn):
            withdrawn.add(item.label_id)
        for label in _labels(item, reading, place, names):
            found.keep(label)
    labels = tuple(label for label in found.labels.values() if label.id not in withdrawn)
    counts = LabelCounts(
        rows=reading.total,
        labels=len(labels),
        duplicates=found.left_out["duplicate"],
        empty=found.left_out["empty"],
        identical=found.left_out["identical"],
        repeated=found.left_out["repeated"],
        annotators=len({label.annotator for label in labels}),
        prompts=len({label.prompt for label in labels}),
        preferences=Counter(label.preference.value for label in labels),
        cleaning=reading.cleaning,
        skipped=len(reading.skipped),
        withdrawn=len(found.labels) - len(labels),
    )
    return LabelSet(labels, counts, frozenset(withdrawn))


def _labels(item: Item, reading: Reading, place: int, names: Identities) -> Iterable[Label]:
    if isinstance(item, Label):
        return (item,)
    if not isinstance(item, Comparison):
        return ()
    return labels_of(item, source=reading.rows.where(place), response_ids=names.of_pair(item))


class _Gathered:
    """Keeps labels once each, and counts what is left out."""

    def __init__(self, stored: bool) -> None:
        self.labels: dict[str, Label] = {}
        self.left_out: Counter[str] = Counter()
        self._stored = stored
        self._pairs: set[tuple[object, ...]] = set()

    def keep(self, label: Label) -> None:
        sides = frozenset((label.response_a, label.response_b))
        if not self._stored and not (label.response_a.strip() and label.response_b.strip()):
            self.left_out["empty"] += 1
        elif not self._stored and len(sides) == 1:
            self.left_out["identical"] += 1
        elif label.id in self.labels:
            self.left_out["duplicate"] += 1
        else:
            ends = sides if label.response_a_id is None else frozenset((label.response_a_id, label.response_b_id))
            pair = (label.annotator, label.principle, label.prompt, ends)
            self.left_out["repeated"] += pair in self._pairs
            self._pairs.add(pair)
            self.labels[label.id] = label
