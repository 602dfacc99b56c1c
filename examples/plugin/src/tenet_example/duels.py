"""A log of duels: a question, the answers that stood left and right, who won, and who said so. Knows no run and no other format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from judges.formats.base import (
    Comparison,
    Format,
    LeftOut,
    Opinion,
    Response,
    Row,
    Source,
    by_row,
    choice_of,
    text_of,
    user_turn,
)
from tenet.records import Choice

WINNERS: Final[Mapping[object, Choice]] = {"left": Choice.A, "right": Choice.B, "draw": Choice.TIE}


def duel(row: Row, source: Source) -> Comparison:
    """One row. What cannot be read raises `Unreadable` (the helpers do), what is right and of no use `LeftOut`."""
    if row.get("winner") == "abandoned":
        raise LeftOut("the duel was abandoned")
    voter = text_of(row, "voter").strip() or source.annotator("unknown")
    opinion = Opinion(voter, choice_of(row, "winner", WINNERS), shown_first=Choice.A)
    sides = (Response(text_of(row, "left")), Response(text_of(row, "right")))
    return Comparison(user_turn(text_of(row, "question")), *sides, (opinion,))


DUELS: Final = Format(
    "duels",
    "duels between two answers: question, left, right, winner, voter",
    lambda columns: columns >= {"question", "left", "right", "winner", "voter"},
    by_row(duel),
    labels=True,
)
