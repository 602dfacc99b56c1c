"""MT-Bench's judgements and Chatbot Arena's votes (Zheng et al. 2023): two conversations with two models, and who did better.

Columns `question_id, model_a, model_b, winner` (model_a, model_b, tie, tie (bothbad); in later files both_bad), `judge, conversation_a[],
conversation_b[], turn`. The answer judged is that of the turn named by `turn`, else the last. From the second turn on, the two models
answered after answers of their own: such a row is not one prompt with two responses, and is left out and counted unless what comes before
is the same; so is a later vote of a session (`evaluation_order` above 1), whose earlier turns stand in other rows. `judge` is a person's
name, or for a model a list (its name and the prompt) or a name that begins with gpt; later files have `judge_hash` or nothing. Both bad is
a tie. A model whose two orders named different winners is told as tie (inconsistent): p is one half. Which model was shown first is not
recorded.

The file of 55,000 votes (`arena-55k`) has the turns as lists, `prompt`, `response_a` and `response_b`, and the winner as three columns of 0
or 1.
"""

from __future__ import annotations

import json
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

ANNOTATOR: Final = "arena"
LATER: Final = "a later vote of a session, whose earlier turns stand in other rows"
_INCONSISTENT: Final = "tie (inconsistent)"
_WINNERS: Final[Mapping[object, Choice]] = {
    "model_a": Choice.A, "model_b": Choice.B, "tie": Choice.TIE, "tie (bothbad)": Choice.TIE,
    "both_bad": Choice.TIE, _INCONSISTENT: Choice.TIE,
}  # fmt: skip
_MODEL: Final = "gpt"
_WON: Final = {"winner_model_a": Choice.A, "winner_model_b": Choice.B, "winner_tie": Choice.TIE}
_TRUE: Final = (1, "1")
_ROLES: Final = ("user", "assistant")


def labelled(row: Row, source: Source) -> Comparison:
    """A row with the opinion of its judge."""
    if row.get("evaluation_order") not in (None, "") and number_of(row, "evaluation_order") > 1:
        raise LeftOut(LATER, several_turns=True)
    number = number_of(row, "turn") if row.get("turn") not in (None, "") else None
    (before_a, a), (before_b, b) = (
        _answered(turns_of(value_of(row, f"conversation_{side}"), cell=True), number) for side in "ab"
    )
    if before_a != before_b:
        raise LeftOut(PARTED, several_turns=True)
    named = next((row[name] for name in ("judge", "judge_hash") if name in row), source.annotator(ANNOTATOR))
    who, person = _judge(named)
    odd = row.get("winner") == _INCONSISTENT
    opinion = Opinion(
        who, choice_of(row, "winner", _WINNERS), person=person, time=_time(row), p_a=0.5 if odd else None,
        reason="the two orders named different winners" if odd else "",
    )  # fmt: skip
    return _comparison(row, before_a, a, b, opinion)


def _comparison(row: Row, before: tuple[Message, ...], a: str, b: str, opinion: Opinion) -> Comparison:
    models = [text_of(row, f"model_{side}") for side in "ab"]
    return Comparison(clean_turns(before)[0], Response(a, models[0]), Response(b, models[1]), (opinion,))


def labelled_turns(row: Row, source: Source) -> Comparison:
    """A row of the file of 55,000 votes."""
    asked = _texts(row, "prompt")
    (before_a, a), (before_b, b) = (_paired(asked, _texts(row, f"response_{side}")) for side in "ab")
    if before_a != before_b:
        raise LeftOut(PARTED, several_turns=True)
    won = [name for name in _WON if row.get(name) in _TRUE]
    if len(won) != 1:
        raise Unreadable(f"{', '.join(_WON)}: expected a 1 in one of them")
    return _comparison(row, before_a, a, b, Opinion(source.annotator(ANNOTATOR), _WON[won[0]]))


def _texts(row: Row, name: str) -> list[str]:
    """A list of texts, or its JSON; nothing in it is an empty text."""
    told = value_of(row, name)
    try:
        held = json.loads(told) if isinstance(told, str) else told
    except ValueError:
        held = None
    if not isinstance(held, list) or not held or not all(one is None or isinstance(one, str) for one in held):
        raise Unreadable(f"{name}: expected a list of texts")
    return [one or "" for one in held]


def _paired(asked: list[str], answers: list[str]) -> tuple[tuple[Message, ...], str]:
    if len(asked) != len(answers):
        raise Unreadable("prompt and responses have different numbers of turns")
    turns = [
        Message(role, text)
        for pair in zip(asked, answers, strict=True)
        for role, text in zip(_ROLES, pair, strict=True)
    ]
    return tuple(turns[:-1]), clean(turns[-1].content)[0]


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
ARENA_55K: Final = Format(
    "arena-55k",
    "Chatbot Arena's 55,000 votes: prompts and responses as lists of turns, winner_model_a",
    lambda columns: columns >= {"prompt", "response_a", "response_b", *_WON},
    by_row(labelled_turns),
    labels=True,
)
