"""SALMON's principle collections: a list of `dimension`, `definition`, and a `weight` or a `negative_definition`.

As in IBM/SALMON, prompts/principles. A negative definition is the principle's opposite, which a principles file has no
place for. The form with weights is written.
"""

from __future__ import annotations

from typing import Final

from constitution.interchange.source import Entry, Format, Reading, Rows, Source, dump
from constitution.model import Constitution
from tenet.ids import Json


def _sniff(source: Source) -> bool:
    data = source.data
    return isinstance(data, list) and any(isinstance(item, dict) and "dimension" in item for item in data)


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    rows = Rows(source, reading)
    for pointer, item in rows.tables(source.json.data):
        fields: dict[str, Json] = {"text": rows.text(item, "definition", pointer)}
        if "weight" in item:
            fields["weight"] = item["weight"]
        name = rows.text(item, "dimension", pointer)
        rows.leave(item, ("dimension", "definition", "weight"), pointer)
        reading.entries.append(Entry(rows.line(pointer), fields, name))
    return reading


def _write(constitution: Constitution) -> str:
    return dump(
        [
            {
                "dimension": principle.id.replace("-", " ").capitalize(),
                "definition": principle.text,
                "weight": int(principle.weight) if principle.weight.is_integer() else principle.weight,
            }
            for principle in constitution.principles
        ]
    )


FORMAT: Final = Format(
    name="salmon",
    summary="SALMON's principle collections: [{dimension, definition, weight}]",
    carries=frozenset({"id", "text", "weight"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
