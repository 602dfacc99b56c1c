"""Geometry of the plots: where each mark goes, so that the template only draws. Knows no colours, no HTML and no run.

Horizontal places are percentages of the drawing's width and vertical ones pixels from its top, so a drawing
stretches to any screen while its text keeps its size. Lines, whose paths take no percentages, live in a square of
100 by 100 that is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generate.report.model import AttributeRow, Curve, Histogram, Rate
from generate.report.words import MINUS

MOST_TICKS = 8


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Bar:
    """One bar: left edge and width in percent, top and height in pixels, and the words of its tooltip."""

    x: float
    width: float
    y: float
    height: float
    title: str
    strong: bool = False


@dataclass(frozen=True)
class BarPlot:
    """A histogram ready to draw."""

    height: float
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_name: str


@dataclass(frozen=True)
class Path:
    """One line: an SVG path in the square of 100 by 100, its last value, and where that stands (percent, pixels; `when` in words)."""

    label: str
    path: str
    last: str
    index: int
    x: float
    y: float
    when: str = ""


@dataclass(frozen=True)
class LinePlot:
    """A plot of lines ready to draw, with its numbers; `zero` is the height in pixels of the zero line, None where 0 is out of range,
    `mark` a place across in percent. `numbers` has a row for each place across: that place, then a cell a line.
    """

    title: str
    caption: str
    height: float
    paths: tuple[Path, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: float | None
    mark: float | None = None
    x_name: str = "step"
    numbers: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Interval:
    """A dot with its whisker, all in percent of the width."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class IntervalRow:
    """One attribute before and after."""

    row: AttributeRow
    base: Interval
    trained: Interval


@dataclass(frozen=True)
class Cell:
    """One cell of the order grid: column and row (row 0 at the top), opacity in [0, 1], tooltip."""

    column: int
    row: int
    opacity: float
    title: str
    flip: bool


def nice_step(span: float, most: int = 5) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that cuts `span` into at most `most` parts.

    Raises:
        ValueError: `span` is not a positive, finite number.
    """
    if not (math.isfinite(span) and span > 0):
        raise ValueError(f"no axis spans {span}")
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(step for factor in (1, 2, 2.5, 5, 10, 20) if span / (step := factor * power) <= most + 1e-9)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers that cover [`low`, `high`]; the first is at most `low`, the last at least `high`."""
    if high <= low:
        low, high = (low - 0.5, high + 0.5) if low else (0.0, 1.0)
    step = nice_step(high - low, most)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def short(value: float) -> str:
    """A number for an axis or a line's end: as few digits as tell it apart, thousands as k and M."""
    size = abs(value)
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e6 if unit == 'M' else 1e3):.3g}{unit}".replace("-", MINUS)
    text = f"{value:,.0f}" if size >= 1000 or value == int(value) else f"{value:.3g}"
    return text.replace("-", MINUS)


def bars(
    histogram: Histogram,
    x_name: str,
    label: Callable[[float], str],
    *,
    height: float = 180.0,
    every: int = 1,
    strong: Sequence[int] = (),
) -> BarPlot:
    """A histogram's bars. `label` writes an edge, each `every`-th gets a tick, bins in `strong` another colour."""
    y = ticks(0, max(histogram.counts, default=0) or 1, 4)
    width = 100.0 / len(histogram.counts)
    top = y[-1]

    def bar(i: int, count: int) -> Bar:
        tall = height * count / top
        words = f"{label(histogram.edges[i])} to {label(histogram.edges[i + 1])}: {count:,}"
        return Bar(i * width, width, height - tall, tall, words, i in strong)

    drawn = tuple(bar(i, count) for i, count in enumerate(histogram.counts))
    along = tuple(Tick(i * width, label(edge)) for i, edge in enumerate(histogram.edges) if i % every == 0)
    return BarPlot(height, drawn, along, tuple(Tick(height * (1 - v / top), short(v)) for v in y), x_name)


