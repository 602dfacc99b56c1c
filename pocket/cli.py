"""The command `tenet demo`: flags to a plan, and what was measured to a table. Knows click; the work is in `pocket.demo`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from tenet.console import Console


@click.command()
@click.option(
    "--principles",
    default="pocket/courteous",
    show_default=True,
    metavar="FILE",
    help="What to steer by: a file, or a shipped one's name.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the questions, the answers and the training.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the demo. Default: runs/demo-NAME."
)
@click.option("--quick", is_flag=True, help="A few questions only: shows the steps in a minute, moves little.")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON.")
def demo(principles: str, seed: int, out: Path | None, quick: bool, as_json: bool) -> None:
    """Run the whole loop on the bundled pocket models, offline.

    Samples a tiny policy, judges its answers by a principles file, trains a reward model and the policy on the pairs,
    and measures how the policy has changed on questions that it never saw. Takes a few minutes; give the same command
    again to go on after a stop. Edit the file, run it again, and see the policy behave otherwise.

    \b
    Examples:
      tenet demo
      tenet demo --principles pocket/blunt
      tenet demo --principles my-principles.yaml --seed 1
    """
    from constitution.load import load
    from pocket.demo import run_demo
    from pocket.plan import FULL, QUICK, DemoPlan, free_folder
    from pocket.show import show_demo

    console = Console(json=as_json)
    folder = out or free_folder(principles, load(principles).digest, seed, quick=quick)
    command = shlex.join(["tenet", *sys.argv[1:]]) if sys.argv[1:2] == ["demo"] else "tenet demo"
    plan = DemoPlan(principles, seed, folder, QUICK if quick else FULL, command)
    measured: Any = run_demo(plan, console)
    show_demo(plan, measured, console)
