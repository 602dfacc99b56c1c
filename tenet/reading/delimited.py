"""Reads rows separated by commas, semicolons or tabs, strictly. Knows no column's meaning.

A bad row is told apart from a quote that swallows rows: what spans several lines and does not parse stops the
reading, since nobody can say how many rows are lost in it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from tenet.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

LARGEST_CELL: Final = 64 << 20
_BAD_BYTES: Final = re.compile("[\udc80-\udcff]")


def header(file: BinaryIO, path: Path, *, tab: bool) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        InvalidInput: there is no header, or a name is empty or stands twice.
    """
    names = [name.strip() for name in next(_reader(_text(file), tab=tab), ())]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    empty = [place for place, name in enumerate(names, 1) if not name]
    problems = [Problem(f"the header's column {place} has no name", path, 1) for place in empty]
    problems += [Problem(f'the header names "{name}" twice', path, 1) for name in twice]
    if not names:
        problems = [Problem("the file is empty", path, 1, hint="the first line names the columns")]
    if problems:
        raise InvalidInput(f"{path} has no usable header", problems)
    return tuple(names)


def values(file: BinaryIO, path: Path, *, tab: bool) -> Iterator[tuple[int, dict[str, str] | None, str]]:
    """The line where each row starts, its cells by column, and its problem (cells are None then).

    Empty lines are skipped.

    Raises:
        InvalidInput: a quote is not closed, so that rows are swallowed.
    """
    reader = _reader(_text(file), tab=tab)
    names = [name.strip() for name in next(reader)]
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > start or "unexpected end" in str(error):
                hint = 'a quote inside a quoted cell is written twice: ""'
                message = f"a quote opened here is not closed properly up to line {reader.line_num}"
                problem = Problem(message, path, start, hint=hint)
                raise InvalidInput(f"{path} cannot be read as rows", [problem]) from error
            yield start, None, f"not a row: {error}"
            continue
        if cells:
            yield start, *_row(names, cells)


def _row(names: list[str], cells: list[str]) -> tuple[dict[str, str] | None, str]:
    if len(cells) != len(names):
        return None, f"{len(cells)} cells where the header names {len(names)} columns"
    if any(not cell.isascii() and _BAD_BYTES.search(cell) for cell in cells):
        return None, "not UTF-8 text"
    return dict(zip(names, cells, strict=True)), ""


def _text(file: BinaryIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


class _Lines:
    """Lines of a text file; the first is looked at to learn the delimiter."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text
        self.first = text.readline()

    def __iter__(self) -> Iterator[str]:
        yield self.first
        yield from self.text


def _reader(text: io.TextIOWrapper, *, tab: bool) -> CsvReader:
    lines = _Lines(text)
    semicolon = ";" in lines.first and "," not in lines.first
    # The limit is the library's one global knob; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), LARGEST_CELL))
    return csv.reader(iter(lines), delimiter="\t" if tab else ";" if semicolon else ",", strict=True)
