"""The formats of opinions, which of them a file is, and reading one: what was read, what was skipped, where and why.

To add one, write its module (see `judges.formats.base`) and a line in `FORMATS`; the most particular come first, for the first that
recognises a file reads it. Knows no run folder and no store of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from judges.formats import tenet
from judges.formats.base import Columns, Format, Item, Skipped, Source
from judges.formats.llmbar import LLMBAR, LLMBAR_VERDICTS
from judges.formats.pandalm import PANDALM, PANDALM_VERDICTS
from judges.formats.safety_rbr import SAFETY_RBR
from tenet.errors import InvalidInput, Problem, UsageError
from tenet.ids import Json
from tenet.reading.clean import Cleaning
from tenet.reading.rows import Rows, open_rows
from tenet.yamlfile import suggest

AUTO: Final = "auto"
SHOWN: Final = 20
FORMATS: Final[Mapping[str, Format]] = {
    one.name: one for one in (LLMBAR_VERDICTS, LLMBAR, PANDALM, PANDALM_VERDICTS, SAFETY_RBR, tenet.TENET)
}


@dataclass(frozen=True)
class Reading:
    """What a file held: items with their places in its order, and the rows skipped."""

    rows: Rows
    format: Format
    items: tuple[tuple[int, Item], ...]
    skipped: tuple[Problem, ...]
    cleaning: Cleaning
    total: int

    def lines(self) -> list[str]:
        """The counts in words, with the first places of what was skipped."""
        told = [f"{self.rows.name}: {self.total:,} rows read as {self.format.name}"]
        if self.skipped:
            told.append(f"{len(self.skipped):,} rows skipped; the first:")
            told += [f"  {problem}" for problem in self.skipped[:3]]
        return told

    def as_json(self) -> dict[str, Json]:
        """The counts for `--json`."""
        return {
            "file": self.rows.name,
            "format": self.format.name,
            "rows": self.total,
            "skipped": len(self.skipped),
            "first_skipped": [str(problem) for problem in self.skipped[:3]],
        }


def named(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UsageError: there is none; with the nearest.
    """
    if name in FORMATS:
        return FORMATS[name]
    hint = suggest(name, FORMATS) or f"the formats are {', '.join((AUTO, *FORMATS))}"
    raise UsageError(f'no label format "{name}"', hint=hint)


def choose(rows: Rows, format: str = AUTO) -> Format:  # noqa: A002
    """Return the format that is named, or the first that recognises the first readable row; Tenet's own where none does.

    Raises:
        UsageError: there is no format of that name.
    """
    if format != AUTO:
        return named(format)
    first = next((row.value for row in rows if isinstance(row.value, Mapping)), {})
    columns = frozenset(str(name) for name in first)
    return next((one for one in FORMATS.values() if one.recognises(columns)), tenet.TENET)


def read_file(
    path: Path,
    *,
    format: str = AUTO,  # noqa: A002
    judge: str = "",
    columns: Columns | None = None,
    strict: bool = True,
) -> Reading:
    """Read a file of opinions. Strict: a row that cannot be read is an error. Lenient: it is skipped and counted.

    Raises:
        MissingInput: there is no such file.
        UsageError: the format or a mapped column is not known, or nothing says who judged.
        InvalidInput: the file cannot be read, holds nothing, or, strictly, some rows cannot; all together, with their places.
    """
    rows = open_rows(path)
    mapped = columns or Columns()
    form = tenet.TENET if format == AUTO and (mapped.names or mapped.ignored) else choose(rows, format)
    source = Source(rows, path, judge, mapped)
    items: list[tuple[int, Item]] = []
    skipped: list[Problem] = []
    places: set[int] = set()
    for place, item in form.read(source):
        places.add(place)
        if isinstance(item, Skipped):
            skipped.append(rows.problem(place, item.reason, item.hint))
        else:
            items.append((place, item))
    if skipped and (strict or not items):
        more = len(skipped) - SHOWN
        shown = [*skipped[:SHOWN], *([Problem(f"and {more:,} more")] if more > 0 else [])]
        raise InvalidInput(f"{rows.name} cannot be imported; nothing was written", shown)
    if not places:
        raise InvalidInput(f"no labels in {rows.name}", [Problem("the file is empty", path)])
    return Reading(rows, form, tuple(items), tuple(skipped), source.cleaning, len(places))
