"""llm-swarm's constitution: `constitutions`, a list of `critic` and `revision`, beside a `system_chat`.

As in huggingface/llm-swarm, examples/constitutional-ai. The example conversations of `system_chat` are no principles and
are left out; an empty one is written, since that project's script asks for it.
"""

from __future__ import annotations

from typing import Final

from constitution.interchange.framing import from_requests, remarks, to_requests
from constitution.interchange.source import Entry, Format, Reading, Rows, Source, dump
from constitution.model import Constitution


def _sniff(source: Source) -> bool:
    return isinstance(source.data, dict) and "constitutions" in source.data


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    rows = Rows(source, reading)
    data = source.json.data
    table = data if isinstance(data, dict) else {}
    for pointer, item in rows.tables(table.get("constitutions"), ("constitutions",)):
        fields = from_requests(rows.text(item, "critic", pointer), rows.text(item, "revision", pointer))
        rows.leave(item, ("critic", "revision"), pointer)
        reading.entries.append(Entry(rows.line(pointer), fields))
    rows.leave({key: value for key, value in table.items() if value}, ("constitutions",), ())
    reading.remarks += remarks(reading.entries)
    return reading


def _write(constitution: Constitution) -> str:
    pairs = [to_requests(principle) for principle in constitution.principles]
    items = [{"critic": critique, "revision": revision} for critique, revision in pairs]
    return dump({"constitutions": list(items), "system_chat": []})


FORMAT: Final = Format(
    name="llm-swarm",
    summary="JSON of llm-swarm: {constitutions: [{critic, revision}], system_chat}",
    carries=frozenset({"text", "critique", "revise"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
