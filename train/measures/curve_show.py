"""Tells a person what a curve of checkpoints shows: a table, a warning, and a plot in a file of its own."""

from __future__ import annotations

from typing import Any

from tenet.console import Console
from tenet.ids import Json
from train.intervals import Estimate
from train.measures.curve import Curve, place_of
from train.measures.parting import RULE

_INK, _PROXY, _GOLD, _MARK = "#808080", "#4c72d9", "#c07020", "#c03030"


def show_curve(curve: Curve, console: Console) -> None:
    """Print the table (or all of it as JSON) on stdout; the warning and where the files are on stderr."""
    if console.json:
        console.data(curve.as_json())
    else:
        mark = " (self-judged)" if curve.because else ""
        title = f"proxy: {curve.config.proxy.name}; gold: {curve.config.gold.name}{mark}"
        console.table(["checkpoint", "KL (k1)", "proxy", f"gold{mark}", "words", ""], _rows(curve), title=title)
        console.say("95 % intervals in brackets, by prompt; KL in nats per answer.")
    for reason in curve.because:
        console.say(f"gold is not independent: {reason}")
    if curve.warning:
        console.say(f"WARNING: {curve.warning}")
        console.say(f"marked: {RULE}")
    else:
        console.say("proxy and gold do not part: no checkpoint is marked")
    place = place_of(curve.config)
    console.say(f"written to {place} and {place.with_suffix('.svg')}")


def plot(curve: Curve) -> str:
    """An SVG of proxy, gold and (where it was measured) KL over steps, the mark as a line; readable on light and dark ground."""
    from io import StringIO

    import matplotlib as mpl
    from matplotlib.figure import Figure

    points = curve.points
    steps = [one.step for one in points]
    lines = [
        (f"proxy: {curve.config.proxy.name}", _PROXY, [one.proxy for one in points]),
        (f"gold: {curve.config.gold.name}", _GOLD, [one.gold for one in points]),
    ]
    if all(one.kl for one in points):
        lines.append(("KL to the base, nats an answer", _INK, [one.kl.k1 for one in points if one.kl]))
    style: dict[Any, Any] = {
        "text.color": _INK, "axes.labelcolor": _INK, "axes.edgecolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
    }  # fmt: skip
    with mpl.rc_context({"svg.hashsalt": "tenet", "svg.fonttype": "none", "font.size": 9, **style}):
        figure = Figure(figsize=(3.6 * len(lines), 3.0), layout="constrained")
        for panel, (title, colour, values) in zip(figure.subplots(1, len(lines)), lines, strict=True):
            reach = [[one.value - one.low for one in values], [one.high - one.value for one in values]]
            panel.errorbar(steps, [one.value for one in values], yerr=reach, fmt="o-", capsize=3, color=colour)
            if curve.marked is not None:
                panel.axvline(curve.marked.step, color=_MARK, linestyle="--", linewidth=1)
            panel.set(title=title, xlabel="step")
            panel.patch.set_alpha(0)
        figure.patch.set_alpha(0)
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _rows(curve: Curve) -> list[list[Json]]:
    return [
        [
            one.name, _number(one.kl.k1) if one.kl else "", _number(one.proxy, 3), _number(one.gold, 3), _number(one.words),
            ", ".join(
                word
                for word, place in (("proxy and gold part", curve.parting.at), ("gold falls", curve.parting.falls))
                if place == number
            ),
        ]
        for number, one in enumerate(curve.points)
    ]  # fmt: skip


def _number(value: Estimate, digits: int = 1) -> str:
    return f"{value.value:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"
