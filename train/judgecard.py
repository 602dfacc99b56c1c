"""What is known of the judge that made a data set's labels, for the model card: agreement with people, and its steadiness.

Reads the `card.json` of the run that a data set lies in; works nothing out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tenet.ids import Json

_FIGURES: Final = ("accuracy", "human_ceiling", "cohen_kappa", "flip_rate", "first_slot_rate", "calibration_error")
_WORDS: Final = {
    "accuracy": ("gave the verdict of most people", True),
    "human_ceiling": ("one person against the others", True),
    "cohen_kappa": ("agreement beyond chance (kappa)", False),
    "flip_rate": ("changed its verdict with the order", True),
    "first_slot_rate": ("preferred the response shown first", True),
    "calibration_error": ("mean distance of certainty and share right", False),
}
_LEVELS: Final = 3
_UNVALIDATED: Final = (
    "**Unvalidated**: no labels of people stand beside this judge's, so nothing says whether people would agree."
)


def judge_card_of(data: Path | None) -> dict[str, Json] | None:
    """Find the judge card that belongs to a data set; None where there is none.

    Returns:
        `validated`, and under `judges` each judge's figures with `value`, `low` and `high`.
    """
    if data is None:
        return None
    folders = [data.absolute(), *data.absolute().parents][: _LEVELS + 1]
    for folder in folders:
        value = _read(folder / "card.json")
        if value is not None and isinstance(value.get("judges"), Mapping):
            judges = {name: _figures(figures) for name, figures in value["judges"].items()}
            return {"validated": value.get("validated") is True, "judges": judges}
        if (folder / "run.json").is_file():
            return None
    return None


def trust(card: Mapping[str, Any] | None) -> Iterator[str]:
    """Say in Markdown how far the judge may be trusted."""
    if card is None:
        yield "The judge has no card (`tenet card RUN` makes one): " + _UNVALIDATED
        return
    if not card["validated"]:
        yield _UNVALIDATED
    for name, figures in card["judges"].items():
        told = [_told(key, figure) for key, figure in figures.items()]
        if told:
            yield f"- {name}: {'; '.join(told)}"


def _told(key: str, figure: Mapping[str, Any]) -> str:
    words, share = _WORDS[key]
    low, high = figure.get("low"), figure.get("high")
    between = f" ({_number(low, share)} to {_number(high, share)})" if low is not None and high is not None else ""
    return f"{words}: {_number(figure['value'], share)}{between}"


def _number(value: float, share: bool) -> str:
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"


def _figures(figures: Any) -> dict[str, Json]:
    if not isinstance(figures, Mapping):
        return {}
    return {
        key: {name: figures[key].get(name) for name in ("value", "low", "high")}
        for key in _FIGURES
        if isinstance(figures.get(key), Mapping) and isinstance(figures[key].get("value"), int | float)
    }


def _read(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
