"""What every format of opinions is read into, and what a format is: one file, one line of the registry.

An opinion has an annotator, a person or a model, and is about a `Comparison` (a prompt and two responses) or about one
response alone (`Rated`). A judge's file that holds no texts gives `Keyed` opinions, which find their comparison in another
file of the same set. A format says how rows become these; reading files, counting what was skipped, ids and places are
`judges.formats.registry`'s. Knows no run folder and no column of any format.

To add a format: a module with a `FORMAT`, a line in the registry, and a test with one row of each trap. A format that reads
row by row gives `by_row(parse)`, or `each_of(parse)` where a row holds several items; one whose items span rows writes its own `read`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from tenet.reading.clean import NOTHING, Cleaning, clean, clean_turns
from tenet.reading.rows import Rows
from tenet.reading.turns import Unreadable, kind_of
from tenet.records import Choice, Label, Message, Outcome


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one annotator said of a comparison.

    `choice` is told of the comparison's own a and b, whatever was shown first; None where there is no opinion, and then
    `outcome` says why (UNPARSED, REFUSED, ERROR or LOW_MASS). `p_a` is P(a is better) where the annotator gave one. `shown_first` is a or
    b, None where the order is not known. The rest as in `tenet.records.Label`.

    Raises:
        Unreadable: `p_a` is no probability, NaN for one; the row is then skipped like any other that cannot be read.
    """

    annotator: str
    choice: Choice | None
    person: bool = True
    outcome: Outcome | None = None
    p_a: float | None = None
    shown_first: Choice | None = None
    strength: float | None = None
    principle: str | None = None
    time: str | None = None
    inclusion_probability: float = 1.0
    reason: str = ""
    ranking: str | None = None

    def __post_init__(self) -> None:
        if (self.choice is None) != (self.outcome is not None):
            raise ValueError("an opinion has a choice, or an outcome that says why there is none")
        if self.outcome is not None and self.outcome.is_opinion:
            raise ValueError(f"{self.outcome} says who won: give it as a choice")
        if self.p_a is not None and not 0.0 <= self.p_a <= 1.0:
            raise Unreadable(f"a probability is {self.p_a:g}; expected 0 to 1")


@dataclass(frozen=True, slots=True)
class Response:
    """A response and the model that wrote it, where the file says so."""

    text: str
    policy: str = "given"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A prompt, two responses, and what was said of them. `key` is the file's own name for the row, for `Keyed` opinions to find it."""

    prompt: tuple[Message, ...]
    a: Response
    b: Response
    opinions: tuple[Opinion, ...]
    key: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keyed:
    """Opinions about a comparison that another file of the same set holds, under the same `key`."""

    key: str
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """What one annotator said of one response under one principle: `value` between `low` and `high`; a yes or no is 1 or 0."""

    annotator: str
    principle: str
    value: float
    low: float = 0.0
    high: float = 1.0
    person: bool = True


@dataclass(frozen=True, slots=True)
class Rated:
    """A prompt, one response, and what was said of it alone."""

    prompt: tuple[Message, ...]
    response: Response
    scores: tuple[Score, ...]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A person took the label with this id back. The label stays in the file and counts no longer, wherever it stands."""

    label_id: str


Item = Comparison | Keyed | Rated | Label | Withdrawn
"""What a row holds. A `Label` is for formats that bring all of its fields."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that gives no item, and why; the reason quotes no text of the row. `hint` is the cure, where there is one.

    `fact`: nothing is wrong with the row, but it holds no comparison that can be used; it is counted and is no error in strict reading
    either. `columns` are the row's, `several_turns` says that its conversation has more than one turn of a user.
    """

    reason: str
    hint: str = ""
    fact: bool = False
    several_turns: bool = False
    columns: frozenset[str] = frozenset()


class LeftOut(Exception):
    """Raised by a parser for a row that is right and holds nothing to use; `str(error)` says why."""

    def __init__(self, reason: str, *, several_turns: bool = False) -> None:
        super().__init__(reason)
        self.several_turns = several_turns


@dataclass(frozen=True)
class Columns:
    """How a file's columns become Tenet's, or the named format's: `names` maps ours to theirs, `ignored` are theirs unwanted.

    `choices` are the file's words for a choice, in lower case; `annotator` is whose labels they are where no column says so.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    choices: Mapping[str, Choice] = field(default_factory=dict)
    annotator: str = ""

    @property
    def given(self) -> bool:
        """Whether columns are told apart by hand."""
        return bool(self.names or self.ignored)

    def row(self, row: Mapping[str, object]) -> dict[str, object]:
        """Return the row under our names."""
        if not self.given:
            return dict(row)
        theirs = {column: name for name, column in self.names.items()}
        return {theirs.get(name, name): value for name, value in row.items() if name not in self.ignored}


