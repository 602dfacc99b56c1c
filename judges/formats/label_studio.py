"""Label Studio's exports of pairwise tasks: JSON with all of `annotations[]`, and JSON-MIN, CSV and TSV with a row for each annotation.

`data` holds `prompt`, `left` and `right` (else `--map response_a=...`), and under `tenet` what Tenet's label record has and the tool
does not. In `annotations[].result[]` a `pairwise` result selects left or right, a `choices` result with the one word tie is a tie, and a
`textarea` result is a comment; a cancelled annotation is a skip, and one without a result is left out and counted. The left side is a, and
was shown first unless `tenet` says otherwise.

Tenet's own labels go out under numbers, since the tool takes only its own users for authors; it gives the numbers back as `import_id`,
and `tenet.annotators` has the names. What else `tenet` says of a label (strength, time, comment) is true of those alone, and not of what
others say of the same task. In the short exports the numbers and the skips are missing: tasks with labels from elsewhere are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from judges.formats.base import Format, Item, LeftOut, Row, Skipped, Source, rows_of, tried, value_of
from judges.formats.ours import label_of, table
from judges.formats.tenet import NOT_YET
from judges.humans.labels import IDS, REQUIRED
from tenet.reading.turns import Unreadable, kind_of

OWN: Final = "tenet"
NAMES: Final = "annotators"
"""Under `tenet`: the names of those who gave the labels that came with the task, by the number of the annotation."""
ANNOTATOR: Final = "label-studio"
_SIDES: Final = {"left": "a", "right": "b"}
_SHOWN: Final = {"left": "response_a", "right": "response_b"}
_OF_THE_PAIR: Final = (*REQUIRED[:3], *IDS, "inclusion_probability")
_TOLD_APART: Final = "a task with labels that came with it; export JSON, which tells them from new ones"
_EMPTY: Final = "an annotation without a result"


def read(source: Source) -> Iterator[tuple[int, Item | Skipped]]:
    """Read tasks, a label for each annotation."""
    for place, row in rows_of(source):
        if isinstance(row, Skipped):
            yield place, row
            continue
        told, data = row.get("annotations"), row.get("data")
        if not isinstance(told, list) or not isinstance(data, Mapping):
            kinds = f"data is {kind_of(data)} and annotations {kind_of(told)}"
            yield place, Skipped(f"expected a task with data and annotations, but {kinds}", columns=frozenset(row))
            continue
        if not told:
            yield place, Skipped(NOT_YET, fact=True)
        for one in told:
            for item in tried(partial(_label, data, one, source, place), row):
                yield place, item


def _label(data: Row, annotation: object, source: Source, place: int) -> tuple[Item, ...]:
    if not isinstance(annotation, Mapping):
        raise Unreadable(f"annotations: expected tables, found {kind_of(annotation)}")
    own = table(data.get(OWN))
    number = annotation.get(
        "import_id" if "completed_by" in annotation else "id"
    )  # `id` is the tool's own once it has been there
    name = table(own.get(NAMES)).get(str(number))
    given = _given(data, own, source, time=annotation.get("created_at"), whole=name is not None)
    if name is None:
        given["comment"] = _comment(annotation.get("result"))
    preference = "skip" if annotation.get("was_cancelled") else _selected(value_of(annotation, "result"))
    who = str(name) if name is not None else _who(annotation.get("completed_by"), source)
    return (label_of(given, {"preference": preference, "annotator": who}, source, source.rows.where(place)),)


def _given(data: Row, own: Row, source: Source, *, time: object, whole: bool) -> dict[str, object]:
    """The columns of a label that a task has; `whole`: with what is true of the label that came with it."""
    told = {_SHOWN.get(name, name): value for name, value in source.columns.row(data).items()}
    if whole:
        return {"shown_first": "a", "time": time, **told, **own}
    shown = own.get("shown_first") if NAMES not in own else None
    known = {name: value for name, value in own.items() if name in _OF_THE_PAIR}
    return {**told, **known, "shown_first": shown or "a", "time": time}


def read_short(source: Source) -> Iterator[tuple[int, Item | Skipped]]:
    """Read rows of JSON-MIN, CSV or TSV, a label each."""
    for place, row in rows_of(source):
        found = (row,) if isinstance(row, Skipped) else tried(partial(_short, row, source, place), row)
        for item in found:
            yield place, item


def _short(row: Row, source: Source, place: int) -> tuple[Item, ...]:
    own = table(_json(row.get(OWN)))
    if NAMES in own:
        raise LeftOut(_TOLD_APART)
    given = _given(row, own, source, time=row.get("created_at"), whole=False)
    given["comment"] = _words(_json(row.get("comment")))
    result = [
        {"type": "pairwise" if "selected" in one else "choices", "value": one}
        for name in ("preference", "tie")
        for one in _values(_json(row.get(name)))
    ]
    said = {"preference": _selected(result), "annotator": _who(row.get("annotator"), source)}
    return (label_of(given, said, source, source.rows.where(place)),)


def _json(value: object) -> object:
    """A cell that may hold JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            pass
    return value


def _values(value: object) -> list[Row]:
    """What one control came to: a word alone stands for the choice of it."""
    if isinstance(value, str):
        return [{"choices": [value]}] if value.strip() else []
    return [table(one) for one in (value if isinstance(value, list) else [value]) if table(one)]


def _comment(result: object) -> str | None:
    """What stands in the text areas of a result."""
    told = result if isinstance(result, list) else []
    areas = [table(one).get("value") for one in told if table(one).get("type") == "textarea"]
    return "\n".join(filter(None, map(_words, areas))) or None


def _words(value: object) -> str | None:
    told = table(value).get("text", value)
    lines = told if isinstance(told, list) else [told]
    return "\n".join(line for line in lines if isinstance(line, str) and line.strip()) or None


def _selected(result: object) -> str:
    """What a result selects: a, b or tie.

    Raises:
        Unreadable: it selects something else.
        LeftOut: it is empty.
    """
    told = result if isinstance(result, list) else []
    told = [one for one in told if table(one).get("type") != "textarea"]
    if result is None or (not told and isinstance(result, list)):
        raise LeftOut(_EMPTY)
    said: set[str] = set()
    for one in told:
        value = table(table(one).get("value"))
        if table(one).get("type") == "pairwise" and value.get("selected") in _SIDES:
            said.add(_SIDES[str(value["selected"])])
        choices = value.get("choices")
        if isinstance(choices, list) and [str(word).lower() for word in choices] == ["tie"]:
            said.add("tie")
    if len(said) != 1:
        why = "results that contradict each other" if said else "no result selects left or right, or says tie"
        raise Unreadable(f"annotations: {why}")
    return said.pop()


def _who(value: object, source: Source) -> str:
    """A number, a name, or a table with an address or number."""
    held = table(value)
    told = next((held[key] for key in ("email", "username", "id") if held.get(key) not in (None, "")), value)
    if isinstance(told, bool) or not isinstance(told, str | int) or not str(told).strip():
        return source.annotator(ANNOTATOR)
    return str(told)


LABEL_STUDIO_MIN: Final = Format(
    "label-studio-min",
    "Label Studio: pairwise tasks exported as JSON-MIN, CSV or TSV",
    lambda columns: columns >= {"annotation_id", "annotator", "lead_time"} and "data" not in columns,
    read_short,
    labels=True,
)
LABEL_STUDIO: Final = Format(
    "label-studio",
    "Label Studio: pairwise tasks exported as JSON",
    lambda columns: columns >= {"data", "annotations"},
    read,
    labels=True,
)
