"""Reads the other files that an evaluation writes: comparison.json, curve.json and reward-evaluation.json. Knows no run and no training.

The files are the contract between training and this page; they are told apart by what they hold, not by their names. What they lack is
left out, and an unknown key is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generate.report.model import Curve, CurveView, Series, TableView
from generate.report.source import as_mapping, read_json
from generate.report.words import MINUS, number, percent
from tenet.errors import MissingInput
from tenet.ids import Json

NAMES: Final = ("evaluation.json", "comparison.json", "curve.json", "reward-evaluation.json")


@dataclass(frozen=True)
class Measured:
    """What was found: the newest evaluation (its file, if there is one), curves, comparisons and reward models."""

    evaluation: Path | None = None
    curves: tuple[CurveView, ...] = ()
    comparisons: tuple[TableView, ...] = ()
    rewards: tuple[TableView, ...] = ()


def measured_in(places: Sequence[Path], *, named: bool = False) -> Measured:
    """What lies in files and folders. Of several evaluations the newest counts.

    Args:
        places: files, or folders that hold files of the names above, themselves or one folder below.
        named: whether a person named these places, so that each must hold something.

    Raises:
        MissingInput: a named place holds nothing of the kind.
        InvalidInput: a file does not read back.
    """
    files: list[Path] = []
    for place in places:
        found = [place] if place.is_file() else [*_files(place)]
        if named and not found:
            raise MissingInput(
                f"{place}: no evaluation in it", hint=f"a file or a folder that holds {', '.join(NAMES)}"
            )
        files += found
    held = [(path, read_json(path)) for path in dict.fromkeys(files)]
    newest = max(
        (path for path, value in held if "attributes" in value), key=lambda path: path.stat().st_mtime_ns, default=None
    )
    return Measured(
        newest,
        tuple(curve_of(value) for _, value in held if "checkpoints" in value),
        tuple(comparison_of(value) for _, value in held if "models" in value),
        tuple(reward_of(value) for _, value in held if "reward_model" in value),
    )


def curve_of(value: Mapping[str, Json]) -> CurveView:
    """A curve.json as curves over the training's steps: proxy, gold, and the distance from the base where it was measured."""
    points = [as_mapping(one) for one in _listed(value.get("checkpoints"))]
    steps = [_float(one.get("step")) for one in points]
    at, falls = (as_mapping(value.get("parting")).get(key) for key in ("at", "gold_falls_at"))
    mark = steps[at] if isinstance(at, int) and 0 <= at < len(steps) else None
    told = {
        "proxy": [_estimate(as_mapping(one.get("proxy"))) for one in points],
        "gold": [_estimate(as_mapping(one.get("gold"))) for one in points],
        "KL": [
            _estimate(as_mapping(as_mapping(as_mapping(one.get("kl")).get("nats_per_response")).get("k1")))
            for one in points
        ],
        "words": [_estimate(as_mapping(one.get("words"))) for one in points],
    }
    says = {
        "proxy": (f"Proxy: {value.get('proxy')}", "What the training was after, over its steps."),
        "gold": (f"Gold: {value.get('gold')}", "What it is held against, over its steps."),
        "KL": ("Distance from the base", "KL in nats an answer, over the training's steps."),
    }
    plots = []
    for key, (title, caption) in says.items():
        line = tuple((x, y[0]) for x, y in zip(steps, told[key], strict=True) if y is not None)
        plots += [Curve(title, caption, (Series(key, line),), mark)] if line else []
    digits = {"KL": 1, "proxy": 3, "gold": 3, "words": 1}
    rows = []
    for place, one in enumerate(points):
        remark = [
            word
            for word, where in (("proxy and gold part", at), ("gold is lower than it was", falls))
            if where == place
        ]
        rows.append(
            (str(one.get("name")), *(_words(told[key][place], digits[key]) for key in digits), ", ".join(remark))
        )
    return CurveView(
        str(value.get("proxy")), str(value.get("gold")), tuple(plots), tuple(rows),
        str(as_mapping(value.get("parting")).get("rule", "")), str(value.get("warning") or ""), isinstance(falls, int),
        _texts(value.get("self_judged_because")),
    )  # fmt: skip


