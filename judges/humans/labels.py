"""One label of a person: made from a row with every check, written as JSON, told as a judgement.

Knows no file.

A person gives a choice and no probability, so a person's judgement has an outcome and no `p_first`; how far a
person is to be believed is for whoever blends judgements, and `strength` stays on the label. The chance with
which a pair was drawn for labelling becomes the judgement's weight, its inverse (Horvitz and Thompson 1952).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from tenet.ids import Json, content_id
from tenet.reading.clean import NOTHING, Cleaning, clean, clean_turns
from tenet.reading.turns import Unreadable, kind_of, prompt_of, turns_of
from tenet.records import Choice, Judgement, Label, Message, Outcome, prompt_id

if TYPE_CHECKING:
    from judges.formats.base import Comparison

REQUIRED: Final = ("prompt", "response_a", "response_b", "preference", "annotator")
IDS: Final = ("response_a_id", "response_b_id")
OPTIONAL: Final = ("strength", "shown_first", "principle", "time", "inclusion_probability", *IDS, "comment", "ranking")
COLUMNS: Final = (*REQUIRED, *OPTIONAL)
OWN: Final = ("id", "source")
WITHDRAWS: Final = "withdraws"
"""The column by which a row takes an earlier label back, by its id."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Parsed:
    """What a row came to: a label, or problems; and what was cleaned in it."""

    label: Label | None
    problems: tuple[str, ...] = ()
    cleaning: Cleaning = NOTHING


def parse_label(
    row: Mapping[str, object], *, source: str = "", cells: bool = False, choices: Mapping[str, Choice] | None = None
) -> Parsed:
    """Make a label of a row with Tenet's own column names; every problem of the row is told.

    `choices` are the file's own words for a choice, in lower case, beside a, b, tie and skip.
    """
    reader = _Reader(row, cells)
    prompt = reader.read("prompt", reader.prompt)
    response_a = reader.read("response_a", reader.text)
    response_b = reader.read("response_b", reader.text)
    preference = reader.read("preference", _choice(Choice, choices))
    annotator = reader.read("annotator", _name)
    strength = reader.optional("strength", _share)
    shown_first = reader.optional("shown_first", _choice((Choice.A, Choice.B)))
    principle = reader.optional("principle", _name)
    time = reader.optional("time", _time)
    chance = reader.optional("inclusion_probability", _chance)
    a_id, b_id = (reader.optional(name, _name) for name in IDS)
    comment = reader.optional("comment", reader.text)
    ranking = reader.optional("ranking", _name)
    if (a_id is None) != (b_id is None):
        reader.problems.append("response_a_id and response_b_id: give both or neither")
    if reader.problems:
        return Parsed(None, tuple(reader.problems), reader.cleaning)
    assert prompt is not None
    assert response_a is not None
    assert response_b is not None
    assert preference is not None
    assert annotator is not None
    label = Label(
        id="",
        prompt=prompt,
        response_a=response_a,
        response_b=response_b,
        preference=preference,
        annotator=annotator,
        strength=strength,
        shown_first=shown_first,
        principle=principle,
        time=time,
        inclusion_probability=1.0 if chance is None else chance,
        source=source,
        response_a_id=a_id,
        response_b_id=b_id,
        comment=comment,
        ranking=ranking,
    )
    return Parsed(with_id(label), (), reader.cleaning)


def labels_of(
    item: Comparison, *, source: str = "", response_ids: tuple[str, str] | None = None, models: bool = False
) -> tuple[Label, ...]:
    """The labels of people among the opinions on a comparison, with `models` of all annotators; an opinion withheld is a skip.

    `response_ids` are those of a and b in a run, for sets in which two rows have the same texts.
    """
    a_id, b_id = response_ids or (None, None)
    return tuple(
        with_id(
            Label(
                id="",
                prompt=item.prompt,
                response_a=item.a.text,
                response_b=item.b.text,
                preference=one.choice or Choice.SKIP,
                annotator=one.annotator,
                strength=one.strength,
                shown_first=one.shown_first,
                principle=one.principle,
                time=one.time,
                inclusion_probability=one.inclusion_probability,
                source=source,
                response_a_id=a_id,
                response_b_id=b_id,
                ranking=one.ranking,
            )
        )
        for one in item.opinions
        if one.person or models
    )


def with_id(label: Label) -> Label:
    """Return the label with its content id: all that it says, without where it was read.

    Response ids, a comment and a ranking that are not given are no part of it.
    """
    said = {name: value for name, value in label_to_json(label).items() if name not in OWN}
    return replace(label, id=content_id("label", said))


def label_to_json(label: Label) -> dict[str, Json]:
    """Return a label as a row with Tenet's column names, what is unknown left as null; response ids, comment and ranking only if given."""
    ids = {} if label.response_a_id is None else dict(zip(IDS, (label.response_a_id, label.response_b_id), strict=True))
    return {
        "id": label.id,
        "prompt": [{"role": turn.role, "content": turn.content} for turn in label.prompt],
        "response_a": label.response_a,
        "response_b": label.response_b,
        "preference": label.preference.value,
        "annotator": label.annotator,
        "strength": label.strength,
        "shown_first": label.shown_first.value if label.shown_first else None,
        "principle": label.principle,
        "time": label.time,
        "inclusion_probability": label.inclusion_probability,
        "source": label.source,
        **ids,
        **({} if label.comment is None else {"comment": label.comment}),
        **({} if label.ranking is None else {"ranking": label.ranking}),
    }


