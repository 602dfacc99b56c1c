"""Draws a `ReportData` as one self-contained HTML page: no script, no address to fetch, every text escaped.

Knows how things look and not where they come from. Whatever a model or a user wrote is escaped by the template
engine; the page's own Content-Security-Policy forbids scripts and loading besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from generate.report import plots, words
from generate.report.costs import total_of
from generate.report.model import CurveView, ReportData, Training
from tenet.console import money, plural

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_FILES, MOST_PEOPLE = 400, 50
"""Most rows of files and of annotators; the page says how many more there are."""
TEMPLATES: Final = Path(__file__).resolve().parent / "templates"


@cache
def environment() -> Environment:
    """The templates of pages, with the filters that write numbers."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        percent=words.percent, between=words.between, points=words.points, change_between=words.change_between,
        number=words.number, money=money, tokens=words.tokens, seconds=words.seconds, short=plots.short,
    )  # fmt: skip
    env.globals.update(
        plural=plural, share_of=plots.share_of, order_cells=plots.order_cells, intervals=plots.intervals,
        most_files=MOST_FILES, most_people=MOST_PEOPLE,
    )  # fmt: skip
    return env


def _edge(value: float) -> str:
    return f"{value:.2f}"


def render(data: ReportData) -> str:
    """The page as HTML text. Equal data give equal text, byte for byte."""
    certainty = (
        plots.bars(data.margins.certainty, "probability of the winner", _edge, every=4) if data.margins else None
    )
    mass = (
        plots.bars(data.label_mass.histogram, "P(A) + P(B)", lambda v: f"{v:.1f}", height=110, every=4)
        if data.label_mass
        else None
    )
    people = plots.lines(data.people.fit.curve) if data.people and data.people.fit else None
    page = environment().get_template("report.html.jinja")
    blends = data.people.blends if data.people else ()
    return page.render(
        data=data, certainty=certainty, mass=mass, people=people, **drawn(data.trainings, data.curves),
        total=total_of(data.costs), blend_sources=list(dict.fromkeys(name for one in blends for name, _, _ in one.sources)),
    )  # fmt: skip


def drawn(trainings: Sequence[Training], views: Sequence[CurveView]) -> dict[str, object]:
    """The plots of trainings and of their checkpoints, as the templates name them; what has one point only is told in words."""
    curves = [
        (
            training,
            [plot for one in training.curves if plots.is_line(one) and (plot := plots.lines(one))],
            [
                (f"{one.title}, {series.label}", plots.short(series.points[-1][1]))
                for one in training.curves
                if not plots.is_line(one)
                for series in one.series
            ],
        )
        for training in trainings
    ]
    parted = [(view, [plot for one in view.plots if (plot := plots.lines(one))]) for view in views]
    return {"curves": curves, "parted": parted}
