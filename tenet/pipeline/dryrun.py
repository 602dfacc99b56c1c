"""Asks the stages of a plan what they would do themselves: those whose command has --dry-run and whose inputs are there. Runs no stage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tenet.console import Console
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.pipeline.plan import Decision, Planner, What
from tenet.pipeline.process import run_command
from tenet.pipeline.stages import Stage

OPTION = "--dry-run"


def asked(plan: Sequence[tuple[Stage, Decision]], planner: Planner, console: Console) -> dict[str, Json]:
    """What the dry run of each stage that would run gave: its exit code, and for --json what it printed.

    A stage after one that would run is asked too where its inputs are there, from an earlier time; others cannot be.
    """
    told: dict[str, Json] = {}
    running = {stage.name for stage, decision in plan if decision.what is not What.SKIP}
    for stage, decision in plan:
        if decision.what is What.SKIP or OPTION not in stage.options:
            continue
        waits = sorted(planner.makers_of(stage) & running)
        if not all(Path(need).exists() for need in stage.needs):
            console.say(f"{stage.name}: can be asked when {', '.join(waits)} has run")
            continue
        console.say(f"\n{stage.name}, asked itself{' (by what is there now)' if waits else ''}:")
        words = [*stage.words, OPTION]
        words += ["--json"] if console.json and "--json" in stage.options and "--json" not in words else []
        done = run_command(words, catch=console.json)
        if done.stopped:
            raise KeyboardInterrupt
        told[stage.name] = {"exit": done.code, "result": _value(done.output)}
    return told


def failures(told: Mapping[str, Json]) -> None:
    """Say which dry runs failed.

    Raises:
        UsageError: one or several did.
    """
    failed = [name for name, result in told.items() if isinstance(result, Mapping) and result["exit"] != 0]
    if failed:
        raise UsageError(f"The dry run of {', '.join(failed)} failed.", hint="what is wrong stands above")


def _value(output: str | None) -> Json:
    try:
        value: Json = json.loads(output) if output else None
    except ValueError:
        return output
    return value
