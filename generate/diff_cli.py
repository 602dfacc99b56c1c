"""The command `tenet principles diff`: two files against each other, and against a run. Knows click; the work is elsewhere."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenet.console import Console, has_colour
from tenet.errors import UsageError

if TYPE_CHECKING:
    from constitution.diff import Difference

SAMPLE = 200


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles diff honesty my-honesty.yaml\n"
    "  tenet principles diff old.yaml new.yaml --run runs/support\n"
    "  tenet principles diff old.yaml new.yaml --run runs/support --apply"
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--run", "run", metavar="RUN", help="Measure what the edit does to this run: its folder, or its name.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=SAMPLE,
    show_default=True,
    metavar="N",
    help="With --run: judge so many pairs of responses under both files.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="With --run: which pairs.")
@click.option(
    "--examples",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="N",
    help="With --run: show so many verdicts that flip.",
)
@click.option(
    "--apply", "apply", is_flag=True, help="With --run: then relabel the run by B, only what the edit touches."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def diff(
    first: str, second: str, run: str | None, sample: int, seed: int, examples: int, *, apply: bool, as_json: bool
) -> None:
    """Show what differs between two files of principles, and what that does to a run.

    Without --run: which principles were added, removed, reworded or reweighted, word by word; no model is asked. With
    it, a fixed sample of the run's pairs is judged under both files: which verdicts flip, turned by which principle,
    the share of the run's pairs that flip with a 95 % interval, and what it costs to relabel the run. Answers that
    the run has are taken; those that have to be asked are kept for the next diff and for --apply.
    """
    from constitution.diff import compare
    from constitution.diff_text import as_json as text_json
    from constitution.diff_text import rendered
    from constitution.load import load

    console = Console(json=as_json)
    if apply and run is None:
        raise UsageError("--apply needs a run to relabel", hint="add --run RUN")
    difference = compare(load(first), load(second))
    if not as_json:
        console.data(rendered(difference, colour=has_colour(console.out)))
    if run is None or not difference.changes_labels:
        if as_json:
            console.data({"text": text_json(difference), "effect": None})
        if not difference.changes_labels:
            console.say(_harmless(difference))
        return
    from generate.measured import measured
    from generate.show_effect import effect_json, show_effect
    from tenet.runs import find_run

    folder = find_run(run)
    command = shlex.join(["tenet", *sys.argv[1:]])
    found = measured(folder, difference, second, console, size=sample, seed=seed, command=command)
    if as_json:
        console.data(
            {"text": text_json(difference), "effect": effect_json(found.effect, found.relabelling, examples=examples)}
        )
    else:
        console.data("")
        show_effect(found.effect, found.relabelling, console, examples=examples)
    if apply:
        _apply(folder, second, console)
    else:
        words = shlex.join(["tenet", "principles", "diff", first, second, "--run", run, "--apply"])
        console.say(f"Nothing was relabelled. Relabel what the edit touches with: {words}")


def _harmless(difference: Difference) -> str:
    if difference.identical:
        return "The two files hold the same principles. Nothing was asked."
    return "No label of a run depends on what differs. Nothing was asked."


def _apply(folder: Path, second: str, console: Console) -> None:
    """Relabel the run, and say which file it goes by now."""
    from generate.answers import CACHE
    from generate.context import Step
    from generate.relabel import relabel
    from generate.show import show_result

    run = relabel(folder, second, folder / CACHE, console)
    command = run.command
    show_result(run, frozenset(Step), Console(json=False, out=sys.stderr) if console.json else console)
    console.say(f"The run goes by {second} now. Go on with it by: {command}   (or name the file in its run.yaml)")
