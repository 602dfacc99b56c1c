"""Responses to compare with, by prompt: read from a file of prompts with one response each. Knows no judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tenet.errors import InvalidInput, Problem
from tenet.reading.prompts import extracted
from tenet.reading.rows import open_rows
from tenet.reading.tally import Fate, Tally
from tenet.reading.turns import Unreadable, turns_of
from tenet.records import Prompt

COLUMNS: Final = ("reference", "response", "completion", "output", "answer", "chosen")
_SHOWN: Final = 5

Key = tuple[tuple[str, str], ...]


class References:
    """A response to each of some prompts; prompts are equal whose turns are, white space around them apart."""

    def __init__(self) -> None:
        self._texts: dict[Key, str] = {}
        self._prompts: dict[Key, Prompt] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def __call__(self, prompt: Prompt) -> str | None:
        """The response to a prompt; None where there is none."""
        return self._texts.get(_key(prompt))

    def __iter__(self) -> Iterator[tuple[Prompt, str]]:
        for key, text in self._texts.items():
            yield self._prompts[key], text

    def add(self, prompt: Prompt, text: str) -> bool:
        """Keep a prompt's response; whether there was none, or the same."""
        known = self._texts.setdefault(_key(prompt), text)
        self._prompts.setdefault(_key(prompt), prompt)
        return known == text


def read_references(path: Path) -> tuple[References, list[str]]:
    """Read prompts with one response each, from a column `reference`, `response`, `completion`, `output`, `answer` or `chosen`.

    Gives lines for a person, too: what was left out and why.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: no such columns, too many rows that cannot be read, or two responses to one prompt.
    """
    rows = open_rows(path)
    tally = Tally(rows, "references")
    found = References()
    twice: list[Problem] = []
    for row, told, prompt in extracted(rows, None, tally):
        text = told.answers[0] if told.answers else _response(row.value)
        if text is None or not text.strip():
            columns = ", ".join(COLUMNS[:-1])
            tally.add(Fate.UNREADABLE, row.place, f"no text in any of the columns {columns} or {COLUMNS[-1]}")
            continue
        tally.add(Fate.KEPT, row.place)
        if not found.add(prompt, text) and len(twice) < _SHOWN:
            twice.append(rows.problem(row.place, "another response to a prompt that has one", "keep one row a prompt"))
    tally.check()
    if twice:
        raise InvalidInput(f"{rows.name} has several responses to one prompt", twice)
    if not found:
        raise InvalidInput(f"{rows.name} holds no reference", [Problem("nothing in it", path)])
    return found, tally.counts().lines()


def _response(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return None
    cell = next((value[name] for name in COLUMNS if value.get(name) is not None), None)
    if cell is None or isinstance(cell, str):
        return cell
    try:
        turns = turns_of(cell)
    except Unreadable:
        return None
    return turns[-1].content if turns[-1].role == "assistant" else None


def _key(prompt: Prompt) -> Key:
    return tuple((turn.role, turn.content.strip()) for turn in prompt.messages)
