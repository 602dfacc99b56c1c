"""Label Studio's export of pairwise tasks (JSON): `data` with the texts, `annotations[]` with what each annotator selected.

`data` holds `prompt`, `left` and `right` (else `--map response_a=...`), and under `tenet` what Tenet's label record has and the tool
does not. In `annotations[].result[]` a `pairwise` result selects left or right and a `choices` result with the one word tie is a tie; a
cancelled annotation is a skip, and one without a result is left out and counted. The left side is a, and was shown first unless `tenet`
says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from judges.formats.base import Format, Item, LeftOut, Row, Skipped, Source, rows_of, tried, value_of
from judges.formats.ours import label_of, table
from judges.formats.tenet import NOT_YET
from tenet.reading.turns import Unreadable, kind_of

OWN: Final = "tenet"
ANNOTATOR: Final = "label-studio"
_SIDES: Final = {"left": "a", "right": "b"}
_NAMES: Final = {"left": "response_a", "right": "response_b"}
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
    told = {_NAMES.get(name, name): value for name, value in source.columns.row(data).items()}
    given = {"shown_first": "a", "time": annotation.get("created_at"), **told, **table(data.get(OWN))}
    preference = "skip" if annotation.get("was_cancelled") else _selected(value_of(annotation, "result"))
    said = {"preference": preference, "annotator": _who(annotation.get("completed_by"), source)}
    return (label_of(given, said, source, source.rows.where(place)),)


def _selected(result: object) -> str:
    """What a result selects: a, b or tie.

    Raises:
        Unreadable: it selects something else.
        LeftOut: it is empty.
    """
    if result in (None, []):
        raise LeftOut(_EMPTY)
    said: set[str] = set()
    for one in result if isinstance(result, list) else ():
        value = table(table(one).get("value"))
        if table(one).get("type") == "pairwise" and value.get("selected") in _SIDES:
            said.add(_SIDES[str(value["selected"])])
        choices = value.get("choices")
        if isinstance(choices, list) and [str(word).lower() for word in choices] == ["tie"]:
            said.add("tie")
    if len(said) != 1:
        told = "results that contradict each other" if said else "no result selects left or right, or says tie"
        raise Unreadable(f"annotations: {told}")
    return said.pop()


def _who(value: object, source: Source) -> str:
    """A number, a name, or a table with an address or number."""
    held = table(value)
    told = next((held[key] for key in ("email", "username", "id") if held.get(key) not in (None, "")), value)
    if isinstance(told, bool) or not isinstance(told, str | int) or not str(told).strip():
        return source.annotator(ANNOTATOR)
    return str(told)


LABEL_STUDIO: Final = Format(
    "label-studio",
    "Label Studio: pairwise tasks exported as JSON",
    lambda columns: columns >= {"data", "annotations"},
    read,
    labels=True,
)
