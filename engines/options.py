"""Checks the options that a configuration hands on to an engine. Knows no engine's options."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from tenet.errors import UsageError
from tenet.ids import Json

Kinds = Mapping[str, type | tuple[type, ...]]


def checked(engine: str, options: Mapping[str, Json], known: Kinds) -> dict[str, Any]:
    """Return the options if their names are known and their values of the right type (None always is).

    Raises:
        UsageError: naming every option that is wrong.
    """
    wrong = [problem for name, value in options.items() if (problem := _problem(name, value, known))]
    if wrong:
        raise UsageError(f"options of the engine {engine}:\n  " + "\n  ".join(wrong))
    return dict(options)


def _problem(name: str, value: Json, known: Kinds) -> str:
    if name not in known:
        close = get_close_matches(name, known, 1)
        return f"{name}: unknown; " + (f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}")
    kind = known[name]
    kinds = kind if isinstance(kind, tuple) else (kind,)
    fits = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
    if value is None or fits:
        return ""
    return f"{name}: {value!r} is no {' or '.join(each.__name__ for each in kinds)}"
