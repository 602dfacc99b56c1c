"""SHP (Ethayarajh et al. 2022): two comments on a post, the better one that with more votes of readers.

Columns `history, human_ref_A, human_ref_B, labels` (1 for A, 0 for B), `score_ratio`, `domain`, `post_id`. No person compared the two:
the label is the sum of many votes, so it is of one annotator, `readers`. Strength is 1 - 1 / `score_ratio`: the share of the better
one's votes that it has more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from judges.formats.base import (
    Comparison,
    Format,
    Opinion,
    Response,
    Row,
    Source,
    by_row,
    choice_of,
    number_of,
    text_of,
    user_turn,
)
from tenet.reading.turns import Unreadable
from tenet.records import Choice

ANNOTATOR: Final = "readers"
_LABELS: Final[Mapping[object, Choice]] = {1: Choice.A, 0: Choice.B, "1": Choice.A, "0": Choice.B}


def labelled(row: Row, source: Source) -> Comparison:
    """A row with the readers' choice."""
    ratio = number_of(row, "score_ratio") if row.get("score_ratio") not in (None, "") else None
    if ratio is not None and ratio < 1.0:
        raise Unreadable(f"score_ratio: is {ratio:g}; expected 1 or more")
    strength = None if ratio is None else 1.0 - 1.0 / ratio
    opinion = Opinion(source.annotator(ANNOTATOR), choice_of(row, "labels", _LABELS), strength=strength)
    a, b = (Response(text_of(row, f"human_ref_{side}")) for side in "AB")
    tags = (f"domain:{row['domain']}",) if isinstance(row.get("domain"), str) else ()
    return Comparison(user_turn(text_of(row, "history")), a, b, (opinion,), tags=tags)


SHP: Final = Format(
    "shp",
    "SHP: two comments on a post, by readers' votes",
    lambda columns: columns >= {"history", "human_ref_A", "human_ref_B", "labels"},
    by_row(labelled),
    labels=True,
)
