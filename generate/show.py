"""Tells a person at a terminal what a run would cost, and what it has come to. Knows words and tables; the figures come from elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from generate.context import Step
from generate.exporting import DATASET
from generate.plan import Plan
from generate.report.data import gather
from tenet.console import Console
from tenet.ids import Json
from tenet.runs import Run


def show_plan(plan: Plan, console: Console) -> None:
    """Print a plan: a table on stdout, the caveats on stderr."""
    if console.json:
        console.data(plan.as_json())
        return
    columns = ["step", "model", "calls", "owed", "prompt tokens", "at most", "decoded at most"]
    rows: list[list[Json]] = [
        [
            line.stage,
            line.note,
            line.calls,
            line.owed,
            line.prompt_tokens,
            line.prompt_tokens_at_most,
            line.completion_tokens_at_most,
        ]
        for line in plan.lines
    ]
    console.table(columns, rows, title=f"{plan.prompts:,} prompts, all tokenised")
    if plan.undecided:
        console.say(f"{plan.undecided:,} prompts are never judged: no principle applies to them.")
    if any(line.prompt_tokens != line.prompt_tokens_at_most for line in plan.lines):
        console.say(
            "Responses that are not drawn yet count with the mean length of those that are, and at most with max_tokens."
        )
    console.say("Nothing was asked. Leave out --dry-run to begin.")


def show_result(run: Run, steps: Collection[Step], console: Console) -> None:
    """Print the funnel of a run, what to be careful about, and where to go on."""
    with run:
        data = gather(run.path)
        if console.json:
            console.data({
                "run": str(run.path),
                "headline": data.headline,
                "funnel": [{"step": one.name, "count": one.count, "unit": one.unit} for one in data.funnel],
                "outcomes": dict(data.outcomes),
                "notices": [{"level": one.level.value, "title": one.title} for one in data.notices],
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
        if Step.EXPORT in steps:
            console.say(f"Dataset: {run.path / DATASET}   (read its README.md)")
            console.say(f"See it all: tenet report {run.path}")
