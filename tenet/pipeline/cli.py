"""The command `tenet pipeline`: flags to a plan, the plan or the outcome to a table. Knows click; the work is elsewhere."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenet.console import Console, duration
from tenet.ids import Json

if TYPE_CHECKING:
    from tenet.pipeline.config import PipelineFile
    from tenet.pipeline.run import Pipeline
    from tenet.pipeline.stages import Stage


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print what would run, what is left out and why; run nothing.")
@click.option("--from", "start", metavar="STAGE", help="Begin with this stage, and carry it out in any case.")
@click.option("--only", metavar="STAGE", help="Carry out this stage alone, in any case.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="A variable or a key of the file, as in --set data=pairs.jsonl",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON, with what each stage prints.")
def pipeline(
    file: Path, *, dry_run: bool, start: str | None, only: str | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Run a file of Tenet's own commands in the order of what they need; leave out what has not changed.

    Each stage names its command, the files it needs and the files it makes. A stage runs again when its command, what it needs or what
    it made has changed. Stop with Ctrl-C and give the same command again to go on.

    \b
    Examples:
      tenet pipeline examples/sft-dpo.yaml --set data=harmless-base.jsonl.gz --dry-run
      tenet pipeline examples/sft-dpo.yaml --set data=harmless-base.jsonl.gz
      tenet pipeline support.yaml --from dpo --set beta=0.2
    """
    from tenet.pipeline.config import load_pipeline
    from tenet.pipeline.order import ordered, require_inputs, selected
    from tenet.pipeline.record import Record
    from tenet.pipeline.run import Pipeline
    from tenet.pipeline.stages import stages_of

    console = Console(json=as_json)
    read = load_pipeline(file, overrides)
    stages = ordered(read, stages_of(read))
    chosen = selected(stages, start, only)
    require_inputs(read, stages, chosen)

    def again(stage: Stage) -> str:
        words = ["tenet", "pipeline", str(file)]
        words += ["--from", stage.name] if start else ["--only", only] if only else []
        return shlex.join([*words, *(word for one in overrides for word in ("--set", one))])

    asked = {stage.name for stage in chosen} if only else {chosen[0].name} if start else set()
    work = Pipeline(stages, chosen, Record.read(Path(read.folder)), again, asked)
    if dry_run:
        _show_plan(read, work, console)
        return
    try:
        work.carry_out(console)
    finally:
        _show_outcome(read, work, console)


def _show_plan(file: PipelineFile, work: Pipeline, console: Console) -> None:
    from tenet.pipeline.dryrun import asked, failures

    plan = work.planner.plan(work.chosen)
    if not console.json:
        rows: list[list[Json]] = [
            [stage.name, decision.what.value, decision.why, stage.command] for stage, decision in plan
        ]
        console.table(["stage", "", "why", "command"], rows, title=f"{file.config.name}, in {file.folder}")
        for _, decision in plan:
            for path in decision.aside:
                console.say(f"{path} would be moved aside first")
    told = asked(plan, work.planner, console)
    if console.json:
        stages: list[Json] = [
            {
                "stage": stage.name, "command": stage.command, "would": decision.what.value, "why": decision.why,
                "aside": list(decision.aside), "dry_run": told.get(stage.name),
            }
            for stage, decision in plan
        ]  # fmt: skip
        console.data({"name": file.config.name, "folder": file.folder, "stages": stages})
    failures(told)


def _show_outcome(file: PipelineFile, work: Pipeline, console: Console) -> None:
    if console.json:
        stages: list[Json] = [json.loads(json.dumps(one.as_json())) for one in work.outcomes]
        console.data({"name": file.config.name, "folder": file.folder, "stages": stages})
        return
    rows: list[list[Json]] = [
        [one.stage.name, one.what.value, one.why, duration(one.seconds) if one.seconds else ""] for one in work.outcomes
    ]
    if rows:
        console.table(["stage", "", "why", "took"], rows, title=f"{file.config.name}, in {file.folder}", right=["took"])
