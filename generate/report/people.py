"""Reads a stored calibration for the page: figures in words and the reliability curves. Knows no run and draws nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from generate.report.model import Curve, People, Series
from generate.report.source import as_mapping, read_json
from judges.calibration.store import NAME
from tenet.ids import Json

EVEN: Final = Series("as it should be", ((0.0, 0.0), (1.0, 1.0)))


def people_of(folder: Path) -> People | None:
    """What the calibration in a run's folder shows; None where there is none.

    Raises:
        InvalidInput: the file holds no JSON object.
    """
    report = as_mapping(read_json(folder / NAME).get("report"))
    if not report:
        return None
    before, after = as_mapping(report.get("before")), as_mapping(report.get("after"))
    slope, agreement = as_mapping(report.get("slope_interval")), report.get("agreement")
    facts = [
        ("Anchors", f"{report.get('anchors'):,} pairs of {report.get('prompts'):,} prompts"),
        ("Scored on", f"{report.get('scored_anchors'):,} pairs, {report.get('scored')}"),
        *((name, _change(before, after, key)) for name, key in _SCORES),
        ("Slope of the log-odds", _slope(slope)),
        ("Map", str(report.get("map"))),
    ]
    if isinstance(agreement, float):
        facts.insert(2, ("Same winner as people", f"{agreement:.1%} where both name one"))
    series = (
        Series("as the judge gave it", _points(report, "curve_before")),
        Series("calibrated", _points(report, "curve_after")),
        EVEN,
    )
    caption = "How often people preferred a response (up) of which the judge said so (across), on pairs that were not fitted on."
    return People(tuple(facts), Curve("Said and found", caption, series))


_SCORES: Final = (("Log loss", "log_loss"), ("Brier score", "brier"), ("Calibration error (ECE)", "ece"))


def _change(before: Mapping[str, Json], after: Mapping[str, Json], key: str) -> str:
    return f"{before.get(key):.3f} before, {after.get(key):.3f} after"


def _slope(slope: Mapping[str, Json]) -> str:
    high = slope.get("high")
    end = f"{high:.2f}" if isinstance(high, float) else "no bound"
    return f"{slope.get('value'):.2f} (95 %: {slope.get('low'):.2f} to {end})"


def _points(report: Mapping[str, Json], name: str) -> tuple[tuple[float, float], ...]:
    points = report.get(name)
    if not isinstance(points, list):
        return ()
    return tuple((float(one["said"]), float(one["found"])) for one in points)
