"""What a report shows of people: their labels beside the judge, a calibration on them, and the blends made of both. Plain records, as in
`generate.report.model`; where they come from is `generate.report.people`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generate.report.model import Curve, Rate


@dataclass(frozen=True)
class PersonRow:
    """One annotator: labels about pairs of this run, those that say neither, and the share of the rest that name the judge's winner."""

    name: str
    labels: int
    ties: int
    skips: int
    with_judge: Rate | None = None


@dataclass(frozen=True)
class Labels:
    """What people said of a run's pairs. `unused` counts labels that say nothing of a pair here, by reason; skips are not among them.

    `with_judge`: of the pairs where both judge and most people name a winner, the share with the same one.
    """

    labels: int
    pairs: int
    rows: tuple[PersonRow, ...]
    unused: tuple[tuple[str, int], ...] = ()
    with_judge: Rate | None = None


@dataclass(frozen=True)
class Fit:
    """How the judge's probabilities fit labels of people: figures in words, the reliability curves before and after, and how many pairs
    each point of them stands for.
    """

    facts: tuple[tuple[str, str], ...]
    curve: Curve
    points: tuple[tuple[str, str, str, str], ...] = ()


@dataclass(frozen=True)
class BlendView:
    """One blend of the judge's labels and people's. `sources` counts rows by where their probability came from, `dropped` pairs left out
    by reason; `files` are name, rows and checksum.
    """

    name: str
    strategy: str
    rows: int
    labelled: int
    conflicts: int
    sources: tuple[tuple[str, int, float], ...]
    dropped: tuple[tuple[str, int], ...] = ()
    settings: str = ""
    files: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class People:
    """Everything about people; each part is None or empty where there is none."""

    labels: Labels | None = None
    fit: Fit | None = None
    blends: tuple[BlendView, ...] = ()
