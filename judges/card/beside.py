"""What other commands have found out about a run's judges, for its card: the calibration, a panel's weights, audits. Works nothing out.

Reads the files that they left in the run's folder (`calibration.json`, `panel.json`, `audit.json`). What is not there is left out; of
an audit every number, text and truth value is taken, nested ones under dotted names, so that a new probe needs no change here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tenet.errors import InvalidInput, Problem
from tenet.ids import Json

Told = Mapping[str, Json]
_SCORES: Final = ("log_loss", "brier", "ece")
_TEXT: Final = 80
_ANEW: Final = "make it again with the command that wrote it, or delete it"


def beside(folder: Path) -> dict[str, dict[str, Json]]:
    """What is known beside the card's own figures, by section and name; sections without a file are absent.

    Raises:
        InvalidInput: a file is no JSON object.
    """
    found = {title: dict(read(told)) for title, (name, read) in _FILES.items() if (told := _object(folder / name))}
    return {title: figures for title, figures in found.items() if figures}


def _object(path: Path) -> Told | None:
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{path} cannot be read", [Problem(str(error), path, hint=_ANEW)]) from error
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{path} cannot be read", [Problem("is no JSON object", path, hint=_ANEW)])
    return value


def _calibration(told: Told) -> Iterator[tuple[str, Json]]:
    report = _mapping(told.get("report"))
    fit = _mapping(told.get("fit"))
    yield from ((name, fit[name]) for name in ("map", "slope") if name in fit)
    yield from ((name, report[name]) for name in ("anchors", "prompts", "scored", "scored_anchors") if name in report)
    for when in ("before", "after"):
        scores = _mapping(report.get(when))
        yield from ((f"{name}_{when}", scores[name]) for name in _SCORES if name in scores)


def _panel(told: Told) -> Iterator[tuple[str, Json]]:
    yield from ((name, told[name]) for name in ("learnt_from", "anchors", "slope") if name in told)
    yield from ((f"right in one order: {name}", share) for name, share in _mapping(told.get("accuracies")).items())


def _audit(told: Told, prefix: str = "") -> Iterator[tuple[str, Json]]:
    for name, value in told.items():
        if isinstance(value, Mapping):
            yield from _audit(value, f"{prefix}{name}.")
        elif isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _TEXT):
            yield f"{prefix}{name}", value


def _mapping(value: Json) -> Told:
    return value if isinstance(value, Mapping) else {}


_FILES: Final[Mapping[str, tuple[str, Callable[[Told], Iterator[tuple[str, Json]]]]]] = {
    "calibration": ("calibration.json", _calibration),
    "panel": ("panel.json", _panel),
    "audit": ("audit.json", _audit),
}
