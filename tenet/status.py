"""`tenet status`: how far a run is. Reads only, also while the run goes on; knows no stage's meaning."""

from __future__ import annotations

from dataclasses import asdict

import click

from tenet.console import Console
from tenet.runs import find_run
from tenet.runs.overview import RunView, StageView, overview

COLUMNS = ("stage", "recorded", "failed", "owed", "shards", "outcomes", "last write")


@click.command(epilog="Example:\n\n\b\n  tenet status runs/support\n  tenet status support --json | jq .stages[].owed")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def status(run: str, *, as_json: bool) -> None:
    """Show how far RUN is: its stages, what failed, what is owed, and what to do next.

    RUN is a run's folder, or its name under runs/. Works while the run goes on.
    """
    console = Console(json=as_json)
    view = overview(find_run(run))
    if as_json:
        console.data({**asdict(view), "path": str(view.path), "next": view.next})
        return
    if view.stages:
        console.table(COLUMNS, [_cells(stage) for stage in view.stages], title=f"{view.path}, begun {view.created}")
    else:
        console.data(f"{view.path}, begun {view.created}: nothing recorded yet")
    for line in _words(view):
        console.say(line)


def _cells(stage: StageView) -> list[str | int | None]:
    shards = f"{stage.published} done" + (f", {stage.open} open" if stage.open else "")
    outcomes = ", ".join(f"{name} {number:,}" for name, number in stage.outcomes.items())
    return [stage.name, stage.recorded, stage.failed, stage.owed, shards, outcomes, stage.last_write]


def _words(view: RunView) -> list[str]:
    words = []
    aside = sum(stage.set_aside for stage in view.stages)
    if aside:
        words.append(f"{aside} damaged shards were set aside (*.corrupt-*); their rows are asked for again.")
    if view.writer is not None:
        words.append(f"Process {view.writer.pid} on {view.writer.host} is at work on it, since {view.writer.since}.")
    elif view.finished is None or any(stage.owed for stage in view.stages):
        words.append(f"Go on with: {view.command}")
    else:
        failed = sum(stage.failed for stage in view.stages)
        if failed:
            words.append(f"{failed:,} rows failed and were given up; ask again with: {view.command} --retry-failed")
        words.append(f"Finished {view.finished}. Next: {view.next}")
    return words
