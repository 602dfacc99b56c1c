"""Lays `--set key=value` over a configuration: dotted keys, values as YAML. Knows no dataclass.

An overridden value keeps its text beside its reading, so that `name=42` can still be the name "42".
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from tenet.config.fields import Pointer
from tenet.errors import InvalidInput, Problem
from tenet.yamlfile import Yaml, parse_yaml


@dataclass(frozen=True)
class Override:
    """A value given on the command line: the text after the first `=`, what it reads as in YAML, and the
    whole word.
    """

    text: str
    value: Yaml
    word: str


def overlay(data: dict[str, object], words: Sequence[str]) -> tuple[dict[str, object], list[Problem]]:
    """The data with each `key=value` put in its place (an `Override`), and what was wrong with the words."""
    result = deepcopy(data)
    problems: list[Problem] = []
    for word in words:
        try:
            _put(result, word)
        except ValueError as error:
            problems.append(
                Problem(f"--set {word}: {error}", hint="write --set key=value, as in: --set judge.prefill=Answer:")
            )
    return result, problems


def plain(value: object) -> object:
    """A value with what is overridden inside it read as YAML."""
    if isinstance(value, Override):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _put(data: dict[str, object], word: str) -> None:
    key, equals, text = word.partition("=")
    path: Pointer = tuple(int(part) if part.isdigit() else part for part in key.strip().split("."))
    if not equals or not all(str(part) for part in path):
        raise ValueError("there is no key and value in it")
    *parents, last = path
    place: object = data
    for part in parents:
        place = _below(place, part)
    place, last = _single(place, last)
    new = Override(text, _read(text), word)
    if isinstance(place, dict):
        place[str(last)] = new
    elif isinstance(place, list) and isinstance(last, int) and last <= len(place):
        place[last:] = [new, *place[last + 1 :]]
    else:
        raise ValueError(f"there is no {last} to set")


def _below(place: object, part: str | int) -> object:
    """Step down one key; what is not there becomes a table."""
    place, part = _single(place, part)
    if isinstance(place, list) and isinstance(part, int) and part < len(place):
        return place[part]
    if not isinstance(place, dict):
        raise ValueError(f"there is no {part} to step into")
    if part == 0 and "0" not in place:
        return place
    found = place.get(str(part))
    if plain(found) is None:
        found = place[str(part)] = {}
    if not isinstance(found, dict | list):
        raise ValueError(f"{part} is no table")
    return found


def _single(place: object, part: str | int) -> tuple[object, str | int]:
    """Let one table stand for a list of one: `policy.samples` reaches the only policy, and `policy.0.samples`
    a lone table.
    """
    if isinstance(place, list) and isinstance(part, str):
        if len(place) != 1:
            raise ValueError(f"there are {len(place)} of them: say which, by number from 0")
        return place[0], part
    return place, part


def _read(text: str) -> Yaml:
    if not text.strip():
        return ""
    if text == "-":  # in YAML a list of nothing; people mean standard input, or a text
        return text
    try:
        return parse_yaml(text).data
    except InvalidInput:
        return text
