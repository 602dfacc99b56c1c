"""HelpSteer2 (Wang et al. 2024): ratings of single responses, and its preference file.

Ratings: one row a response, `prompt, response, helpfulness, correctness, coherence, complexity, verbosity` (0 to 4), which are means over
several annotators, or lists of theirs. The responses of a prompt, wherever they stand in the file, become comparisons by helpfulness,
which is the rating of the whole; equal ones are ties, strength is the gap over the scale. A prompt with a single response is left out and
counted.
Preferences: `prompt, response_1, response_2, preference_strength` (-3 to 3, negative for the first). In both, a prompt of several turns
has them marked by `<extra_id_1>`. Who rated is not told: all labels are of one annotator, `helpsteer2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from judges.formats.base import (
    Comparison,
    Format,
    Item,
    Opinion,
    Response,
    Row,
    Skipped,
    Source,
    by_row,
    number_of,
    rows_of,
    text_of,
    tried,
    user_turn,
)
from judges.formats.pairs import ranked
from tenet.reading.clean import clean_turns
from tenet.reading.turns import Unreadable, prompt_of
from tenet.records import Choice, Message

ANNOTATOR: Final = "helpsteer2"
SPAN: Final = 4.0
STRONGEST: Final = 3.0
ALONE: Final = "a prompt with a single response"
_MARK: Final = re.compile(r"\s*<extra_id_1>(User|Assistant)\s*\n")
_ROLES: Final = {"User": "user", "Assistant": "assistant"}


def read(source: Source) -> Iterator[tuple[int, Item | Skipped]]:
    """Read ratings; comparisons come when the file has been read, at the place of a prompt's first response."""
    found: dict[str, list[tuple[int, Response, float]]] = {}
    for place, row in rows_of(source):
        if isinstance(row, Skipped):
            yield place, row
            continue
        try:
            score = _helpfulness(row)
            if not 0 <= score <= SPAN:
                raise Unreadable(f"helpfulness: is {score:g}; expected 0 to {SPAN:g}")
            rated = (place, Response(text_of(row, "response")), score)
            found.setdefault(text_of(row, "prompt"), []).append(rated)
            source.joined.add(place)
        except Unreadable as error:
            yield place, Skipped(str(error), columns=frozenset(row))
    for text, held in found.items():
        if len(held) < 2:
            yield held[0][0], Skipped(ALONE, fact=True)
            continue
        responses, scores = [one[1] for one in held], [one[2] for one in held]
        for item in tried(partial(_pairs, text, responses, scores, source.annotator(ANNOTATOR)), {}):
            yield held[0][0], item


def _helpfulness(row: Row) -> float:
    """The rating, or the mean where the file has each annotator's."""
    told = row.get("helpfulness")
    if not isinstance(told, list) or not told:
        return number_of(row, "helpfulness")
    return sum(number_of({"helpfulness": one}, "helpfulness") for one in told) / len(told)


def _pairs(text: str, responses: list[Response], scores: list[float], annotator: str) -> list[Comparison]:
    return ranked(turns_in(text), responses, scores, annotator=annotator, span=SPAN)


def preferred(row: Row, source: Source) -> Comparison:
    """A row of the preference file."""
    choice, strength = signed(number_of(row, "preference_strength"), "preference_strength")
    a, b = (Response(text_of(row, name)) for name in ("response_1", "response_2"))
    opinion = Opinion(source.annotator(ANNOTATOR), choice, strength=strength)
    return Comparison(turns_in(text_of(row, "prompt")), a, b, (opinion,))


def turns_in(text: str) -> tuple[Message, ...]:
    """The turns of a prompt, as its marks part them.

    Raises:
        Unreadable: it is empty, or ends with an answer.
    """
    marks = list(_MARK.finditer(text))
    if not marks:
        return user_turn(text)
    turns = [Message("user", text[: marks[0].start()])] if text[: marks[0].start()].strip() else []
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    turns += [Message(_ROLES[mark[1]], text[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)]
    if turns[-1].role == "assistant" and not turns[-1].content.strip():
        turns.pop()
    return clean_turns(prompt_of(turns)[0])[0]


def signed(value: float, name: str) -> tuple[Choice, float | None]:
    """The choice and strength of a preference from -3 (the first, clearly) to 3 (the second).

    Raises:
        Unreadable: it is beyond them.
    """
    if abs(value) > STRONGEST:
        raise Unreadable(f"{name}: is {value:g}; expected -3 to 3")
    if value == 0:
        return Choice.TIE, None
    return (Choice.A if value < 0 else Choice.B), abs(value) / STRONGEST


HELPSTEER2: Final = Format(
    "helpsteer2",
    "HelpSteer2: one rated response a row, paired by prompt",
    lambda columns: columns >= {"prompt", "response", "helpfulness"},
    read,
    labels=True,
)
HELPSTEER2_PREFERENCE: Final = Format(
    "helpsteer2-preference",
    "HelpSteer2's preference file: two responses and a strength of -3 to 3",
    lambda columns: columns >= {"prompt", "response_1", "response_2", "preference_strength"},
    by_row(preferred),
    labels=True,
)
