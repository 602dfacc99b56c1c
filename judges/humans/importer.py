"""Reads a file of human labels, strictly: one that cannot be read is an error, so that no work vanishes.

Knows the rows' formats (`FORMATS`) and nothing of where labels are kept. What is a fact of the data and no
mistake (an empty or identical response, a label that stands twice) is counted and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from judges.humans.labels import COLUMNS, OWN, REQUIRED, parse_label
from tenet.errors import InvalidInput, Problem, UsageError
from tenet.ids import Json
from tenet.reading.clean import NOTHING, Cleaning
from tenet.reading.rows import RawRow, Rows, open_rows
from tenet.reading.turns import kind_of
from tenet.records import Label
from tenet.yamlfile import suggest

AUTO: Final = "auto"
_SHOWN: Final = 20


@dataclass(frozen=True)
class Mapped:
    """How a file's columns become ours: `names` maps ours to theirs, `ignored` are theirs unwanted."""

    names: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()

    def row(self, row: Mapping[str, object]) -> dict[str, object]:
        """Return the row under our names."""
        theirs = {column: name for name, column in self.names.items()}
        return {theirs.get(name, name): value for name, value in row.items() if name not in self.ignored}


@dataclass(frozen=True)
class LabelCounts:
    """What became of the rows.

    `repeated` labels are of a pair that the same person had labelled already; they are kept.
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

    def lines(self) -> list[str]:
        """The counts in words."""
        given = ", ".join(f"{count:,} {name}" for name, count in sorted(self.preferences.items()))
        told = [
            f"{self.rows:,} rows read, {self.labels:,} labels ({given}) of {self.annotators:,} people "
            f"on {self.prompts:,} prompts"
        ]
        counts = (
            (self.duplicates, "labels that stand twice, left out"),
            (self.identical, "pairs of identical responses, left out"),
            (self.empty, "pairs with an empty response, left out"),
            (self.repeated, "labels of a pair that the same person had labelled before, kept"),
        )
        return told + [f"{count:,} {what}" for count, what in counts if count]

    def as_json(self) -> dict[str, Json]:
        """The counts for `--json`."""
        return {
            "rows": self.rows,
            "labels": self.labels,
            "duplicates": self.duplicates,
            "empty": self.empty,
            "identical": self.identical,
            "repeated": self.repeated,
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
    """The labels of a file in its order, no two alike, and what became of its rows."""

    labels: tuple[Label, ...]
    counts: LabelCounts


def read_labels(
    path: Path,
    *,
    format: str = AUTO,  # noqa: A002
    names: Mapping[str, str] | None = None,
    ignored: Sequence[str] = (),
) -> LabelSet:
    """Read a file of labels (JSONL, JSON, CSV, TSV or Parquet).

    Raises:
        MissingInput: there is no such file.
        UsageError: the format or a mapped column is not known.
        InvalidInput: a column is missing or unknown, or a row is not a label; all problems together, with
            their lines.
    """
    known = "tenet" if format == AUTO else format
    if known not in FORMATS:
        raise UsageError(f'no label format "{format}"', hint=f"the formats are {', '.join((AUTO, *FORMATS))}")
    return FORMATS[known](open_rows(path), Mapped(names or {}, frozenset(ignored)))


def read_tenet(rows: Rows, mapped: Mapped) -> LabelSet:
    """Read rows with the columns of Tenet's label record, or columns mapped to them."""
    _check_names(rows, mapped)
    found = _Import(rows, mapped)
    for row in rows:
        found.add(row)
    return found.result()


FORMATS: Final[Mapping[str, Callable[[Rows, Mapped], LabelSet]]] = {"tenet": read_tenet}


