"""Statements of Collective Constitutional AI, a Polis export: CSV with `comment-id` and `comment-body`.

As in saffronh/ccai. Statements that the moderators refused (`moderated` is -1) are left out; votes become the `source`
of a statement and are not written again, since votes cannot be made up.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from constitution.interchange.source import Entry, Format, Reading, Source
from constitution.model import Constitution
from tenet.errors import InvalidInput
from tenet.ids import Json
from tenet.reading import delimited
from tenet.spreadsheet import guarded, plain

_ID: Final = "comment-id"
_BODY: Final = "comment-body"
_VOTES: Final = ("agrees", "disagrees", "passes")
_KNOWN: Final = {_ID, _BODY, "moderated", *_VOTES}


def _sniff(source: Source) -> bool:
    first = source.text.lstrip("\n").partition("\n")[0]
    return _BODY in first and ("," in first or ";" in first or "\t" in first or first.strip() == _BODY)


def _read(source: Source) -> Reading:
    source.text  # noqa: B018 - refuses another encoding as a whole, before rows are looked at
    reading = Reading(source.path)
    first = source.raw.partition(b"\n")[0]
    tab = b"\t" in first and b"," not in first
    names = delimited.header(io.BytesIO(source.raw), source.path, tab=tab)
    if _BODY not in names:
        raise source.refused(f"the header lacks the column {_BODY}", 1, f"it has {', '.join(names)[:200]}")
    if others := [name for name in names if name not in _KNOWN]:
        reading.skip(f"what the columns {', '.join(others)} hold", 1)
    try:
        for line, row, told in delimited.values(io.BytesIO(source.raw), source.path, tab=tab):
            if row is None:
                reading.problem(told, line)
            elif row.get("moderated", "").strip() == "-1":
                reading.skip("a statement that moderators refused", line)
            else:
                reading.entries.append(Entry(line, _fields(row)))
    except InvalidInput as error:
        reading.problems.extend(error.problems)
    return reading


def _fields(row: dict[str, str]) -> dict[str, Json]:
    fields: dict[str, Json] = {"text": plain(row[_BODY])}
    votes = ", ".join(f"{row[key].strip()} {key}" for key in _VOTES if row.get(key, "").strip())
    if row.get(_ID, "").strip() and votes:
        fields["source"] = f"Collective Constitutional AI, statement {row[_ID].strip()}: {votes}"
    return fields


def _write(constitution: Constitution) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([_ID, _BODY])
    writer.writerows([number, guarded(principle.text)] for number, principle in enumerate(constitution.principles))
    return buffer.getvalue()


FORMAT: Final = Format(
    name="collective-cai",
    summary="CSV of statements (Polis, Collective Constitutional AI): comment-id, comment-body",
    carries=frozenset({"text"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
