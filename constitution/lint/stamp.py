"""Writes `overrides_for` into a principles file: the digest of the text for which a principle's own questions were written.

The edit touches nothing else of the file (comments, order, line ends), and is read back before it is kept. Knows no rule.
"""

from __future__ import annotations

import codecs
from collections.abc import Collection
from copy import deepcopy
from pathlib import Path
from typing import Any, Final, cast

from constitution.lint.upkeep import OVERRIDES, overrides
from constitution.load import load_with_places
from constitution.model import Principle
from tenet.errors import InvalidInput, UsageError
from tenet.yamlfile import Pointer, Yaml, YamlDocument, parse_yaml

_KEY: Final = "overrides_for"


def stamp(path_or_name: str | Path, ids: Collection[str] = ()) -> tuple[str, ...]:
    """Record the present text as the one that each override of a file was written for; returns the ids that were written.

    `ids` narrows it to some principles. Principles whose overrides stand in an included file are stamped there.

    Raises:
        MissingInput, InvalidInput: the file cannot be loaded.
        UsageError: an id that the file does not have, or a layout into which the field cannot be written; then nothing is written.
    """
    loaded = load_with_places(path_or_name)
    chosen = [loaded.constitution.get(id_) for id_ in ids] or loaded.constitution.principles
    (document,) = (one for one in loaded.documents if one.path == loaded.constitution.path)
    path = cast(Path, document.path)
    raw = path.read_bytes()
    mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    text = raw[len(mark) :].decode("utf-8")
    written: list[str] = []
    for principle in chosen:
        place = _place(document, principle)
        if place is not None and principle.overrides_for != principle.text_digest:
            text = _with_digest(text, path, place, principle)
            written.append(principle.id)
    if written:
        _replace(path, mark + text.encode("utf-8"))
    return tuple(written)


def _place(document: YamlDocument, principle: Principle) -> Pointer | None:
    """Return where a file itself overrides questions of a principle, None where it does not."""
    items: Any = document.data.get("principles") if isinstance(document.data, dict) else None
    for index, item in enumerate(items or ()):
        if (
            item["id"] == principle.id
            and any(item.get(name) is not None for name in OVERRIDES)
            and overrides(principle)
        ):
            return "principles", index
    return None


def _with_digest(text: str, path: Path, place: Pointer, principle: Principle) -> str:
    """Return a file's text with the digest of one principle written or renewed."""
    document = parse_yaml(text, path)
    wanted = _expected(document.data, place, principle.text_digest)
    item = cast(dict[str, Yaml], cast(Any, document.data)["principles"][place[1]])
    value = f'{_KEY}: "{principle.text_digest}"'
    if _KEY in item:
        start = _offset(text, document.position((*place, _KEY)))
        tries = [_renewed(text, start, str(item[_KEY]), value)]
    else:
        name = next(name for name in OVERRIDES if item.get(name) is not None)
        line, column = document.position((*place, name))
        start = _offset(text, (line, column))
        end = "\r\n" if "\r\n" in text else "\n"
        block, flow = f"{value}{end}{' ' * (column - 1)}", f"{value}, "
        tries = [text[:start] + lead + text[start:] for lead in (block, flow)]
    for changed in tries:
        try:
            if parse_yaml(changed, path).data == wanted:
                return changed
        except InvalidInput:
            continue
    place_told = f"{path}:{document.position(place)[0]}"
    raise UsageError(f'{place_told}: the digest of "{principle.id}" cannot be written here', hint=f"write: {value}")


def _renewed(text: str, start: int, old: str, value: str) -> str:
    """Replace the old digest, quoted or not, after the key that begins at `start`."""
    at = text.find(old, start + len(_KEY)) if old else -1
    if at < 0:
        return text
    quoted = text[at - 1] in "\"'"
    return text[:start] + value + text[at + len(old) + quoted :]


def _expected(data: Yaml, place: Pointer, digest: str) -> Yaml:
    changed: Any = deepcopy(data)
    changed["principles"][place[1]][_KEY] = digest
    return cast(Yaml, changed)


def _offset(text: str, position: tuple[int, int]) -> int:
    line, column = position
    return sum(len(one) for one in text.splitlines(keepends=True)[: line - 1]) + column - 1


def _replace(path: Path, raw: bytes) -> None:
    """Write a file in one step: a reader sees the old or the new one."""
    target = path.resolve()
    beside = target.with_name(f".{target.name}.new")
    beside.write_bytes(raw)
    beside.chmod(target.stat().st_mode)
    beside.replace(target)
