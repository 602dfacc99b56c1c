"""Draws a `ReportData` as one self-contained HTML page: no script, no address to fetch, every text escaped.

Knows how things look and not where they come from. Whatever a model or a user wrote is escaped by the template
engine; the page's own Content-Security-Policy forbids scripts and loading besides.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from generate.report import plots, words
from generate.report.model import ReportData

if TYPE_CHECKING:
    from jinja2 import Environment

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
        number=words.number, tokens=words.tokens, seconds=words.seconds, short=plots.short,
    )  # fmt: skip
    env.globals.update(
        plural=words.plural, share_of=plots.share_of, order_cells=plots.order_cells, intervals=plots.intervals
    )
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
    curves = [
        (training, [plot for curve in training.curves if (plot := plots.lines(curve))]) for training in data.trainings
    ]
    people = plots.lines(data.people.curve) if data.people else None
    parted = [(view, [plot for one in view.plots if (plot := plots.lines(one))]) for view in data.curves]
    page = environment().get_template("report.html.jinja")
    return page.render(data=data, certainty=certainty, mass=mass, curves=curves, people=people, parted=parted)
