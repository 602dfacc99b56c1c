"""Builds a dataclass from plain values by its type hints, and collects everything that is wrong on the way.
Knows no file format.

A field may be str, int, float, bool, a string enum, Literal, a dataclass, a mapping of plain values, a tuple
of these (one value may stand for a tuple of one), Optional, or Annotated with what `tenet.config.fields`
offers. Null takes a field's default. A dataclass that marks a field `metadata={"short": True}` may be written as
a text, which is that field. A class may say in `INSTEAD: ClassVar[Mapping[str, str]]` what to write for keys that
people know from elsewhere.
"""

from __future__ import annotations

import dataclasses
import math
import os
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from tenet.config.fields import Complaining, Named, Pointer, Resolve
from tenet.config.overrides import Override, plain
from tenet.yamlfile import suggest


class Bad:
    """Stands for a value that could not be built; its problem is on the list."""


BAD = Bad()


@dataclass(frozen=True)
class Finding:
    """One thing wrong: where (`override` where it came from the command line), what, and how to mend it."""

    pointer: Pointer
    message: str
    hint: str = ""
    override: Override | None = None


@dataclass
class Builder:
    """Builds from values whose relative paths are meant from `base`; those of overrides are meant from
    `here`.
    """

    base: Path
    here: Path
    findings: list[Finding] = field(default_factory=list)

    def build(self, cls: type, value: object, at: Pointer = ()) -> Any:
        """An instance of a dataclass, or BAD with findings."""
        override = value if isinstance(value, Override) else None
        if override is not None:
            value = _spread(override)
        if isinstance(value, str) and (short := _short_form(cls)):
            value = {short: _again(value, override)}
        if not isinstance(value, Mapping):
            return self._mismatch(f"a table of {', '.join(_keys(cls))}", value, override, at)
        hints = get_type_hints(cls, include_extras=True)
        fields = {part.name: part for part in dataclasses.fields(cls) if part.init}
        built: dict[str, Any] = {}
        for key, item in value.items():
            if key not in fields:
                self._unknown(key, item, (*at, key), list(fields), getattr(cls, "INSTEAD", {}))
            elif not (_absent(item) and _optional_key(fields[key]) and not _nullable(hints[key])):
                built[key] = self._value(hints[key], item, (*at, key))
        for name, part in fields.items():
            if name not in value and not _optional_key(part):
                self._bad((*at, name), "is missing", _example(part))
                built[name] = BAD
        if any(item is BAD for item in built.values()) or any(key not in fields for key in value):
            return BAD
        return self._checked(cls(**built), at)

    def _checked(self, made: object, at: Pointer) -> Any:
        complaints = list(made.complaints()) if isinstance(made, Complaining) else []
        for complaint in complaints:
            self._bad((*at, *complaint.key), complaint.message, complaint.hint)
        return BAD if complaints else made

    def _value(self, hint: object, value: object, at: Pointer) -> Any:
        given, override = (value.value, value) if isinstance(value, Override) else (value, None)
        rules: tuple[object, ...] = ()
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            rules = tuple(extras)
        made = self._typed(hint, given, override, at)
        for rule in rules:
            if made is BAD or made is None:
                break
            if isinstance(rule, Resolve):
                made = self._path(made, rule, override, at)
            elif isinstance(rule, Named):
                made = made if rule.knows(made) else self._choice(made, rule.all, override, at)
            elif objection := getattr(rule, "objection", lambda _: "")(made):
                made = self._bad(at, f"{objection}, not {made!r}", override=override)
        return made

    def _typed(self, hint: object, value: object, override: Override | None, at: Pointer) -> Any:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return self._union(arguments, value, override, at)
        if origin is Literal:
            return value if value in arguments else self._choice(value, arguments, override, at)
        if origin is tuple:
            items = value if isinstance(value, list | tuple) else [value]
            made = tuple(
                self._value(arguments[0], _again(item, override), (*at, index) if isinstance(value, list) else at)
                for index, item in enumerate(items)
            )
            return BAD if BAD in made else made
        if origin in (Mapping, dict) or hint in (Mapping, dict):
            return plain(value) if isinstance(value, Mapping) else self._mismatch("a table", value, override, at)
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            known = tuple(member.value for member in hint)
            return hint(value) if value in known else self._choice(value, known, override, at)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return self.build(hint, override or value, at)
        return self._scalar(hint, value, override, at)

    def _union(self, options: Sequence[object], value: object, override: Override | None, at: Pointer) -> Any:
        if value is None and type(None) in options:
            return None
        found: list[Finding] = []
        for option in options:
            if option is not type(None):
                trial = Builder(self.base, self.here)
                made = trial._value(option, _again(value, override), at)
                if made is not BAD:
                    return made
                found = found or trial.findings
        self.findings += found
        return BAD

    def _scalar(self, hint: object, value: object, override: Override | None, at: Pointer) -> Any:
        if hint is str:
            if isinstance(value, str) or (override and isinstance(value, int | float)):
                return override.text if override else value
            quoted = f'to mean a text, put it in quotes: "{value}"' if isinstance(value, int | float) else ""
            return self._mismatch("a text", value, override, at, quoted)
        if hint is bool:
            return (
                value
                if isinstance(value, bool)
                else self._mismatch("true or false", value, override, at, "write true or false")
            )
        if hint in (int, float):
            fits = isinstance(value, int | float if hint is float else int) and not isinstance(value, bool)
            name = "a number" if hint is float else "a whole number"
            if not fits or not math.isfinite(cast("float", value)):
                return self._mismatch(name, value, override, at, f"write {name}, such as {3 if hint is int else 0.5}")
            return float(cast("float", value)) if hint is float else value
        return plain(value)

    def _path(self, text: str, rule: Resolve, override: Override | None, at: Pointer) -> Any:
        if not text and rule is Resolve.IF_THERE:
            return text
        base = self.here if override else self.base
        full = Path(os.path.normpath(base / Path(text).expanduser()))
        if full.exists():
            return str(full)
        looks = text.startswith(("./", "../", ".\\", "..\\", "/", "~")) or Path(text).is_absolute()
        if rule is Resolve.IF_THERE and not looks:
            return text
        near = suggest(full.name, [entry.name for entry in full.parent.iterdir()]) if full.parent.is_dir() else ""
        meant = f"relative paths are meant from {base}"
        if text == "-":
            meant = "standard input is not read: write it to a file, and name that"
        return self._bad(at, f"there is no {full}", near or meant, override=override)

    def _choice(self, value: object, known: Sequence[object], override: Override | None, at: Pointer) -> Bad:
        names = [str(name) for name in known]
        hint = suggest(value, names) if isinstance(value, str) else ""
        return self._bad(at, f"{value!r} is none of {', '.join(names)}", hint, override=override)

    def _mismatch(self, wanted: str, value: object, override: Override | None, at: Pointer, hint: str = "") -> Bad:
        return self._bad(at, f"expected {wanted}, found {_kind(value)}", hint, override=override)

    def _unknown(self, key: str, value: object, at: Pointer, known: Sequence[str], instead: Mapping[str, str]) -> None:
        hint = instead.get(key) or suggest(key, known) or f"the keys here are {', '.join(known)}"
        self._bad(at, "unknown key", hint, override=value if isinstance(value, Override) else None)

    def _bad(self, at: Pointer, message: str, hint: str = "", *, override: Override | None = None) -> Bad:
        self.findings.append(Finding(at, message, hint, override))
        return BAD


def _again(value: object, override: Override | None) -> object:
    """A part of an overridden value is an override too."""
    if override is None or isinstance(value, Override):
        return value
    whole = value is override.value
    return Override(override.text if whole else str(value), value, override.word)  # type: ignore[arg-type]


def _spread(override: Override) -> object:
    if isinstance(override.value, Mapping):
        return {key: _again(item, override) for key, item in override.value.items()}
    return override.value


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, Override) and value.value is None)


def _nullable(hint: object) -> bool:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return type(None) in get_args(hint)


def _optional_key(part: dataclasses.Field[Any]) -> bool:
    return part.default is not dataclasses.MISSING or part.default_factory is not dataclasses.MISSING


def _example(part: dataclasses.Field[Any]) -> str:
    example = part.metadata.get("example", "")
    return f"add, for example: {part.name}: {example}" if example else ""


def _short_form(cls: type) -> str:
    """The field that a lone text stands for; empty where a class has none."""
    return next((part.name for part in dataclasses.fields(cls) if part.metadata.get("short")), "")


def _keys(cls: type) -> list[str]:
    return [part.name for part in dataclasses.fields(cls) if part.init]


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 40 else f"the text {value[:37]!r}..."
    return "a table" if isinstance(value, Mapping) else "a list"
