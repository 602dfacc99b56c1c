"""Tells a person at a terminal what a run has come to. Knows words and tables; the figures come from elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from generate.context import Step
from generate.exporting import DATASET
from generate.pipeline import PLANNED, read_stats
from generate.report.data import gather
from generate.show_plan import settlement
from tenet.console import Console
from tenet.ids import Json
from tenet.runs import Run


def show_result(run: Run, steps: Collection[Step], console: Console) -> None:
    """Print the funnel of a run, what to be careful about, and where to go on."""
    with run:
        data = gather(run.path)
        compared = read_stats(run.path).get(PLANNED)
        if console.json:
            console.data({
                "run": str(run.path),
                "headline": data.headline,
                "funnel": [
                    {"step": one.name, "count": one.count, "unit": one.unit, **({"note": one.note} if one.note else {})}
                    for one in data.funnel
                ],
                "outcomes": dict(data.outcomes),
                "notices": [{"level": one.level.value, "title": one.title} for one in data.notices],
                "plan": compared,
                "dataset": str(run.path / DATASET) if Step.EXPORT in steps else None,
            })  # fmt: skip
            return
        rows: list[list[Json]] = [
            [step.name, step.count, step.unit, "; ".join(f"{lost.count:,} {lost.reason}" for lost in step.lost)]
            for step in data.funnel
        ]
        console.table(["step", "count", "of", "left out"], rows)
        for notice in data.notices:
            console.say(f"{notice.level.value}: {notice.title}. {notice.body}")
        if isinstance(compared, list) and compared:
            prices = run.config.get("prices")
            console.say(settlement(compared, str(prices["currency"]) if isinstance(prices, dict) else ""))
        if Step.EXPORT in steps:
            console.say(f"Dataset: {run.path / DATASET}   (read its README.md)")
            console.say(f"See it all: tenet report {run.path}")