@dataclass
class Source:
    """A file being read, the name that its judge was given on the command line ("" for none), and the mapping of its columns.

    `cleaning` adds up what readers cleaned, as far as they tell. `joined` are the rows that give no item of their own, being part of
    another row's.
    """

    rows: Rows
    path: Path
    judge: str = ""
    columns: Columns = field(default_factory=Columns)
    cleaning: Cleaning = NOTHING
    joined: set[int] = field(default_factory=set)

    def annotator(self, default: str) -> str:
        """Whose opinions these are where the file does not say."""
        return self.columns.annotator or default


Read = Callable[[Source], Iterator[tuple[int, Item | Skipped]]]
Row = Mapping[str, object]


@dataclass(frozen=True)
class Format:
    """One format. `recognises` is asked with the first row's columns, and `fits` with that row where columns alone do not tell; `read`
    gives what each place holds, or why it was skipped. `withdrawn` finds the ids of the labels that rows take back, before `read` is asked.

    `labels` says that the file holds opinions of people about comparisons, which `tenet labels import` takes. Whatever a format
    holds can go into a run (`tenet verdicts import`).
    """

    name: str
    summary: str
    recognises: Callable[[frozenset[str]], bool]
    read: Read
    labels: bool = False
    fits: Callable[[Row], bool] = lambda _: True
    withdrawn: Callable[[Source], frozenset[str]] = lambda _: frozenset()


def by_row(parse: Callable[[Row, Source], Item]) -> Read:
    """A reader that makes one item of each row; `parse` raises `Unreadable` for one that it cannot take, `LeftOut` for one without use."""
    return each_of(lambda row, source: (parse(row, source),))


def each_of(parse: Callable[[Row, Source], Iterable[Item | Skipped]]) -> Read:
    """A reader that makes some items of each row; a row of which one item cannot be read gives none."""

    def read(source: Source) -> Iterator[tuple[int, Item | Skipped]]:
        for place, row in rows_of(source):
            found = (row,) if isinstance(row, Skipped) else tried(partial(parse, row, source), row)
            for item in found:
                yield place, item

    return read


def rows_of(source: Source) -> Iterator[tuple[int, Row | Skipped]]:
    """The rows of a source that are tables, under our names; the others as what is wrong with them."""
    for raw in source.rows:
        if raw.problem or not isinstance(raw.value, Mapping):
            yield raw.place, Skipped(raw.problem or f"expected a row with columns, found {kind_of(raw.value)}")
        else:
            yield raw.place, source.columns.row(raw.value)


def tried(make: Callable[[], Iterable[Item | Skipped]], row: Row) -> tuple[Item | Skipped, ...]:
    """What is made of a row, or the one thing that says why nothing is."""
    try:
        return tuple(make())
    except Unreadable as error:
        return (Skipped(str(error), columns=frozenset(row)),)
    except LeftOut as error:
        return (Skipped(str(error), fact=True, several_turns=error.several_turns),)


_MISSING: Final = object()
_QUOTED: Final = 12
"""The longest value that an error message quotes: longer ones may be somebody's words."""


def value_of(row: Row, name: str) -> object:
    """What a column holds.

    Raises:
        Unreadable: the row has no such column.
    """
    value = row.get(name, _MISSING)
    if value is _MISSING:
        raise Unreadable(f"no `{name}`")
    return value


def text_of(row: Row, name: str) -> str:
    """The text of a column, cleaned.

    Raises:
        Unreadable: there is no such column, or it holds no text.
    """
    value = value_of(row, name)
    if not isinstance(value, str):
        raise Unreadable(f"{name}: is {kind_of(value)} and not text")
    return clean(value)[0]


def choice_of(row: Row, name: str, known: Mapping[object, Choice]) -> Choice:
    """What a column chooses, by the words or numbers that the format uses; a truth value is never one of them.

    Raises:
        Unreadable: it holds something else.
    """
    value = value_of(row, name)
    plain = isinstance(value, str | int) and not isinstance(value, bool)
    if not plain or value not in known:
        told = repr(value) if plain and len(str(value)) <= _QUOTED else "a text" if plain else kind_of(value)
        raise Unreadable(f"{name}: is {told}; expected one of {', '.join(str(one) for one in known)}")
    return known[value]


def number_of(row: Row, name: str) -> float:
    """The number that a column holds, as a number or as text.

    Raises:
        Unreadable: there is no such column, or it holds no number.
    """
    value = value_of(row, name)
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unreadable(f"{name}: is {'a text' if isinstance(value, str) else kind_of(value)}; expected a number")
    return number


def user_turn(text: str) -> tuple[Message, ...]:
    """A prompt of one user's turn.

    Raises:
        Unreadable: the text is empty.
    """
    turns, _ = clean_turns([Message("user", text)])
    if not turns[0].content.strip():
        raise Unreadable("the prompt is empty")
    return turns
