"""Decodes rows written as JSON, and rows that are plain text. Knows no file handling.

JSON is read strictly where leniency loses data: a key that stands twice in one row is a problem, not a race
that the last one wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tenet.errors import InvalidInput, Problem


class DuplicateKeyError(ValueError):
    """A table that holds a key twice."""


def decode(line: str) -> tuple[object, str]:
    """The value of one line of JSON and no problem, or None and what is wrong with it."""
    try:
        return _loads(line), ""
    except DuplicateKeyError as error:
        return None, str(error)
    except json.JSONDecodeError as error:
        return None, f"not JSON: {error.msg} (column {error.colno})"
    except RecursionError:
        return None, "JSON nested too deep"


def plain(line: str) -> tuple[object, str]:
    """A line of plain text without the white space around it."""
    return line.strip(), ""


def array(raw: bytes, path: Path) -> Iterator[object]:
    """The items of a file that is one JSON array.

    Raises:
        InvalidInput: it is not UTF-8, not JSON, or no array.
    """
    try:
        value = _loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = Problem("bytes that are no UTF-8 text", path, line, hint="save it as UTF-8")
        raise InvalidInput(f"{path} is not UTF-8", [problem]) from error
    except json.JSONDecodeError as error:
        hint = "a .json file holds one list of rows; a .jsonl file one row a line"
        problem = Problem(error.msg, path, error.lineno, error.colno, hint)
        raise InvalidInput(f"{path} is not JSON", [problem]) from error
    except DuplicateKeyError as error:
        raise InvalidInput(f"{path} cannot be read", [Problem(str(error), path, hint="keep one of them")]) from error
    except RecursionError as error:
        problem = Problem("JSON nested too deep", path, hint="write one flat table a row")
        raise InvalidInput(f"{path} cannot be read", [problem]) from error
    if not isinstance(value, list):
        hint = "or one row a line, in a .jsonl file"
        raise InvalidInput(f"{path} holds no rows", [Problem("expected a list of rows", path, 1, hint=hint)])
    yield from value


def _loads(text: str) -> object:
    return json.loads(text, object_pairs_hook=_table)


def _table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DuplicateKeyError(f'the key "{twice}" stands twice')
    return table
