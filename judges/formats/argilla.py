"""Argilla's records, exported as rows: of version 2 flat (`to_list(flatten=True)`) or nested (`to_json`), of version 1 nested.

Version 2, flat: fields and metadata as columns, and for a question `q` the columns `q.responses`, `q.responses.users`,
`q.responses.status`. Nested: `fields`, `metadata` and `responses{q: [{value, user_id}]}`, which do not say what was submitted; so only the
records whose own `status` is completed are read. Version 1: the question's column holds `[{user_id, value, status}]`. Fields are called
`prompt`, `response_a`, `response_b` (else `--map`), the question `preference` (else the only one, or `--map preference=q`), a question in
words `comment`; other columns of Tenet's label record may stand beside them as metadata. A submitted response is a label and a discarded
one a skip; drafts are left out and counted. The answer of a ranking question names fields in falling order, or each with a rank, and
becomes the pairs of one ranking.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from judges.formats.base import (
    Columns,
    Comparison,
    Format,
    Item,
    LeftOut,
    Response,
    Row,
    Skipped,
    Source,
    rows_of,
    text_of,
    tried,
    value_of,
)
from judges.formats.ours import label_of, table
from judges.formats.pairs import ranked
from judges.formats.tenet import NOT_YET
from tenet.reading.clean import clean_turns
from tenet.reading.turns import Unreadable, kind_of, prompt_of, turns_of

QUESTION: Final = "preference"
ANNOTATOR: Final = "argilla"
SUBMITTED: Final = "submitted"
DISCARDED: Final = "discarded"
DRAFT: Final = "an Argilla response that was not submitted"
OPEN: Final = (
    "a record that is not completed, of an export that does not say what was submitted; export to_list(flatten=True)"
)
COMPLETED: Final = "completed"
COMMENT: Final = "comment"
_FLAT: Final = ".responses"
_SUGGESTION: Final = "-suggestion"
_NESTED: Final = frozenset(("fields", "metadata", "responses"))


def read(source: Source) -> Iterator[tuple[int, Item | Skipped]]:
    """Read records, an item for each response, or several for a ranking."""
    for place, row in rows_of(source):
        if isinstance(row, Skipped):
            yield place, row
            continue
        record = row
        if row.keys() >= _NESTED:
            if row.get("status") != COMPLETED and any(table(row["responses"]).values()):
                yield place, Skipped(OPEN, fact=True)
                continue
            record = source.columns.row(_flattened(row))
        try:
            answers = tuple(_answers(record, source.columns))
        except Unreadable as error:
            yield place, Skipped(str(error), columns=frozenset(row))
            continue
        if not answers:
            yield place, Skipped(NOT_YET, fact=True)
        for answer in answers:
            for item in tried(partial(_items, record, answer, source, place), record):
                yield place, item


def _items(row: Row, answer: Row, source: Source, place: int) -> Sequence[Item]:
    status, value = answer.get("status"), answer.get("value")
    if status not in (None, SUBMITTED, DISCARDED):
        raise LeftOut(DRAFT)
    user = answer.get("user_id")
    who = source.annotator(ANNOTATOR) if user in (None, "") else str(user)
    if isinstance(value, list) and status != DISCARDED:
        return _ranking(row, value, who, source)
    told = "skip" if status == DISCARDED else value
    given = {**_metadata(row), **row, **_comment(row, user)}
    return [label_of(given, {"preference": told, "annotator": who}, source, source.rows.where(place))]


def _answers(row: Row, columns: Columns) -> Iterator[Row]:
    """The responses to the question, each as `{user_id, value, status}`."""
    name = _question(row, columns)
    if name + _FLAT not in row:
        told = value_of(row, name)
        if not isinstance(told, list) or not all(isinstance(one, Mapping) for one in told):
            raise Unreadable(f"{name}: expected a list of responses, found {kind_of(told)}")
        yield from told
        return
    values, users, states = (_list(row, name + _FLAT + end) for end in ("", ".users", ".status"))
    for place, value in enumerate(values):
        yield {"value": value, "user_id": _at(users, place), "status": _at(states, place)}


def _flattened(row: Row) -> Row:
    """A nested record of version 2 as a flat one; an answer without a value is a discarded one."""
    flat: dict[str, object] = {**table(row["metadata"]), **table(row["fields"])}
    for name, told in table(row["responses"]).items():
        given = [table(one) for one in told] if isinstance(told, list) else []
        flat[name + _FLAT] = [one.get("value") for one in given]
        flat[f"{name}{_FLAT}.users"] = [one.get("user_id") for one in given]
        flat[f"{name}{_FLAT}.status"] = [DISCARDED if one.get("value") is None else SUBMITTED for one in given]
    return flat if any(name.endswith(_FLAT) for name in flat) else {**flat, QUESTION + _FLAT: None}


def _comment(row: Row, user: object) -> Row:
    """What the user wrote in answer to the question `comment`."""
    if COMMENT + _FLAT not in row:
        return {}
    words, users = (_list(row, COMMENT + _FLAT + end) for end in ("", ".users"))
    return {COMMENT: next((word for place, word in enumerate(words) if _at(users, place) == user), None)}


def _question(row: Row, columns: Columns) -> str:
    """The name of the question about preference.

    Raises:
        Unreadable: there is none, or several and nothing says which.
    """
    named = columns.names.get(QUESTION, QUESTION)
    if named + _FLAT in row:
        return named
    if QUESTION in row:
        return QUESTION
    flat = [name.removesuffix(_FLAT) for name in row if name.endswith(_FLAT)]
    nested = [name.removesuffix(_SUGGESTION) for name in row if name.endswith(_SUGGESTION)]
    found = flat or [name for name in nested if _responses(row.get(name))]
    if len(found) != 1:
        raise Unreadable(
            f"{'no' if not found else 'more than one'} question has responses; name it: --map preference=QUESTION"
        )
    return found[0]


def _responses(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) and "value" in one for one in value)


def _ranking(row: Row, value: Sequence[object], who: str, source: Source) -> list[Comparison]:
    """The pairs of a ranking: names of fields from best to worst, or tables with a rank (1 is best, equal ones are ties)."""
    ranks: dict[str, float] = {}
    for place, one in enumerate(value, 1):
        name, rank = (one.get("value"), one.get("rank")) if isinstance(one, Mapping) else (one, place)
        if not isinstance(name, str) or isinstance(rank, bool) or not isinstance(rank, int) or name in ranks:
            raise Unreadable("a ranking names each field once, with a whole number as its rank")
        ranks[name] = float(rank)
    prompt, _ = prompt_of(turns_of(value_of(row, "prompt"), cell=source.rows.cells))
    responses = [Response(text_of(row, name)) for name in ranks]
    return ranked(clean_turns(prompt)[0], responses, [-rank for rank in ranks.values()], annotator=who, span=None)


def _metadata(row: Row) -> Mapping[str, object]:
    """What version 1 keeps apart, as a table or as its JSON."""
    told = row.get("metadata")
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return {}
    return table(told)


def _list(row: Row, name: str) -> Sequence[object]:
    told = row.get(name)
    if told is None:
        return ()
    if not isinstance(told, list):
        raise Unreadable(f"{name}: expected a list, found {kind_of(told)}")
    return told


def _at(values: Sequence[object], place: int) -> object:
    return values[place] if place < len(values) else None


def _nested(row: Row) -> bool:
    return any(_responses(value) and value for name, value in row.items() if name + _SUGGESTION in row)


ARGILLA: Final = Format(
    "argilla",
    "Argilla 2: records exported with to_list(flatten=True) or to_json",
    lambda columns: any(name.endswith(_FLAT) for name in columns) or columns >= {*_NESTED, "suggestions"},
    read,
    labels=True,
)
ARGILLA_1: Final = Format(
    "argilla-1",
    "Argilla 1: records whose questions hold lists of responses",
    lambda columns: any(name + _SUGGESTION in columns for name in columns),
    read,
    labels=True,
    fits=_nested,
)
