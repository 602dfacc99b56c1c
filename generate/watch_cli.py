"""The command `tenet principles watch`: the effect of each save of a principles file on a run. Knows click; the work is elsewhere."""

from __future__ import annotations

import contextlib
import shlex
import sys

import click

from generate.diff_cli import SAMPLE
from tenet.console import Console


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles watch my-honesty.yaml --run runs/support\n"
    "  tenet principles watch my-honesty.yaml --run support --json | jq .effect.flip_rate"
)
@click.argument("file", metavar="FILE")
@click.option("--run", "run", metavar="RUN", required=True, help="The run to measure on: its folder, or its name.")
@click.option(
    "--sample", type=click.IntRange(1), default=SAMPLE, show_default=True, metavar="N",
    help="Judge so many pairs of responses under the saved file.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which pairs.")
@click.option(
    "--examples", type=click.IntRange(0), default=2, show_default=True, metavar="N", help="Show so many verdicts that flip."
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a save.")
def watch(file: str, run: str, sample: int, seed: int, examples: int, *, as_json: bool) -> None:
    """Show what each save of FILE does to a run, while you edit it.

    Each save is held against the principles that RUN was judged by: what differs, which verdicts of a fixed sample flip,
    turned by which principle, the share of the run's pairs with a 95 % interval, and what relabelling would cost. The
    judge stays loaded and only what no earlier look has asked is asked, so that an effect shows within seconds. Files that FILE
    includes count too. Changes nothing of the run; Ctrl-C ends it.
    """
    from generate.judged_by import require_judged_by
    from generate.measured import Session
    from generate.saves import Saves
    from generate.show_watch import make_view
    from generate.watch import run_file
    from generate.watch import watch as events
    from tenet.runs import Run, find_run

    console = Console(json=as_json)
    folder = find_run(run)
    saves = Saves(file, also=[run_file(folder)])
    with Run.read(folder) as read:
        before = require_judged_by(read)
    view = make_view(saves.file, folder, console, examples=examples)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Session(folder, before, console, command=shlex.join(["tenet", *sys.argv[1:]])) as session,
    ):
        console.say(f"Loading the judge {session.judge} ...")
        session.load()
        console.say(f"Watching {saves.file}; Ctrl-C ends it.")
        for event in events(session, saves, console.say, size=sample, seed=seed):
            view.show(event)