def reward_of(value: Mapping[str, Json]) -> TableView:
    """A reward-evaluation.json as a table."""
    rows = []
    for one in map(as_mapping, _listed(value.get("rows"))):
        model, length = as_mapping(one.get("model")), as_mapping(one.get("length_only"))
        name = str(one.get("name")) if one.get("column") == "all" else f"{one.get('column')}: {one.get('name')}"
        cells = [_share(model.get("accuracy")), _share(length.get("accuracy"))]
        cells += [
            _words(_estimate(as_mapping(held)), 3)
            for held in (model.get("log_loss"), length.get("log_loss"), model.get("ece"))
        ]
        rows.append((name, f"{one.get('pairs'):,}" if isinstance(one.get("pairs"), int) else "", *cells))
    whole = next((one for one in map(as_mapping, _listed(value.get("rows"))) if one.get("column") == "all"), {})
    right, alone = (
        _estimate(as_mapping(as_mapping(whole.get(key)).get("accuracy"))) for key in ("model", "length_only")
    )
    worse = ["It ranks the pairs no better than their lengths alone do: it may have learnt length, or nothing."]
    lesson = worse if right and alone and right[0] <= alone[0] else []
    left_out = [f"Left out, {reason}: {count}." for reason, count in as_mapping(value.get("left_out")).items()]
    head = ("pairs of", "pairs", "accuracy", "length only", "log loss", "length only", "calibration error")
    caption = (
        f"Reward model {value.get('reward_model')} on pairs that it has not seen, beside a fit on their lengths alone"
    )
    return TableView(caption, head, tuple(rows), (*lesson, *_texts(value.get("notes")), *left_out))


def comparison_of(value: Mapping[str, Json]) -> TableView:
    """A comparison.json as a table of rates, a column a model; figures of a judge that is not independent come last."""
    models = [as_mapping(one) for one in _listed(value.get("models"))]
    names = tuple(str(one.get("name")) for one in models)
    kept: dict[str, list[str]] = {}
    base: dict[str, str] = {}
    for place, model in enumerate(models):
        for one in map(as_mapping, (*_listed(model.get("attributes")), *_listed(model.get("behaviour")))):
            if one.get("kind") == "rate":
                name = str(one.get("name")).replace("_", " ")
                base.setdefault(name, _share(one.get("base")))
                kept.setdefault(name, [""] * len(models))[place] = _share(one.get("trained"))
    judges = [as_mapping(one.get("judge")) for one in models]
    own = any(judge.get("self_judged") is True for judge in judges)
    last = (
        "preferred to the base" + (" (self-judged)" if own else ""),
        "",
        *(_share(judge.get("win_rate")) for judge in judges),
    )
    rows = [(name, base[name], *cells) for name, cells in kept.items()]
    rows += [last] if any(judges) else []
    return TableView("Several trained policies beside one base", ("", "base", *names), tuple(rows))


def _files(folder: Path) -> Iterable[Path]:
    return sorted(path for name in NAMES for path in (*folder.glob(name), *folder.glob(f"*/{name}")) if path.is_file())


def _estimate(value: Mapping[str, Json]) -> tuple[float, float, float] | None:
    numbers = [value.get(key) for key in ("value", "low", "high")]
    if not all(isinstance(one, int | float) for one in numbers):
        return None
    at, low, high = (_float(one) for one in numbers)
    return at, low, high


def _words(value: tuple[float, float, float] | None, digits: int) -> str:
    if value is None:
        return ""
    at, low, high = (number(one, digits) for one in value)
    return f"{at} ({low} to {high})".replace("-", MINUS)


def _share(value: Json) -> str:
    found = _estimate(as_mapping(value))
    return "" if found is None else f"{percent(found[0])} ({100 * found[1]:.0f} to {100 * found[2]:.0f})"


def _float(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(one) for one in _listed(value))


def _listed(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()
