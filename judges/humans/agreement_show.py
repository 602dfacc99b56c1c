"""The agreement of people as tables and JSON, and with `show` the texts of pairs on which they differ. Works nothing out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from judges.card.figures import Figure
from judges.card.show import figure_table, people_title
from judges.humans.agreement import Agreement, Annotator, Disagreement
from tenet.console import draw_table
from tenet.ids import Json
from tenet.records import Prompt, Sample
from tenet.runs import Run

LISTED: Final = 10
"""Disagreements whose ids are listed; `--json` has all."""


def as_json(found: Agreement) -> dict[str, Json]:
    """For `--json`."""
    return {
        "humans": {**found.counts, **_figures(found.people)},
        "between": {names: _figures(figures) for names, figures in found.between.items()},
        "annotators": {name: _annotator(one) for name, one in found.annotators.items()},
        "judges": {name: _figures(figures) for name, figures in found.judges.items()},
        "principles": {name: _figures(figures) for name, figures in found.principles.items()},
        "judged_principles": {
            judge: {name: one.as_json() for name, one in own.items()} for judge, own in found.judged_principles.items()
        },
        "disagreements": [
            {"prompt_id": one.prompt_id, "a_id": one.a_id, "b_id": one.b_id, "said": one.said, "judges": one.judges}
            for one in found.disagreements
        ],
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, Json]:
    return {name: figure.as_json() for name, figure in figures.items()}


def _annotator(one: Annotator) -> dict[str, Json]:
    drift: Json = None
    if one.drift is not None:
        shares: list[Json] = [{"value": value, "low": low, "high": high} for value, low, high in one.drift.shares]
        drift = {"shares": shares, "p_value": one.drift.p_value, "count": one.drift.count}
    return {
        "labels": one.labels,
        "skips": one.skips,
        **_figures({"with_others": one.with_others, "ties": one.ties, "first_rate": one.first_rate, "repeats": one.repeats}),
        "dawid_skene": one.accuracy,
        "with_judges": _figures(one.with_judges),
        "drift": drift,
    }  # fmt: skip


def words(found: Agreement) -> str:
    """The whole as text."""
    parts = [figure_table(people_title(found.counts), found.people), _annotators(found.annotators)]
    if found.between:
        rows: list[list[Json]] = [
            [names, *(_cell(one) for one in own.values())] for names, own in found.between.items()
        ]
        rows = [row[:3] for row in rows]
        parts.append(draw_table(("annotators", "agreement", "Cohen's kappa"), rows, title="Two by two"))
    parts += [figure_table(f"{name}: agreement with people", figures) for name, figures in found.judges.items()]
    for judge, own in found.judged_principles.items():
        if own:
            rows = [[name, _cell(one.fire_rate), _cell(one.agreement)] for name, one in own.items()]
            columns = ("principle", "fires", "agrees with people")
            parts.append(draw_table(columns, rows, title=f"{judge}: principles"))
    if found.principles:
        rows = [[name, *(_cell(one) for one in figures.values())] for name, figures in found.principles.items()]
        names = ("principle", "unanimous", "Krippendorff's alpha", "human ceiling")
        parts.append(draw_table(names, rows, title="People by principle"))
    parts.append(_disagreements(found.disagreements))
    return "\n\n".join(part.rstrip("\n") for part in parts)


def _annotators(annotators: Mapping[str, Annotator]) -> str:
    judges = sorted({judge for one in annotators.values() for judge in one.with_judges})
    rows: list[list[Json]] = [
        [
            name, one.labels, one.skips, _cell(one.with_others), _cell(one.ties), _cell(one.first_rate), _cell(one.repeats),
            "-" if one.accuracy is None else f"{one.accuracy:.3f}", _drift(one),
            *(_cell(one.with_judges.get(judge)) for judge in judges),
        ]
        for name, one in annotators.items()
    ]  # fmt: skip
    columns = (
        "annotator", "labels", "skips", "with the others", "ties", "first shown", "the same again", "Dawid-Skene", "over time",
        *(f"with {judge}" for judge in judges),
    )  # fmt: skip
    return draw_table(columns, rows, title="Annotators")


def _drift(one: Annotator) -> str:
    if one.drift is None:
        return "-"
    return f"{' '.join(f'{value:.2f}' for value, _, _ in one.drift.shares)} (p {one.drift.p_value:.2g})"


def _cell(figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _disagreements(found: Sequence[Disagreement]) -> str:
    if not found:
        return "People differ on no pair."
    rows: list[list[Json]] = [
        [one.prompt_id, one.a_id, one.b_id, _said(one.said), _said(one.judges)] for one in found[:LISTED]
    ]
    columns = ("prompt", "a", "b", "people", "judges")
    return draw_table(columns, rows, title=f"People differ on {len(found):,} pairs, the most divided first")


def _said(said: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {word}" for name, word in said.items())


def texts(path: Path, found: Sequence[Disagreement]) -> str:
    """The texts of these pairs, as the run at `path` holds them.

    Raises:
        MissingInput: there is no run.
    """
    prompts: dict[str, str] = {}
    samples: dict[str, str] = {}
    wanted = {name for one in found for name in (one.prompt_id, one.a_id, one.b_id)}
    with Run.read(path) as run:
        for prompt in run.stage("prompts", Prompt).records(ok=None):
            if prompt.id in wanted:
                prompts[prompt.id] = prompt.text
        for sample in run.stage("samples", Sample).records(ok=None):
            if sample.id in wanted:
                samples[sample.id] = sample.text
    blocks = []
    for number, one in enumerate(found, 1):
        lines = [f"{number}. {_said({**one.said, **one.judges})}", "Prompt:", prompts.get(one.prompt_id, "")]
        for side, name in (("a", one.a_id), ("b", one.b_id)):
            lines += [f"Response {side}:", samples.get(name, "")]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
