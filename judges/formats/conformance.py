"""What every format of opinions promises, tried on a sample file and on broken copies of its rows. Knows no format."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from judges.formats.base import Comparison, Format, Item, Keyed, Skipped, Source
from judges.formats.registry import choose, named, read_file
from tenet.ids import Json
from tenet.reading.rows import open_rows
from tenet.records import Label

_JUNK: Final[tuple[Json, ...]] = (None, 7, "", "text", [], {}, [None], {"a": [1]}, True, -1.5)


def complaints(name: str, *, sample: Path) -> Iterator[str]:
    """Everything in which the format `name` does not keep its promises on the file `sample`.

    Raises:
        PluginBroken, UsageError: the format cannot be had.
        MissingInput: there is no such file.
    """
    form = named(name)
    if not form.summary.strip():
        yield "its summary is empty"
    yield from _whole(form, sample)
    taken = choose(open_rows(sample)).name
    if taken != name:
        yield f"without --format, the sample file is read as {taken}: recognises and fits do not know it, or {taken} does too"
    yield from _broken(form, sample)


def _whole(form: Format, sample: Path) -> Iterator[str]:
    """The sample file as it is."""
    try:
        found, again = (read_file(sample, format=form.name).items for _ in range(2))
    except Exception as error:  # a stranger's code: whatever it raises is the finding
        yield f"the sample file does not read: {type(error).__name__}: {error}"
        return
    if not found:
        yield "the sample file gives no item"
    if found != again:
        yield "the sample file reads otherwise when it is read again"
    if form.labels and not any(isinstance(item, Comparison | Label | Keyed) for _, item in found):
        yield "labels is true, and no row is an opinion about a comparison"


def _broken(form: Format, sample: Path) -> Iterator[str]:
    """Rows of the file with one value spoilt each: a format skips what it cannot read and raises nothing."""
    first = next((dict(row.value) for row in open_rows(sample) if isinstance(row.value, Mapping)), {})
    spoilt: list[Json] = [None, [1], {}]
    spoilt += [{**first, column: junk} for column in first for junk in _JUNK]
    spoilt += [{key: value for key, value in first.items() if key != column} for column in first]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        file.write_text("\n".join(json.dumps(row, default=str) for row in spoilt), encoding="utf-8", newline="\n")
        places: set[int] = set()
        try:
            for place, item in form.read(Source(open_rows(file), file, judge="judge")):
                places.add(place)
                found: object = item
                if not isinstance(found, Item | Skipped):
                    yield f"row {place} became a {type(found).__name__}, which is no item"
        except Exception as error:
            row = json.dumps(spoilt[len(places)], default=str) if len(places) < len(spoilt) else "a row"
            yield f"reading raises {type(error).__name__} ({error}) at {row[:120]}; raise Unreadable to skip a row"