class _Import:
    """Gathers labels and problems while rows go by."""

    def __init__(self, rows: Rows, mapped: Mapped) -> None:
        self.rows = rows
        self.mapped = mapped
        self.labels: dict[str, Label] = {}
        self.problems: list[Problem] = []
        self.count = 0
        self.left_out: Counter[str] = Counter()
        self.cleaning = NOTHING
        self._unknown: set[str] = set(rows.columns or ())
        self._pairs: set[tuple[object, ...]] = set()

    def add(self, row: RawRow) -> None:
        self.count += 1
        if row.problem or not isinstance(row.value, Mapping):
            problem = row.problem or f"expected a row with columns, found {kind_of(row.value)}"
            self.problems.append(self.rows.problem(row.place, problem))
            return
        told = self.mapped.row(row.value)
        self._note_unknown(told, row.place)
        parsed = parse_label(told, source=self._source(told, row.place), cells=self.rows.cells)
        self.cleaning += parsed.cleaning
        self.problems += [self.rows.problem(row.place, problem) for problem in parsed.problems]
        if parsed.label is not None:
            self._keep(parsed.label)

    def result(self) -> LabelSet:
        if self.problems:
            more = len(self.problems) - _SHOWN
            shown = [*self.problems[:_SHOWN], *([Problem(f"and {more:,} more")] if more > 0 else [])]
            raise InvalidInput(f"{self.rows.name} cannot be imported; nothing was written", shown)
        if not self.count:
            raise InvalidInput(f"no labels in {self.rows.name}", [Problem("the file is empty", self.rows.path)])
        labels = tuple(self.labels.values())
        counts = LabelCounts(
            rows=self.count,
            labels=len(labels),
            duplicates=self.left_out["duplicate"],
            empty=self.left_out["empty"],
            identical=self.left_out["identical"],
            repeated=self.left_out["repeated"],
            annotators=len({label.annotator for label in labels}),
            prompts=len({label.prompt for label in labels}),
            preferences=Counter(label.preference.value for label in labels),
            cleaning=self.cleaning,
        )
        return LabelSet(labels, counts)

    def _keep(self, label: Label) -> None:
        sides = frozenset((label.response_a, label.response_b))
        if not label.response_a.strip() or not label.response_b.strip():
            self.left_out["empty"] += 1
        elif len(sides) == 1:
            self.left_out["identical"] += 1
        elif label.id in self.labels:
            self.left_out["duplicate"] += 1
        else:
            pair = (label.annotator, label.principle, label.prompt, sides)
            self.left_out["repeated"] += pair in self._pairs
            self._pairs.add(pair)
            self.labels[label.id] = label

    def _note_unknown(self, told: Mapping[str, object], place: int) -> None:
        """Note columns that a row without a header brings, each once, at its first place."""
        for name in told:
            if name not in COLUMNS and name not in OWN and name not in self._unknown:
                self._unknown.add(name)
                self.problems.append(self.rows.problem(place, f'unknown column "{name}"', _unknown_hint(name)))

    def _source(self, told: Mapping[str, object], place: int) -> str:
        source = told.get("source")
        return source if isinstance(source, str) and source else self.rows.where(place)


def _check_names(rows: Rows, mapped: Mapped) -> None:
    """Check the mapping, and the header where the file has one.

    Raises:
        UsageError: the mapping names what is not there, or maps two of ours to one of theirs.
        InvalidInput: the header lacks a column, or has one that nobody asked for.
    """
    for name, column in mapped.names.items():
        if name not in COLUMNS:
            hint = suggest(name, COLUMNS) or f"Tenet's columns are {', '.join(COLUMNS)}"
            raise UsageError(f'--map {name}={column}: Tenet has no column "{name}"', hint=hint)
        if rows.columns is not None and column not in rows.columns:
            hint = suggest(column, rows.columns) or f"its columns are {', '.join(rows.columns)}"
            raise UsageError(f'--map {name}={column}: {rows.name} has no column "{column}"', hint=hint)
    if len(set(mapped.names.values())) < len(mapped.names):
        raise UsageError("--map gives one column of the file two meanings", hint="map each column once")
    if rows.columns is None:
        return
    there = list(mapped.row(dict.fromkeys(rows.columns)))
    place = 1 if rows.unit == "line" else None
    unknown = [name for name in there if name not in COLUMNS and name not in OWN]
    problems = [Problem(f'unknown column "{name}"', rows.path, place, hint=_unknown_hint(name)) for name in unknown]
    missing = [name for name in REQUIRED if name not in there]
    problems += [
        Problem(f'no column "{name}"', rows.path, place, hint=f"if it has another name: --map {name}=COLUMN")
        for name in missing
    ]
    if problems:
        raise InvalidInput(f"the columns of {rows.name} are not those of labels", problems)


def _unknown_hint(name: str) -> str:
    close = suggest(name, COLUMNS)
    ours = close.split('"')[1] if close else "NAME"
    return "; ".join(filter(None, (close, f"use it with --map {ours}={name}, or leave it out with --ignore {name}")))
