"""LangChain's `ConstitutionalPrinciple`: name, critique_request and revision_request, as JSON or as Python source.

Reads a list of them, a table of them by name, one alone, and the spelling of LangChain.js; of Python source only
the calls with plain strings, which are looked at and never run. Writes the JSON list.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from constitution.interchange.framing import from_requests, remarks, to_requests
from constitution.interchange.source import Entry, Format, Reading, Rows, Source, dump
from constitution.model import Constitution
from tenet.yamlfile import Pointer, Yaml

_CALL: Final = "ConstitutionalPrinciple"
_SPELLINGS: Final = {"critiqueRequest": "critique_request", "revisionRequest": "revision_request"}
_KNOWN: Final = ("name", "critique_request", "revision_request", "_type")


def _sniff(source: Source) -> bool:
    data = source.data
    if data is None:
        return f"{_CALL}(" in source.text and "critique_request" in source.text
    items = data if isinstance(data, list) else [data, *(data.values() if isinstance(data, dict) else ())]
    return any(isinstance(item, dict) and "critique_request" in _spelt(item) for item in items)


def _spelt(table: dict[str, Yaml]) -> dict[str, Yaml]:
    return {_SPELLINGS.get(key, key): value for key, value in table.items()}


def _read(source: Source) -> Reading:
    reading = Reading(source.path)
    if f"{_CALL}(" in source.text and source.data is None:
        _read_python(source, reading)
    else:
        _read_json(source, reading)
    reading.remarks += remarks(reading.entries)
    return reading


def _read_json(source: Source, reading: Reading) -> None:
    rows = Rows(source, reading)
    for pointer, item in _items(rows, source.json.data):
        table = _spelt(item)
        requests = [rows.text(table, key, pointer) for key in ("critique_request", "revision_request")]
        name = table.get("name") or (pointer[-1] if pointer else "")
        rows.leave(table, _KNOWN, pointer)
        reading.entries.append(
            Entry(rows.line(pointer), from_requests(*requests), name if isinstance(name, str) else "")
        )


def _items(rows: Rows, data: Yaml) -> Iterator[tuple[Pointer, dict[str, Yaml]]]:
    if not isinstance(data, dict):
        yield from rows.tables(data)
    elif "critique_request" in _spelt(data):
        yield (), data
    else:
        for key, item in data.items():
            if isinstance(item, dict):
                yield (key,), item
            else:
                rows.reading.problem(f'"{key}" is no table', rows.line((key,)))


def _read_python(source: Source, reading: Reading) -> None:
    try:
        tree = ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reading.problem(f"not Python source: {error}", getattr(error, "lineno", None) or 1)
        return
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == _CALL]
    for node in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        given = {word.arg: word.value for word in node.keywords if word.arg}
        values = {key: item.value for key, item in given.items() if isinstance(item, ast.Constant)}
        requests = [values.get(key) for key in ("critique_request", "revision_request")]
        if all(isinstance(request, str) for request in requests):
            critique, revision = map(str, requests)
            reading.entries.append(Entry(node.lineno, from_requests(critique, revision), str(values.get("name", ""))))
        else:
            reading.problem(f"a {_CALL} whose requests are not plain strings", node.lineno, "write both out as strings")


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "id", getattr(node.func, "attr", "")))


def _write(constitution: Constitution) -> str:
    items = []
    for principle in constitution.principles:
        critique, revision = to_requests(principle)
        items.append({"name": principle.id, "critique_request": critique, "revision_request": revision})
    return dump(list(items))


FORMAT: Final = Format(
    name="langchain",
    summary="LangChain's ConstitutionalPrinciple: {name, critique_request, revision_request}",
    carries=frozenset({"id", "text", "critique", "revise"}),
    sniff=_sniff,
    read=_read,
    write=_write,
)
