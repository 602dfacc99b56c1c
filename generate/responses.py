"""Finds the responses in a row: which columns hold them, what text each has, and which policy wrote it.

Knows neither files nor prompts' columns (`tenet.reading.columns` does). A row holds a list (`responses`),
several columns (`response_a`, `response_b`; `chosen`, `rejected`), or a single response.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from tenet.reading.columns import Extracted
from tenet.reading.turns import Unreadable, kind_of, turns_of

GIVEN: Final = "given"
_LISTS: Final = ("responses", "completions", "outputs", "answers")
_ONE: Final = ("response", "completion", "output", "answer")
_PAIR: Final = ("chosen", "rejected")
_NUMBERED: Final = re.compile(r"(?:response|completion|output|answer)_?(?:[0-9]{1,2}|[a-z])")
_TEXTS: Final = ("text", "response", "completion", "content", "output")
_MODELS: Final = ("model", "policy", "generator")


def response_columns(value: object, found: Extracted) -> tuple[str, ...]:
    """The columns of a row that hold responses; none if none does."""
    if found.answers:
        return _PAIR
    names = [str(key) for key in value] if isinstance(value, Mapping) else []
    if listed := next((name for name in _LISTS if name in names), None):
        return (listed,)
    if all(name in names for name in _PAIR):
        return _PAIR
    numbered = tuple(name for name in names if _NUMBERED.fullmatch(name))
    return numbered if len(numbered) > 1 else tuple(name for name in _ONE if name in names)[:1]


def responses(value: object, found: Extracted, columns: Sequence[str]) -> list[tuple[object, str]]:
    """The responses of a row as they stand, each with the policy that the row names for it, else "given".

    The two sides of a preference row are of the policies "chosen" and "rejected", so that what people chose
    stays known.

    Raises:
        Unreadable: the columns are not there, or the two sides of a pair are no plain responses to its
            prompt.
    """
    if found.answers:
        if found.odd or found.cut:
            raise Unreadable("the two transcripts part before the last answer")
        return list(zip(found.answers, _PAIR, strict=True))
    if not isinstance(value, Mapping):
        raise Unreadable(f"expected a row with columns, found {kind_of(value)}")
    there = [column for column in columns if value.get(column) is not None]
    if not there:
        raise Unreadable(f"nothing in column `{columns[0]}`")
    model = _model(value) or GIVEN
    if columns[0] in _LISTS:
        return [(item, model) for item in _list(value[columns[0]], columns[0])]
    return [(value[column], column if column in _PAIR else model) for column in there]


def text_of(value: object) -> tuple[str | None, str]:
    """The text of a response (None if it has none), and the policy that it names itself, else "".

    A response is a string, a table with `text` and perhaps `model`, or messages of which the last is the
    assistant's.
    """
    if isinstance(value, str):
        return value, ""
    if isinstance(value, Mapping):
        return next((value[key] for key in _TEXTS if isinstance(value.get(key), str)), None), _model(value)
    try:
        turns = turns_of(value)
    except Unreadable:
        return None, ""
    return (turns[-1].content if turns and turns[-1].role == "assistant" else None), ""


def _model(value: Mapping[object, object]) -> str:
    return next((str(value[key]) for key in _MODELS if value.get(key)), "")


def _list(value: object, column: str) -> Sequence[object]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"`{column}` is text and not a list") from error
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise Unreadable(f"`{column}` is {kind_of(value)} and not a list")
    return value
