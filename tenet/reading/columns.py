"""Finds the columns of a row that make a prompt, and reads a prompt out of them.

Knows no file and no response.

Without a name given, the first of a short list of usual names is taken; what was taken is said in words, so
that a wrong guess is seen before anything is spent on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tenet.errors import InvalidInput, Problem
from tenet.reading.transcript import is_transcript, split_pair
from tenet.reading.turns import Empty, Unreadable, kind_of, prompt_of, turns_of
from tenet.records import Message
from tenet.yamlfile import suggest

PROMPT: Final = (
    "prompt",
    "messages",
    "conversations",
    "conversation",
    "question",
    "query",
    "text",
    "context",
)
SYSTEM: Final = ("system", "system_prompt")
TAGS: Final = ("tags", "tag")
IDS: Final = ("prompt_id", "id")


class Shape(StrEnum):
    """How a row holds its prompt."""

    VALUE = "value"
    COLUMN = "column"
    INSTRUCTION = "instruction"
    PAIR = "pair"


@dataclass(frozen=True, slots=True)
class PromptColumns:
    """Which columns make a prompt; None where a row has no such column."""

    shape: Shape
    prompt: str | None = None
    system: str | None = None
    tags: str | None = None
    id: str | None = None

    def __str__(self) -> str:
        what = {
            Shape.VALUE: "prompts are the rows as they stand",
            Shape.COLUMN: f"prompts are read from the column `{self.prompt}`",
            Shape.INSTRUCTION: "prompts are read from the columns `instruction` and `input`",
            Shape.PAIR: "prompts are what `chosen` and `rejected` share",
        }[self.shape]
        extras = [("system messages", self.system), ("tags", self.tags), ("ids", self.id)]
        return "; ".join([what, *(f"{name} from `{column}`" for name, column in extras if column)])


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a row holds: the prompt's turns, its tags, the id that the file gives it.

    `answers` are the two endings of a pair of transcripts; `odd` says that they hold turns of their own.
    `cut` says that answers after the last user turn were left out.
    """

    turns: tuple[Message, ...]
    tags: tuple[str, ...] = ()
    id: str | None = None
    answers: tuple[str, ...] = ()
    odd: bool = False
    cut: bool = False


def find_columns(value: object, header: Sequence[str] | None, wanted: str | None) -> PromptColumns:
    """Choose the columns by the header, or by the first row where there is none.

    Raises:
        InvalidInput: the wanted column is not there, or none of the usual ones is.
    """
    if header is None and not isinstance(value, Mapping):
        if wanted:
            raise _no_column(f"no column `{wanted}`: the rows are {kind_of(value)} each", "leave `column:` out")
        return PromptColumns(Shape.VALUE)
    names = (
        tuple(header) if header is not None else tuple(str(key) for key in value) if isinstance(value, Mapping) else ()
    )
    extras = {"system": _first(SYSTEM, names), "tags": _first(TAGS, names), "id": _first(IDS, names)}
    if wanted:
        if wanted not in names:
            raise _no_column(f"no column `{wanted}`", _there(names, suggest(wanted, names)))
        return PromptColumns(Shape.COLUMN, wanted, **extras)
    if found := _first(PROMPT, names):
        return PromptColumns(Shape.COLUMN, found, **extras)
    if "instruction" in names:
        return PromptColumns(Shape.INSTRUCTION, **extras)
    if "input" in names:
        return PromptColumns(Shape.COLUMN, "input", **extras)
    if "chosen" in names and "rejected" in names:
        return PromptColumns(Shape.PAIR, **extras)
    raise _no_column("no column that usually holds a prompt", _there(names, "name it with `column:`"))


def extract(value: object, columns: PromptColumns, *, cells: bool = False) -> Extracted:
    """Read a prompt out of one row.

    Raises:
        Unreadable: the row does not hold what the columns promise.
    """
    if columns.shape is Shape.VALUE:
        turns, cut = prompt_of(turns_of(value))
        return Extracted(turns, cut=cut)
    if not isinstance(value, Mapping):
        raise Unreadable(f"expected a row with columns, found {kind_of(value)}")
    if columns.shape is Shape.PAIR:
        found = _pair(value, cells)
    elif columns.shape is Shape.INSTRUCTION:
        found = Extracted((Message("user", _instruction(value)),))
    else:
        turns, cut = prompt_of(turns_of(cell(value, columns.prompt or ""), cell=cells))
        found = Extracted(turns, cut=cut)
    turns = _with_system(found.turns, value.get(columns.system) if columns.system else None)
    given = value.get(columns.id) if columns.id else None
    tags = _tags(value.get(columns.tags) if columns.tags else None)
    return Extracted(turns, tags, None if given in (None, "") else str(given), found.answers, found.odd, found.cut)


def cell(row: Mapping[str, object], column: str) -> object:
    """The value of a column.

    Raises:
        Unreadable: the row has no such column, or nothing stands in it.
    """
    if column not in row:
        raise Unreadable(f"no column `{column}` in this row")
    if row[column] is None:
        raise Empty(f"nothing in column `{column}`")
    return row[column]


def _pair(row: Mapping[str, object], cells: bool) -> Extracted:
    chosen, rejected = cell(row, "chosen"), cell(row, "rejected")
    if isinstance(chosen, str) and isinstance(rejected, str) and is_transcript(chosen) and is_transcript(rejected):
        try:
            split = split_pair(chosen, rejected)
        except ValueError as error:
            raise Unreadable(str(error)) from error
        turns, cut = prompt_of(split.prompt)
        return Extracted(turns, answers=(split.chosen, split.rejected), odd=split.odd, cut=cut)
    one, other = turns_of(chosen, cell=cells), turns_of(rejected, cell=cells)
    if len(one) < 2 or one[:-1] != other[:-1]:
        raise Unreadable("`chosen` and `rejected` share no turns, and there is no column with the prompt")
    turns, cut = prompt_of(one[:-1])
    return Extracted(turns, answers=(one[-1].content, other[-1].content), cut=cut)


def _instruction(row: Mapping[str, object]) -> str:
    """An instruction with its input below, as Alpaca-like files part a prompt."""
    parts = [cell(row, "instruction"), row.get("input") or ""]
    if not all(isinstance(part, str) for part in parts):
        raise Unreadable("`instruction` or `input` is not text")
    return "\n\n".join(str(part) for part in parts if part)


def _with_system(turns: tuple[Message, ...], system: object) -> tuple[Message, ...]:
    if not isinstance(system, str) or not system.strip() or turns[0].role == "system":
        return turns
    return (Message("system", system), *turns)


def _tags(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, Sequence) else ()
    return tuple(dict.fromkeys(str(item).strip() for item in items if str(item).strip()))


def _first(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _there(names: Sequence[str], advice: str) -> str:
    return "; ".join(part for part in (f"the columns are {', '.join(names) or 'none'}", advice) if part)


def _no_column(message: str, hint: str) -> InvalidInput:
    return InvalidInput("cannot find the prompts", [Problem(message, hint=hint)])
