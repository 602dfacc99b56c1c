"""Reads responses that the user already has, with their prompts, so that no policy needs to be asked.

Knows no policy and no judge. Rows of one prompt may stand anywhere in the source and are brought together in a
spool, so that memory does not grow with the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generate.prompts import open_source
from generate.responses import response_columns, responses, text_of
from generate.spool import Spool
from tenet.errors import InvalidInput, Problem
from tenet.ids import Json, content_id
from tenet.reading.clean import clean
from tenet.reading.columns import Extracted
from tenet.reading.prompts import GivenIds, extracted
from tenet.reading.rows import Rows
from tenet.reading.tally import Fate, ReadCounts, Tally
from tenet.reading.turns import Unreadable, kind_of
from tenet.records import Finish, Prompt, Sample

if TYPE_CHECKING:
    from tenet.runconfig import SamplesConfig


@dataclass(frozen=True)
class SampleCounts:
    """What became of the rows (kept: those with a prompt and responses), and of the responses in them.

    `empty` responses are kept as samples and never judged; `unreadable` ones (a number, a table without text)
    are not.
    """

    rows: ReadCounts
    prompts: int
    responses: int
    empty: int
    unreadable: int

    def lines(self) -> list[str]:
        """The counts in words."""
        found = [f"{self.responses:,} responses to {self.prompts:,} prompts"]
        found += [f"{self.empty:,} empty responses, never judged"] if self.empty else []
        found += [f"{self.unreadable:,} responses that are not text, left out"] if self.unreadable else []
        return [*self.rows.lines(), *found]

    def as_json(self) -> dict[str, Json]:
        """The counts for a manifest or a card."""
        return {
            "rows": self.rows.as_json(),
            "prompts": self.prompts,
            "responses": self.responses,
            "empty": self.empty,
            "unreadable": self.unreadable,
        }


@dataclass(frozen=True)
class SampleSet:
    """A spool with the prompts in the order of their first rows and the responses to each in their order, and what became of the rows."""

    spool: Spool
    counts: SampleCounts


def read_samples(config: SamplesConfig) -> SampleSet:
    """Read the responses that a configuration names.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: as `samples_from`.
    """
    return samples_from(open_source(config.path))


def samples_from(rows: Rows, column: str | None = None) -> SampleSet:
    """Read responses out of rows; `column` names the column of the prompt where it has no usual name.

    Raises:
        InvalidInput: no column holds prompts or responses, more than 5 % of the rows cannot be read, nothing
            is left, or an id of the file names two different prompts; each with the first places.
    """
    reader = _Reader(rows)
    reader.read(column)
    return reader.result()


class _Reader:
    """Gathers samples by prompt while rows go by."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.tally = Tally(rows, noun="rows with a prompt and responses")
        self.spool = Spool()
        self.empty = 0
        self.unreadable = 0

    def read(self, column: str | None) -> None:
        ids = GivenIds(self.rows)
        columns: tuple[str, ...] | None = None
        for row, found, prompt in extracted(self.rows, column, self.tally):
            columns = columns or self._columns(row.value, found)
            ids.note(found.id, prompt.id, row.place)
            try:
                answers = responses(row.value, found, columns)
            except Unreadable as error:
                self.tally.add(Fate.UNREADABLE, row.place, str(error))
                continue
            self.tally.add(Fate.KEPT, row.place)
            self._keep(prompt, answers, row.place)
        ids.check()
        self.tally.check()

    def result(self) -> SampleSet:
        counts = SampleCounts(self.tally.counts(), len(self.spool), self.spool.responses, self.empty, self.unreadable)
        return SampleSet(self.spool, counts)

    def _columns(self, value: object, found: Extracted) -> tuple[str, ...]:
        columns = response_columns(value, found)
        if not columns:
            names = ", ".join(str(key) for key in value) if isinstance(value, Mapping) else kind_of(value)
            hint = "expected `responses`, `response`, `chosen` and `rejected`, or `response_a` and `response_b`"
            problem = Problem(f"the columns are {names}", self.rows.path, hint=hint)
            raise InvalidInput(f"no column of {self.rows.name} holds responses", [problem])
        self.tally.columns += "; responses: " + ", ".join(f"`{column}`" for column in columns)
        return columns

    def _keep(self, prompt: Prompt, answers: Sequence[tuple[object, str]], place: int) -> None:
        self.spool.add(prompt)
        for value, policy in answers:
            text, named = text_of(value)
            if text is None:
                self.unreadable += 1
                continue
            text, done = clean(text)
            if done:
                self.tally.cleaned(done, place)
            self.empty += not text.strip()
            self.spool.give(_sample(prompt.id, text, named or policy, self.spool))


def _sample(prompt_id: str, text: str, policy: str, before: Spool) -> Sample:
    """A sample whose id depends on its text and not on its place; equal ones of a policy are counted up."""
    index, same = before.alike(prompt_id, policy, text)
    name = content_id("given", prompt_id, policy, text, same)
    return Sample(name, prompt_id, index, text, policy, Finish.GIVEN)
