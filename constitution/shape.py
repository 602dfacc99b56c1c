"""Holds a principles file against its JSON Schema, and says in plain words what is wrong where.

Knows the shape of a file and nothing of what its parts mean to each other; that is `constitution.checks`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, cast

from constitution import codes
from tenet.errors import Problem
from tenet.yamlfile import Pointer, YamlDocument, suggest

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

_KINDS: Final = {
    "object": "a table of keys",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_PATTERNS: Final = {
    r"\S": "must not be empty",
    "^[a-z][a-z0-9]*(-[a-z0-9]+)*$": "must be lower-case words joined by hyphens, such as admit-uncertainty",
}


@cache
def schema() -> dict[str, Any]:
    """Return the published JSON Schema (draft 2020-12) of principles files."""
    loaded: dict[str, Any] = json.loads(files("constitution").joinpath("schema.json").read_text("utf-8"))
    return loaded


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


def problems(document: YamlDocument) -> list[tuple[Pointer, Problem]]:
    """Return every place where a file departs from the schema, with what is wrong there; in no special order."""
    if document.data is None:
        hint = "begin with `schema_version: 1` and `name: my-principles`"
        return [((), document.problem((), "the file is empty", hint, codes.SHAPE))]
    found = [told for error in _validator().iter_errors(document.data) for told in _told(error)]
    return [
        (pointer, document.problem(pointer, message, hint, _code(pointer)))
        for pointer, message, hint in dict.fromkeys(found)
    ]


def _code(pointer: Pointer) -> str:
    return {"weight": codes.WEIGHT, "pattern": codes.PATTERN}.get(str(pointer[-1]) if pointer else "", codes.SHAPE)


def _told(error: ValidationError) -> Iterator[tuple[Pointer, str, str]]:
    """Put one violation into words: pointer, message, hint."""
    pointer: Pointer = tuple(error.absolute_path)
    rule, wanted, schema_here, value = _parts(error)
    match rule:
        case "additionalProperties":
            known = sorted(schema_here["properties"])
            for key in value:
                if key not in known:
                    hint = suggest(key, known) or f"known here: {', '.join(known)}"
                    yield (*pointer, key), f'unknown key "{key}"{_within(pointer)}', hint
        case "required":
            missing = next(key for key in wanted if f"{key!r} is a required" in error.message)
            yield pointer, f"{name(pointer)} lacks `{missing}`", _needed(missing)
        case "anyOf":
            yield pointer, f"{name(pointer)} holds no principles", "add `principles:` with a list, or `include:`"
        case None:
            yield pointer, f"{name(pointer)} has `applies: false`, and with it no pair", "leave better and worse out"
        case _:
            yield pointer, f"{name(pointer)} {_rule(error)}", _cure(error)


def _parts(error: ValidationError) -> tuple[str | None, Any, Any, Any]:
    """Return the keyword that a value violates, the keyword's argument, the schema around it, and the value."""
    return cast("str | None", error.validator), error.validator_value, error.schema, error.instance


def _rule(error: ValidationError) -> str:
    """Say what a value must be, and what it is."""
    rule, wanted, _, value = _parts(error)
    match rule:
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            return f"must be {' or '.join(_KINDS[kind] for kind in kinds if kind != 'null')}, not {found(value)}"
        case "enum":
            return f"must be one of {', '.join(wanted)}, not {found(value)}"
        case "const":
            return f"must be {wanted}, not {found(value)}"
        case "pattern":
            return _PATTERNS[wanted] + ("" if wanted == r"\S" else f", not {found(value)}")
        case "maxLength":
            return f"must be at most {wanted:,} characters long, not {len(value):,}"
        case "exclusiveMinimum":
            return f"must be more than {wanted}, not {found(value)}"
        case "uniqueItems":
            twice = next(item for item in value if value.count(item) > 1)
            return f"holds {found(twice)} more than once"
        case _:
            return "must not be empty"


def _cure(error: ValidationError) -> str:
    rule, wanted, _, value = _parts(error)
    if rule == "enum" and isinstance(value, str):
        return suggest(value, wanted)
    if rule == "type" and "string" in wanted and isinstance(value, int | float):
        return f'put quotes around it: "{found(value)}"'
    if rule == "type" and wanted == "array" and isinstance(value, str):
        return f"write it as a list: [{value}]"
    if rule == "type" and wanted == "boolean":
        return "write true or false, without quotes; yes and no are text here"
    if rule == "exclusiveMinimum":
        return "to leave a principle out, write `status: draft` or `status: retired`"
    if rule == "const":
        return "this version of Tenet reads schema_version 1"
    return ""


def _needed(key: str) -> str:
    return {
        "schema_version": "add `schema_version: 1`",
        "id": "give it a name that stays, such as `id: admit-uncertainty`",
    }.get(key, f"add `{key}: ...`")


def name(pointer: Sequence[str | int]) -> str:
    """Write a pointer as people do: `principles[2].weight`; `the file` for the whole."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in pointer)
    return text.lstrip(".") or "the file"


def found(value: object) -> str:
    """Name a value in a message: itself if short, else its kind."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value}"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    return _KINDS["array" if isinstance(value, list) else "object"]


def _within(pointer: Pointer) -> str:
    return f" in {name(pointer)}" if pointer else ""
