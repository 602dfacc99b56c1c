"""Turns rows into prompts: one pass, one at a time, everything left out counted.

Knows neither hub nor configuration.

Memory grows by the ids alone (about 100 bytes a prompt), which tell duplicates; whoever collects the prompts
pays for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tenet.errors import InvalidInput, Problem
from tenet.ids import digest
from tenet.reading.clean import clean_turns
from tenet.reading.columns import Extracted, PromptColumns, extract, find_columns
from tenet.reading.rows import RawRow, Rows
from tenet.reading.tally import Fate, Note, ReadCounts, Tally
from tenet.reading.turns import Empty, Unreadable
from tenet.records import Prompt

_SHOWN = 10


@dataclass(frozen=True)
class PromptSet:
    """Prompts in the order of their source, no two alike, and what became of every row."""

    prompts: tuple[Prompt, ...]
    counts: ReadCounts

    @property
    def digest(self) -> str:
        """SHA-256 over the ids in their order, 64 hex digits: what a fingerprint keeps of its input."""
        return digest([prompt.id for prompt in self.prompts])


class PromptStream:
    """Prompts one by one; iterate once, and read `counts` when done.

    Iterating raises InvalidInput where the columns are not there, where more rows are unreadable than a slip
    explains (`tally.MAX_BAD_SHARE`), where nothing is left, and where one id of the file names two different
    prompts.
    """

    def __init__(self, rows: Rows, *, column: str | None = None, limit: int | None = None) -> None:
        self._rows = rows
        self._column = column
        self._limit = limit
        self._tally = Tally(rows)
        self._ids = GivenIds(rows)
        self._seen: set[int] = set()

    @property
    def counts(self) -> ReadCounts:
        """What became of the rows read so far."""
        return self._tally.counts()

    def __iter__(self) -> Iterator[Prompt]:
        for row, found, prompt in extracted(self._rows, self._column, self._tally):
            self._ids.note(found.id, prompt.id, row.place)
            if (key := int(prompt.id[:16], 16)) in self._seen:
                self._tally.add(Fate.DUPLICATE, row.place)
                continue
            self._seen.add(key)
            self._tally.add(Fate.KEPT, row.place)
            yield prompt
            if self._tally.kept() == self._limit:
                self._tally.limited = True
                break
        self._ids.check()
        self._tally.check()


def collect(stream: PromptStream) -> PromptSet:
    """Read a stream to its end."""
    prompts = tuple(stream)
    return PromptSet(prompts, stream.counts)


def extracted(rows: Rows, column: str | None, tally: Tally) -> Iterator[tuple[RawRow, Extracted, Prompt]]:
    """The rows that hold a prompt, with the prompt cleaned; the others are counted with their reason.

    Raises:
        InvalidInput: the columns are not there.
    """
    columns: PromptColumns | None = None
    for row in rows:
        if row.problem:
            tally.add(Fate.MALFORMED, row.place, row.problem)
            continue
        if columns is None:
            columns = _columns(row, rows, column)
            tally.columns = str(columns)
        try:
            found = extract(row.value, columns, cells=rows.cells)
        except Unreadable as error:
            fate = Fate.EMPTY if isinstance(error, Empty) else Fate.UNREADABLE
            tally.add(fate, row.place, str(error))
            continue
        if (prompt := _prompt(found, row.place, rows, tally)) is not None:
            yield row, found, prompt


class GivenIds:
    """Remembers which prompt each id of the file names; one id for two prompts is reported as a mistake."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._prompts: dict[int, tuple[int, int]] = {}
        self._problems: list[Problem] = []

    def note(self, given: str | None, prompt_id: str, place: int) -> None:
        """Note an id of the file, if the row has one."""
        if given is None:
            return
        key = int(prompt_id[:16], 16)
        known, first = self._prompts.setdefault(hash(given), (key, place))
        if known != key and len(self._problems) < _SHOWN:
            message = f'the id "{given}" stands here for another prompt than at {self._rows.unit} {first}'
            self._problems.append(self._rows.problem(place, message))

    def check(self) -> None:
        """Stop where an id was used twice.

        Raises:
            InvalidInput: with the first places.
        """
        if self._problems:
            hint = "give every prompt its own id, or leave the column out"
            self._problems[-1] = replace(self._problems[-1], hint=hint)
            raise InvalidInput(f"ids of {self._rows.name} are used for several prompts", self._problems)


def _columns(row: RawRow, rows: Rows, column: str | None) -> PromptColumns:
    try:
        return find_columns(row.value, rows.columns, column)
    except InvalidInput as error:
        problems = [replace(problem, path=rows.path) for problem in error.problems]
        raise InvalidInput(f"cannot find the prompts in {rows.name}", problems) from error


def _prompt(found: Extracted, place: int, rows: Rows, tally: Tally) -> Prompt | None:
    turns, done = clean_turns(found.turns)
    if done:
        tally.cleaned(done, place)
    if not turns[-1].content.strip():
        tally.add(Fate.EMPTY, place)
        return None
    if found.odd:
        tally.add(Note.ODD, place)
    if found.cut:
        tally.add(Note.CUT, place)
    return Prompt.of(turns, tags=found.tags, source=rows.where(place))
