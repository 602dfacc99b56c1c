"""Puts the values of variables into texts: `${name}`, and `$$` for a dollar. Knows names and texts, no command and no path.

A value may name other variables. What is put in is never split or read again, so a value with spaces stays one word.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from tenet.ids import Json
from tenet.yamlfile import suggest


class Unfilled(Exception):
    """A text whose variables cannot be put in; `hint` says how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def fill(text: str, values: Mapping[str, Json], trail: tuple[str, ...] = ()) -> str:
    """The text with its variables put in; `trail` are those whose values are being filled.

    Raises:
        Unfilled: a variable that is not there or leads back to itself, or a lone `$`.
    """
    template = Template(text)
    if not template.is_valid():
        raise Unfilled(f"a $ that begins no variable: {text}", "write ${name} for a variable, $$ for a dollar")
    return template.substitute({name: _value(name, values, trail) for name in template.get_identifiers()})


def _value(name: str, values: Mapping[str, Json], trail: tuple[str, ...]) -> str:
    if name not in values:
        raise Unfilled(f"there is no variable {name} here", _where(name, values))
    if name in trail:
        raise Unfilled(f"the variable {name} leads back to itself: {' -> '.join([*trail, name])}")
    value = values[name]
    return fill(value, values, (*trail, name)) if isinstance(value, str) else _text(value)


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _where(name: str, values: Mapping[str, Json]) -> str:
    if name in ("round", "previous"):
        return "rounds are for stages with repeat: true; the last one is ${rounds}"
    return suggest(name, values) or f"the variables are {', '.join(values)}"
