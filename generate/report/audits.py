"""Reads `audit.json` for the page and the dataset card: the figures of `generate.audit.model`, as people read them. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from generate.report.model import AuditRow
from generate.report.source import as_mapping
from generate.report.words import MINUS, percent
from tenet.ids import Json

DIFFERENCES: Final = frozenset({"injection", "sycophancy", "length", "self-preference"})
"""Audits whose figure is a difference of shares; that of the others is a share."""
AT_LEAST: Final = frozenset({"steerability"})
"""Audits whose limit is the least that is well; that of the others is the most."""


def audit_rows(told: Mapping[str, Json]) -> tuple[AuditRow, ...]:
    """The audits of a run in the order of the file; none where it is empty."""
    audits = told.get("audits")
    return tuple(_row(as_mapping(one)) for one in audits) if isinstance(audits, list) else ()


def figure(name: str, value: float) -> str:
    """A figure of an audit: a share in per cent, a difference in points with its sign."""
    return signed(value) if name in DIFFERENCES else percent(value, 1)


def limit(name: str, value: float) -> str:
    """What is well, in words."""
    return f"{'at least' if name in AT_LEAST else 'at most'} {figure(name, value)}"


def signed(value: float) -> str:
    """A difference of shares in percentage points, to a tenth, with its sign."""
    return f"{100 * value:+.1f}".replace("-", MINUS)


def _row(one: Mapping[str, Json]) -> AuditRow:
    name = str(one.get("name", ""))
    value, low, high, most = (_number(one.get(key)) for key in ("value", "value_low", "value_high", "limit"))
    return AuditRow(
        name=name,
        figure=str(one.get("figure", "")),
        value="" if value is None else figure(name, value),
        interval="" if low is None or high is None else f"{figure(name, low)} to {figure(name, high)}",
        limit="" if most is None else limit(name, most),
        result=str(one.get("result", "")),
        says=str(one.get("says", "")),
    )


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
