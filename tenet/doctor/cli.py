"""The command `tenet doctor`. Knows click; the checks are elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from tenet.console import Console, has_colour
from tenet.doctor.model import Finding, Level, Place
from tenet.doctor.run import CHECKS, examine
from tenet.errors import EXIT_MISSING

_COLOURS: Final = {Level.OK: "green", Level.NOTE: "blue", Level.WARNING: "yellow", Level.BROKEN: "red"}


@click.command(
    epilog="Examples:\n\n\b\n  tenet doctor\n  tenet doctor --only vllm --only torch\n  tenet doctor --runs /data/runs --json"
)
@click.option("--runs", type=click.Path(path_type=Path), default="runs", show_default=True, help="Where runs are kept.")
@click.option("--only", multiple=True, type=click.Choice(list(CHECKS)), help="This check alone; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
def doctor(context: click.Context, runs: Path, only: tuple[str, ...], *, as_json: bool) -> None:
    """Look for what is wrong with this machine and this environment, and name the cure of each finding.

    Imports torch, transformers and vLLM in processes of their own, which takes a while; --only leaves that out. Sends nothing anywhere
    and changes nothing. Ends with exit code 3 where something is broken.
    """
    console = Console(json=as_json)
    found = []
    for finding in examine(Place(runs), only):
        found.append(finding)
        if not as_json:
            console.data(_told(finding, colour=has_colour(console.out)))
    if as_json:
        console.data([one.as_json() for one in found])
    broken, doubtful = (sum(one.level is level for one in found) for level in (Level.BROKEN, Level.WARNING))
    console.say(f"{broken} broken, {doubtful} doubtful, of {len(found)} findings.")
    if broken:
        context.exit(EXIT_MISSING)


def _told(finding: Finding, *, colour: bool) -> str:
    """A finding in one line, its cure in the next."""
    level = finding.level.value.ljust(8)
    head = click.style(level, fg=_COLOURS[finding.level]) if colour else level
    cure = f"\n{' ' * 9}cure: {finding.cure}" if finding.cure else ""
    return f"{head} {finding.check}: {finding.message}{cure}"