def response_id(prompt: str, text: str) -> str:
    """Return the id of a response that is known by its text alone; `prompt` is the prompt's id."""
    return content_id("response", prompt, text)


def label_to_judgement(
    label: Label, sample_id: Callable[[str, str], str | None] | None = None, ids: Container[str] = ()
) -> Judgement | None:
    """Tell a label as a judgement of the judge `human:ANNOTATOR`, in the order of showing (unknown: a first).

    `sample_id` finds the id of a response from the prompt's id and its text, as a run knows it, or None;
    without it responses are called by `response_id`. Ids that the label itself gives and that are among `ids` come
    first. A skip is an opinion withheld (REFUSED).

    Returns:
        None where `sample_id` does not know one of the responses.
    """
    find = sample_id or response_id
    prompt = prompt_id(label.prompt)
    if label.response_a_id in ids and label.response_b_id in ids:
        a, b = label.response_a_id, label.response_b_id
    else:
        a, b = find(prompt, label.response_a), find(prompt, label.response_b)
    if a is None or b is None:
        return None
    outcomes = {
        Choice.A: Outcome.FIRST,
        Choice.B: Outcome.SECOND,
        Choice.TIE: Outcome.TIE,
        Choice.SKIP: Outcome.REFUSED,
    }
    judgement = Judgement(
        id=content_id("human", label.id, a, b),
        prompt_id=prompt,
        first_id=a,
        second_id=b,
        judge=f"human:{label.annotator}",
        outcome=outcomes[label.preference],
        principle=label.principle,
        weight=1.0 / label.inclusion_probability,
        reason="skipped" if label.preference is Choice.SKIP else "",
    )
    return judgement.flipped() if label.shown_first is Choice.B else judgement


class _Reader:
    """Reads the columns of one row and notes what is wrong with each."""

    def __init__(self, row: Mapping[str, object], cells: bool) -> None:
        self.row = row
        self.cells = cells
        self.problems: list[str] = []
        self.cleaning = NOTHING

    def read(self, name: str, parse: Callable[[object], _T]) -> _T | None:
        """A column that must be there."""
        if name not in self.row:
            self.problems.append(f"no `{name}`")
            return None
        return self._parsed(name, parse)

    def optional(self, name: str, parse: Callable[[object], _T]) -> _T | None:
        """A column that may be absent, null, or an empty cell."""
        value = self.row.get(name)
        return None if value is None or (isinstance(value, str) and not value.strip()) else self._parsed(name, parse)

    def prompt(self, value: object) -> tuple[Message, ...]:
        turns, cut = prompt_of(turns_of(value, cell=self.cells))
        if cut:
            raise Unreadable("ends with an answer and not with the user's turn")
        turns, done = clean_turns(turns)
        self.cleaning += done
        if not turns[-1].content.strip():
            raise Unreadable("is empty")
        return turns

    def text(self, value: object) -> str:
        if not isinstance(value, str):
            raise Unreadable(f"is {kind_of(value)} and not text")
        text, done = clean(value)
        self.cleaning += done
        return text

    def _parsed(self, name: str, parse: Callable[[object], _T]) -> _T | None:
        try:
            return parse(self.row[name])
        except Unreadable as error:
            self.problems.append(f"{name}: {error}")
            return None


_E = TypeVar("_E", bound=StrEnum)


def _choice(allowed: type[_E] | tuple[_E, ...], words: Mapping[str, _E] | None = None) -> Callable[[object], _E]:
    def parse(value: object) -> _E:
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        if words and plain and (found := words.get(str(value).strip().lower())) is not None:
            return found
        for one in allowed:
            if isinstance(value, str) and value.strip().lower() == one.value:
                return one
        known = ", ".join(one.value for one in allowed)
        raise Unreadable(f"is {_short(value)}; expected one of {known}")

    return parse


def _name(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise Unreadable(f"is {_short(value)}; expected a name")
    return clean(str(value).strip())[0]


def _number(value: object) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unreadable(f"is {_short(value)}; expected a number")
    return number


def _share(value: object) -> float:
    number = _number(value)
    if not 0.0 <= number <= 1.0:
        raise Unreadable(f"is {number:g}; expected 0 to 1")
    return number


def _chance(value: object) -> float:
    number = _share(value)
    if number == 0.0:
        raise Unreadable("is 0, but the pair was labelled; expected above 0, to 1")
    return number


def _time(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    try:
        datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise Unreadable(f"is {_short(value)}; expected a time as ISO 8601 writes it, 2026-01-31T12:00:00Z") from error
    return str(value)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else kind_of(value)
    return f'"{text[:20]}"' if isinstance(value, str) else text
