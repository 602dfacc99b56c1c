"""Finds principles files: a path as it is given, a path beside the file that includes it, or the name of a shipped one.

Knows nothing of what they hold. A path that is not there is an error and never turns into a shipped file; a
bare name does.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

from principles import GROUPS
from tenet.errors import MissingInput
from tenet.yamlfile import suggest

_NAME: Final = re.compile(r"[a-z][a-z0-9-]*(/[a-z][a-z0-9-]*)*")
_GENERAL: Final = [name for names in GROUPS.values() for name in names]


def shipped() -> dict[str, Path]:
    """Return the principles files that come with Tenet: name (`honesty`, `pocket/courteous`) to path.

    General files come first, in the order of `principles.GROUPS`; the others follow by name.
    """
    root = Path(str(files("principles")))
    found = {path.relative_to(root).with_suffix("").as_posix(): path for path in root.rglob("*.yaml")}
    names = [*(name for name in _GENERAL if name in found), *sorted(found.keys() - set(_GENERAL))]
    return {name: found[name] for name in names}


def find(path_or_name: str | Path, beside: Path | None = None) -> Path:
    """Return the path of a principles file; relative paths start at the folder of `beside`, or at the current one.

    Raises:
        MissingInput: there is no such file and no shipped one of this name; with the nearest shipped name.
    """
    path = Path(path_or_name).expanduser()
    here = path if beside is None else beside.parent / path
    if _is_file(here):
        return here
    library = shipped()
    name = str(path_or_name)
    if _NAME.fullmatch(name) and name in library:
        return library[name]
    raise MissingInput(f"no principles file {name}", hint=_hint(name, here, library))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _hint(name: str, here: Path, library: dict[str, Path]) -> str:
    bare = re.sub(r"^(.*/)?principles/|\.ya?ml$", "", name)
    if bare in library and bare != name:
        return f"a shipped file goes by its bare name: {bare}"
    shorter = {short.rpartition("/")[2]: short for short in library}
    if bare in shorter:
        return f'did you mean "{shorter[bare]}"?'
    near = suggest(bare, library)
    place = f"there is no file {here}" if str(here) != name else ""
    return "; ".join(part for part in (place, near or f"shipped files: {', '.join(library)}") if part)
