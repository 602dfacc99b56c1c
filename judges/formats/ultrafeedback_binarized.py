"""UltraFeedback-binarized (Tunstall et al. 2023): the best and another completion of UltraFeedback, with GPT-4's scores.

Columns `prompt`, `chosen[]` and `rejected[]` (messages, the prompt among them), `score_chosen` and `score_rejected` on 1 to 10. Equal
scores are ties, and strength is the gap over the scale. The annotator is a model.
"""

from __future__ import annotations

from typing import Final

from judges.formats.base import Comparison, Format, Opinion, Response, Row, Source, by_row, number_of, value_of
from judges.formats.pairs import drawn_sides, parted
from tenet.reading.turns import Unreadable
from tenet.records import Choice

ANNOTATOR: Final = "gpt-4"
SPAN: Final = 9.0


def labelled(row: Row, source: Source) -> Comparison:
    """A row, its sides drawn."""
    chosen, rejected = (value_of(row, name) for name in ("chosen", "rejected"))
    gap = number_of(row, "score_chosen") - number_of(row, "score_rejected")
    if gap < 0:
        raise Unreadable("score_rejected is above score_chosen")
    prompt, better, worse = parted(row.get("prompt"), chosen, rejected, cells=source.rows.cells)
    strength = min(1.0, gap / SPAN) if gap else None
    opinion = Opinion(source.annotator(ANNOTATOR), Choice.A if gap else Choice.TIE, person=False, strength=strength)
    return drawn_sides(prompt, Response(better), Response(worse), opinion)


ULTRAFEEDBACK_BINARIZED: Final = Format(
    "ultrafeedback-binarized",
    "UltraFeedback-binarized: chosen and rejected with GPT-4's scores",
    lambda columns: columns >= {"chosen", "rejected", "score_chosen", "score_rejected"} and "p_chosen" not in columns,
    by_row(labelled),
    labels=True,
)
