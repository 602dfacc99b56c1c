"""Lists of inverse constitutional AI: "Select the response that ...", one text a principle.

As in rdnfn/icai: a JSON list of texts, the numbered lines of a `060_constitution.json`, plain lines, or the annotators
of kind `principle` in a file of annotated pairs. Writes the JSON list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from constitution.interchange.source import Entry, Format, Reading, Rows, Source, dump
from constitution.model import Constitution
from tenet.yamlfile import Yaml

_SELECT: Final = "Select the response that"
_FOLLOWS: Final = f"{_SELECT} follows this principle: "
_NUMBER: Final = re.compile(r"\s*(?:\d+[.)]|[-*])\s+")


def _sniff(source: Source) -> bool:
    data = source.data
    if isinstance(data, dict):
        return bool(_annotators(data))
    if isinstance(data, list):
        return bool(data) and all(isinstance(item, str) and _selects(item) for item in data)
    lines = (data if isinstance(data, str) else "" if data is not None else source.text).splitlines()
    told = [_NUMBER.sub("", line, count=1) for line in lines if line.strip()]
    return bool(told) and all(map(_selects, told))


def _selects(text: str) -> bool:
    return text.strip().lower().startswith(_SELECT.lower())


def _annotators(data: dict[str, Yaml]) -> dict[str, Yaml]:
    found = data.get("annotators")
    if not isinstance(found, dict):
        return {}
    return {key: item for key, item in found.items() if isinstance(item, dict) and item.get("type") == "principle"}


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    for line, item in _texts(source, reading):
        if isinstance(item, str):
            reading.entries.append(Entry(line, {"text": item.strip().removeprefix(_FOLLOWS)}))
        else:
            reading.problem("this entry is no text", line)
    return reading


def _texts(source: Source, reading: Reading) -> Iterator[tuple[int, Yaml]]:
    data = source.data
    if data is None:
        yield from _lines(source.text)
    elif isinstance(data, str):
        yield from ((1, text) for _, text in _lines(data))
    elif isinstance(data, list):
        rows = Rows(source, reading)
        yield from ((rows.line((index,)), item) for index, item in enumerate(data))
    elif isinstance(data, dict):
        rows = Rows(source, reading)
        kept = _annotators(data)
        for key, item in kept.items():
            text = item.get("description") if isinstance(item, dict) else None
            yield rows.line(("annotators", key)), text
        rows.leave(data, ("annotators",), ())


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _NUMBER.sub("", line, count=1)


def _write(constitution: Constitution) -> str:
    texts = [principle.text for principle in constitution.principles]
    return dump([text if _bare(text) else _FOLLOWS + text for text in texts])


def _bare(text: str) -> bool:
    return _selects(text) and not text.startswith(_FOLLOWS)


FORMAT: Final = Format(
    name="icai",
    summary='lists of inverse constitutional AI: "Select the response that ..."',
    carries=frozenset({"text"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
