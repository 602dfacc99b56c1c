"""TRL's preference data: `chosen` and `rejected`, with a `prompt` (explicit) or with the prompt in both (implicit); text or messages.

Who chose is not recorded: the labels are of one annotator, `trl`, or of whom `--annotator` names; a column `annotator` comes first.
Rows whose `source` is ai or revision, as in datasets that Tenet writes, are no labels of people.
"""

from __future__ import annotations

from typing import Final

from judges.formats.base import Comparison, Format, Opinion, Response, Row, Source, by_row, value_of
from judges.formats.pairs import drawn_sides, parted
from tenet.records import Choice

ANNOTATOR: Final = "trl"
_MODELS: Final = ("ai", "revision")


def labelled(row: Row, source: Source) -> Comparison:
    """A row, its sides drawn."""
    chosen, rejected = (value_of(row, name) for name in ("chosen", "rejected"))
    prompt, better, worse = parted(row.get("prompt"), chosen, rejected, cells=source.rows.cells)
    named = row.get("annotator")
    who = named.strip() if isinstance(named, str) and named.strip() else source.annotator(ANNOTATOR)
    opinion = Opinion(who, Choice.A, person=row.get("source") not in _MODELS)
    return drawn_sides(prompt, Response(better), Response(worse), opinion)


TRL: Final = Format(
    "trl",
    "TRL's preference data: prompt, chosen, rejected; or chosen and rejected with the prompt in both",
    lambda columns: columns >= {"chosen", "rejected"},
    by_row(labelled),
    labels=True,
)
