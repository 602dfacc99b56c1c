"""What the keys of a configuration are for, what they take and what they are by default, read from its dataclass.

The words of a key stand in one place: under its field, as a text (which is what `words_under_fields` reads), or beside the key in a file
that `tenet init` writes, or in the help of the flag that sets it. Knows no particular configuration.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
import textwrap
import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import click

from tenet.config.fields import AtLeast, Between, LessThan, MoreThan, Named, Resolve, Shape

_KEY = re.compile(r"^(?P<indent> *)(?P<off># )?(?P<key>\w+):(?:| .*?)(?:  # (?P<words>.+))?$")
_PLAIN = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
_PATHS = {Resolve.ALWAYS: "path", Resolve.IF_THERE: "path or name"}


@dataclass(frozen=True)
class Key:
    """A key as the page shows it; an empty `default` is none, `required` has no default."""

    name: str
    kind: str
    default: str
    required: bool
    words: str
    holds: type | None
    """The dataclass of the table, or of the list's tables, that it takes."""


def keys_of(cls: type, words: Mapping[str, str]) -> list[Key]:
    """The keys of a configuration, in the order of its fields; `words` are for those that have none under their field.

    Raises:
        LookupError: a key that nobody says what it is for.
    """
    hints = get_type_hints(cls, include_extras=True)
    words = {**words, **words_under_fields(cls)}
    fields = [field for field in dataclasses.fields(cls) if field.init]
    if silent := [field.name for field in fields if field.name not in words]:
        raise LookupError(f"{cls.__name__}: say under the field what it is for: {', '.join(silent)}")
    return [_key(field, hints[field.name], words[field.name]) for field in fields]


def words_under_fields(cls: type) -> dict[str, str]:
    """The texts that stand under the fields of a class and of those that it builds on, by field."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(each):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and (said := _text(text)):
                found[field.target.id] = said
    return found


def words_beside_keys(text: str) -> dict[str, dict[str, str]]:
    """The comments beside the keys of a YAML file, by table (the top is "") and key; keys that are not in force count."""
    found: dict[str, dict[str, str]] = {"": {}}
    table = ""
    for line in text.splitlines():
        if (match := _KEY.match(line)) is None:
            continue
        if not match["indent"]:
            table = match["key"]
        if match["words"]:
            found.setdefault(table if match["indent"] else "", {})[match["key"]] = match["words"]
    return found


def words_of_flags(command: click.Command) -> dict[str, str]:
    """The help of a command's options by the key that each sets, without the default, which the table shows."""
    options = [one for one in command.params if isinstance(one, click.Option) and one.help and one.name]
    return {str(one.name): re.sub(r" Default: .*$", "", one.help or "") for one in options}


def as_paragraphs(docstring: str) -> list[str]:
    """A docstring without its line breaks, by paragraph."""
    return [" ".join(part.split()) for part in docstring.split("\n\n")]


def _text(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


def _key(field: dataclasses.Field[Any], hint: object, words: str) -> Key:
    value = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    required = value is dataclasses.MISSING or (
        value == "" and "example" in field.metadata
    )  # a rule of the class asks for it
    default = "" if required or dataclasses.is_dataclass(value) or value in (None, (), {}, "") else _yaml(value)
    kind, holds = _kind(hint)
    return Key(field.name, kind, default, required, words, holds)


def _kind(hint: object) -> tuple[str, type | None]:
    """What a key takes, in words, and the dataclass in it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        rules = arguments[1:]
        for rule in rules:
            if isinstance(rule, Named):
                return f"{_one_of(rule.own)}, or a plug-in's", None
            if isinstance(rule, Resolve):
                return _PATHS[rule], None
        kind, holds = _kind(arguments[0])
        return ", ".join([kind, *(said for rule in rules if (said := _rule(rule)))]), holds
    if origin in (Union, types.UnionType):
        inner = [_kind(one) for one in arguments if one not in (type(None), int)]  # a whole number is a number
        return " or ".join(kind for kind, _ in inner or [_kind(int)]), inner[0][1] if inner else None
    if origin is tuple:
        kind, holds = _kind(arguments[0])
        return f"list: {kind}", holds
    if origin is Literal:
        return _one_of(arguments), None
    if origin in (Mapping, dict):
        return "table", None
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _one_of([one.value for one in hint]), None
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        short = any(one.metadata.get("short") for one in dataclasses.fields(hint))
        return "word or table" if short else "table", hint
    assert isinstance(hint, type)
    return _PLAIN[hint], None


def _one_of(values: Any) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _rule(rule: object) -> str:
    match rule:
        case AtLeast(low):
            return f"at least {low:g}"
        case MoreThan(low):
            return f"more than {low:g}"
        case LessThan(high):
            return f"less than {high:g}"
        case Between(low, high):
            return f"{low:g} to {high:g}"
        case Shape(words=words):
            return words
    return ""


def _yaml(value: object) -> str:
    """A default as one would write it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(_yaml(one) for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        digits, _, power = f"{value:e}".partition("e")
        return f"{float(digits):g}e{int(power)}"
    if isinstance(value, int | float):
        return str(value)
    return str(value) if re.fullmatch(r"[\w./-]+", str(value)) else json.dumps(str(value))
