"""HH-RLHF (Bai et al. 2022): two whole transcripts `\n\nHuman: ...\n\nAssistant: ...`, of which a crowd worker chose one.

Columns `chosen` and `rejected`. The transcripts share all but the last answer and are parted there. In some rows the text before the last
answers is not the same; parted where they differ, an answer would hold turns of its own, so these rows are left out and counted.
Who chose is not recorded: all labels are of one annotator, `crowd`.
"""

from __future__ import annotations

from typing import Final

from judges.formats.base import Comparison, Format, Opinion, Response, Row, Source, by_row, value_of
from judges.formats.pairs import drawn_sides, parted_transcripts
from tenet.reading.transcript import is_transcript
from tenet.reading.turns import Unreadable
from tenet.records import Choice

ANNOTATOR: Final = "crowd"


def labelled(row: Row, source: Source) -> Comparison:
    """A row, its sides drawn."""
    sides = [value_of(row, name) for name in ("chosen", "rejected")]
    texts = [side for side in sides if isinstance(side, str) and is_transcript(side)]
    if len(texts) < 2:
        raise Unreadable("chosen and rejected: expected transcripts that begin with Human:")
    prompt, chosen, rejected = parted_transcripts(*texts)
    return drawn_sides(prompt, Response(chosen), Response(rejected), Opinion(source.annotator(ANNOTATOR), Choice.A))


def _is_transcript(row: Row) -> bool:
    side = row.get("chosen")
    return isinstance(side, str) and is_transcript(side)


HH_RLHF: Final = Format(
    "hh-rlhf",
    "HH-RLHF: chosen and rejected transcripts",
    lambda columns: columns >= {"chosen", "rejected"} and "prompt" not in columns,
    by_row(labelled),
    labels=True,
    fits=_is_transcript,
)
