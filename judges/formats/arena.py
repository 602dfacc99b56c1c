"""MT-Bench's judgements and Chatbot Arena's votes (Zheng et al. 2023): two conversations with two models, and who did better.

Columns `question_id, model_a, model_b, winner` (model_a, model_b, tie, tie (bothbad)), `judge, conversation_a[], conversation_b[],
turn`. The answer judged is that of the turn named by `turn`. From the second turn on, the two models answered after answers of their
own: such a row is not one prompt with two responses, and is left out and counted unless what comes before is the same. `judge` is a
person's name, or for a model a list (its name and the prompt) or a name that begins with gpt. Both bad is a tie. Which model was shown
first is not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
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
    number_of,
    text_of,
    value_of,
)
from judges.formats.pairs import PARTED
from tenet.reading.clean import clean, clean_turns
from tenet.reading.turns import Unreadable, turns_of
from tenet.records import Choice, Message

_WINNERS: Final[Mapping[object, Choice]] = {
    "model_a": Choice.A, "model_b": Choice.B, "tie": Choice.TIE, "tie (bothbad)": Choice.TIE,
}  # fmt: skip
_MODEL: Final = "gpt"


def labelled(row: Row, source: Source) -> Comparison:
    """A row with the opinion of its judge."""
    number = number_of(row, "turn") if row.get("turn") not in (None, "") else None
    (before_a, a), (before_b, b) = (
        _answered(turns_of(value_of(row, f"conversation_{side}"), cell=source.rows.cells), number) for side in "ab"
    )
    if before_a != before_b:
        raise LeftOut(PARTED, several_turns=True)
    who, person = _judge(value_of(row, "judge"))
    opinion = Opinion(who, choice_of(row, "winner", _WINNERS), person=person, time=_time(row))
    models = [text_of(row, f"model_{side}") for side in "ab"]
    return Comparison(clean_turns(before_a)[0], Response(a, models[0]), Response(b, models[1]), (opinion,))


def _answered(turns: tuple[Message, ...], number: float | None) -> tuple[tuple[Message, ...], str]:
    """What comes before the answer to the turn of that number (the last without one), and the answer."""
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant"]
    wanted = len(answers) if number is None else int(number)
    if not 1 <= wanted <= len(answers):
        raise Unreadable(f"turn: {len(answers)} answers in a conversation, and turn {wanted} is asked about")
    place = answers[wanted - 1]
    if place == 0 or turns[place - 1].role != "user":
        raise Unreadable("a conversation has an answer that follows no turn of the user")
    return turns[:place], clean(turns[place].content)[0]


def _judge(value: object) -> tuple[str, bool]:
    """Who judged, and whether it is a person."""
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return "/".join(value), False
    if not isinstance(value, str) or not value.strip():
        raise Unreadable("judge: expected a name")
    name = clean(value.strip())[0]
    return name, not name.lower().startswith(_MODEL)


def _time(row: Row) -> str | None:
    if row.get("tstamp") in (None, ""):
        return None
    try:
        return datetime.fromtimestamp(number_of(row, "tstamp"), UTC).isoformat()
    except (OverflowError, OSError, ValueError) as error:
        raise Unreadable("tstamp: is no time") from error


ARENA: Final = Format(
    "arena",
    "MT-Bench and Chatbot Arena: two conversations and a winner",
    lambda columns: columns >= {"model_a", "model_b", "winner", "conversation_a", "conversation_b"},
    by_row(labelled),
    labels=True,
)