def lines(curve: Curve, *, height: float = 150.0) -> LinePlot | None:
    """A curve's lines, or None where it has no finite point."""
    series = [(s.label, [(x, y) for x, y in s.points if math.isfinite(x) and math.isfinite(y)]) for s in curve.series]
    everything = [point for _, points in series for point in points]
    if not everything:
        return None
    xs, ys = [x for x, _ in everything], [y for _, y in everything]
    y = ticks(min(ys), max(ys), 4)
    left, right = min(xs), max(*xs, min(xs) + 1e-9)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return 100 * (point[0] - left) / (right - left), 100 * (y[-1] - point[1]) / (y[-1] - y[0])

    def place(point: tuple[float, float]) -> str:
        return "{:.2f} {:.2f}".format(*at(point))

    paths = tuple(
        Path(
            label,
            "M" + " L".join(place(point) for point in points),
            short(points[-1][1]) if curve.x_name == "step" else "",
            index,
            at(points[-1])[0],
            height * at(points[-1])[1] / 100,
            "at the end" if points[-1][0] == max(xs) else f"at step {short(points[-1][0])}, its last",
        )
        for index, (label, points) in enumerate(series)
        if points
    )
    across = [v for v in ticks(left, right, 4) if left <= v <= right] if right > left + 1e-6 else [left]
    return LinePlot(
        curve.title, curve.caption, height, paths,
        tuple(Tick(100 * (v - left) / (right - left), short(v)) for v in across),
        tuple(Tick(height * (y[-1] - v) / (y[-1] - y[0]), short(v)) for v in y),
        height * y[-1] / (y[-1] - y[0]) if y[0] < 0 < y[-1] else None,
        None if curve.mark is None else 100 * (curve.mark - left) / (right - left),
        curve.x_name, _numbers([points for _, points in series if points]),
    )  # fmt: skip


def is_line(curve: Curve) -> bool:
    """Whether a curve has two finite points side by side, so that there is a line to draw."""
    return len({x for one in curve.series for x, y in one.points if math.isfinite(x) and math.isfinite(y)}) > 1


def _numbers(series: Sequence[Sequence[tuple[float, float]]]) -> tuple[tuple[str, ...], ...]:
    """What the lines say, place by place; an empty cell where a line has no point."""
    held = [dict(points) for points in series]
    return tuple(
        (short(x), *(short(one[x]) if x in one else "" for one in held))
        for x in sorted({x for one in held for x in one})
    )


def interval(rate: Rate) -> Interval:
    """A share as a dot and whisker on an axis from 0 to 100 %."""
    return Interval(100 * rate.value, 100 * rate.low, 100 * rate.high)


def intervals(rows: Sequence[AttributeRow]) -> tuple[IntervalRow, ...]:
    """Rows of attributes ready to draw."""
    return tuple(IntervalRow(row, interval(row.base), interval(row.trained)) for row in rows)


def order_cells(grid: Sequence[Sequence[int]]) -> tuple[Cell, ...]:
    """The order grid's filled cells. Opacity follows the square root of the count, so that few flips still show."""
    most = max((count for row in grid for count in row), default=0)
    size = len(grid)

    def cell(i: int, j: int, count: int) -> Cell:
        def span(k: int) -> str:
            return f"{k / size:.1f} to {(k + 1) / size:.1f}"

        title = f"shown first {span(j)}, shown second {span(i)}: {count:,}"
        flip = (j < size / 2) != (i < size / 2)
        return Cell(j, size - 1 - i, round(0.2 + 0.8 * math.sqrt(count / most), 3), title, flip)

    return tuple(cell(i, j, count) for i, row in enumerate(grid) for j, count in enumerate(row) if count)


def share_of(part: float, most: float) -> float:
    """A bar's width in percent of the longest one."""
    return round(100 * part / most, 2) if most else 0.0
