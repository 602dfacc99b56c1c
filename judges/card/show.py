"""A card as tables and words for people. Knows the console; works nothing out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from judges.card.build import Card, JudgeCard
from judges.card.figures import Figure
from tenet.console import draw_table, plural
from tenet.ids import Json

_SHOWN_PRINCIPLES: Final = 30


def words(card: Card) -> str:
    """The whole card as text: warnings, judges, people, annotators two by two, principles."""
    parts = ["\n".join(f"Warning: {text}" for text in card.warnings)] if card.warnings else []
    for name, judge in card.judges.items():
        parts += _judge(name, judge)
    if card.people:
        parts.append(figure_table(people_title(card.counts), card.people))
    if card.between:
        rows = [[names, *(_cell(figures.get(one)) for one in _BETWEEN)] for names, figures in card.between.items()]
        parts.append(draw_table(("annotators", *_BETWEEN), rows, title="Two by two", right=_BETWEEN))
    for title, figures in card.beside.items():
        told: list[list[Json]] = [[name.replace("_", " "), _value(value)] for name, value in figures.items()]
        parts.append(draw_table(("what", "value"), told, title=title.capitalize(), right=("value",)))
    if card.ratings:
        parts.append(_ratings(card.ratings))
    return "\n\n".join(part.rstrip("\n") for part in parts)


def people_title(counts: Mapping[str, Any]) -> str:
    """How many labels of how many people on how many pairs."""
    told = (plural(counts[f"{one}s"], one) for one in ("label", "annotator", "pair"))
    return "People: {} of {} on {}".format(*told)


def figure_table(title: str, figures: Mapping[str, Figure]) -> str:
    """A table of the figures that there are, and beneath it which there are not, by reason."""
    known = [_row(name, figure) for name, figure in figures.items() if figure.value is not None]
    missing: dict[str, list[str]] = {}
    for name, figure in figures.items():
        if figure.value is None:
            missing.setdefault(figure.reason, []).append(name.replace("_", " "))
    table = draw_table(_COLUMNS, known, title=title, right=_RIGHT).rstrip("\n") if known else title
    return "\n".join([table, *(f"not known: {', '.join(names)} ({reason})" for reason, names in missing.items())])


_COLUMNS: Final = ("metric", "value", "95 % interval", "units", "note")
_RIGHT: Final = ("value", "95 % interval", "units")
NOTHING: Final = "-"
_BETWEEN: Final = ("agreement", "cohen_kappa", "right_where_agreed")


def _judge(name: str, judge: JudgeCard) -> list[str]:
    parts: list[str] = []
    for title, names in judge.sections.items():
        parts.append(figure_table(f"{name}: {title.lower()}", {one: judge.figures[one] for one in names}))
    if judge.principles:
        rows: list[list[Json]] = [
            [one, _cell(figures.fire_rate), _cell(figures.agreement), _cell(figures.redundancy), figures.with_]
            for one, figures in list(judge.principles.items())[:_SHOWN_PRINCIPLES]
        ]
        columns = ("principle", "fires", "agrees with people", "redundancy", "with")
        parts.append(draw_table(columns, rows, title=f"{name}: principles", right=columns[1:4]))
    return parts


def _row(name: str, figure: Figure) -> list[Json]:
    label = name.replace("_", " ")
    told = "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"
    more = ", ".join(
        f"{key.replace('_', ' ')} {_number(value)}" for key, value in figure.more.items() if value is not None
    )
    return [label, f"{figure.value:.4f}", told, f"{figure.count:,}", more]


def _number(value: Json) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
    return f"{value:.3g}"


def _value(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _number(value)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return NOTHING if figure.value is None else f"{figure.value:.3f}"


def _ratings(ratings: Mapping[str, Mapping[str, Json]]) -> str:
    rows: list[list[Json]] = []
    for name, told in ratings.items():
        fire, redundancy = (told[key] for key in ("fire_rate", "redundancy"))
        assert isinstance(fire, Mapping)
        assert isinstance(redundancy, Mapping)
        association = told["association"]
        assert isinstance(association, Mapping)
        told_of = [(str(kind), one["value"]) for kind, one in association.items() if isinstance(one, Mapping)]
        values = [(kind, value) for kind, value in told_of if isinstance(value, float)]
        strongest = max(values, key=lambda one: abs(one[1]), default=None)
        rows.append([
            name, _plain(fire["value"]), _plain(redundancy["value"]), redundancy.get("with", redundancy.get("reason", "")),
            "not estimable" if strongest is None else f"{strongest[1]:+.3f}", "" if strongest is None else strongest[0],
        ])  # fmt: skip
    columns = ("principle", "fires", "phi", "with", "strongest phi with a class", "class")
    return draw_table(columns, rows, title="Ratings by principle", right=("fires", "phi", "strongest phi with a class"))


def _plain(value: Json) -> str:
    return f"{value:.3f}" if isinstance(value, float) else NOTHING
