"""The command `tenet principles suggest`. Knows click and where the draft goes; the work is elsewhere."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from constitution.interchange.cli import AS_JSON, FORCE, keep_file
from tenet.console import Console
from tenet.errors import MissingInput
from tenet.runs import find_run

if TYPE_CHECKING:
    from generate.suggest.work import Suggested


@click.command(
    epilog="Examples:\n\n\b\n  tenet principles suggest runs/support --humans labels.csv --dry-run\n"
    "  tenet principles suggest runs/support --humans labels.csv --to draft.yaml\n"
    "  tenet principles suggest runs/support --pool honesty --pool ideas.txt"
)
@click.argument("run", metavar="RUN")
@click.option(
    "--humans",
    type=click.Path(path_type=Path),
    metavar="LABELS",
    help="Labels of people about the run's pairs: a file, or a folder with labels.jsonl.  [default: the run's own]",
)
@click.option(
    "--pool",
    multiple=True,
    metavar="FILE",
    help="Candidates: a principles file, or any list that `principles import` reads; may be given again.  [default: the judge proposes]",
)
@click.option(
    "--to", "target", type=click.Path(path_type=Path, dir_okay=False), help="The draft.  [default: NAME-suggested.yaml]"
)
@FORCE
@click.option(
    "--held-out", type=click.FloatRange(0.1, 0.9), default=0.5, show_default=True, metavar="SHARE",
    help="Share of the labelled prompts that measure the candidates and do not choose them.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which prompts are held out.")
@click.option("--most", type=click.IntRange(1), default=5, show_default=True, help="Most principles to suggest.")
@click.option(
    "--from", "pairs", type=click.IntRange(1), default=20, show_default=True, metavar="N",
    help="Without --pool: have principles proposed from so many pairs.",
)  # fmt: skip
@click.option(
    "--max-tokens", "limit", type=click.IntRange(1), metavar="N", help="Stop before more tokens than this are spent."
)
@click.option("--dry-run", is_flag=True, help="Show calls and tokens, and ask nothing.")
@AS_JSON
def suggest(
    run: str, humans: Path | None, pool: tuple[str, ...], target: Path | None, *, force: bool, held_out: float,
    seed: int, most: int, pairs: int, limit: int | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Suggest principles that explain labels of people which the run's file gets wrong.

    Candidates come from pool files, or are proposed by the run's judge from pairs where it goes against people. Each is
    asked about every labelled pair in both orders. Half of the labelled prompts choose candidates, those that turn most
    verdicts to people's side; the other half measures them: verdicts fixed and broken, the share of those turned that goes
    to people's side with a 95 % Wilson interval, and the agreement before and after. Supported ones are written as a
    principles file in which each is a draft; nothing is applied.
    """
    from generate.suggest.work import Settings
    from generate.suggest.work import suggest as look

    console = Console(json=as_json)
    folder = find_run(run)
    if target is not None and not dry_run:
        keep_file(target, force=force)
    found = look(
        folder, _labels(folder, humans), pool, Settings(held_out, seed, most, pairs, limit), console,
        command=shlex.join(["tenet", *sys.argv[1:]]), dry_run=dry_run,
    )  # fmt: skip
    for remark in found.remarks:
        console.say(remark)
    path = _written(found, target, console, force=force)
    if as_json:
        from generate.suggest.show import as_json as values

        console.data(values(found, None if path is None else str(path)))
    if path is not None:
        console.say(
            f"Written to {path}, as drafts: nothing applies yet. Read them, set those that you want to `status: active`,"
        )
        words = shlex.join(["tenet", "principles", "diff", found.named, str(path), "--run", run])
        console.say(f"and see what that does with: {words}")


def _labels(folder: Path, humans: Path | None) -> Path:
    """Return the file of labels.

    Raises:
        MissingInput: none was named, and the run has none.
    """
    from judges.humans.store import NAME

    if humans is not None:
        return humans / NAME if humans.is_dir() else humans
    own = folder / NAME
    if not own.is_file():
        raise MissingInput(
            f"{folder} holds no labels of people",
            hint=f"name a file with --humans LABELS, or bring one in with: tenet labels import LABELS --to {folder}",
        )
    return own


def _written(found: Suggested, target: Path | None, console: Console, *, force: bool) -> Path | None:
    """Show what was found, unless JSON is wanted, and write the draft if there is anything to propose; gives its path."""
    from generate.suggest.draft import draft
    from generate.suggest.show import nothing, show, show_plan
    from tenet.runs.atomic import write_text

    if found.planned is not None:
        if not console.json:
            show_plan(found.planned, found, console)
        return None
    if found.ranked is None:
        console.say(nothing(found))
        return None
    if not console.json:
        show(found, found.ranked, console)
    if not found.ranked.supported:
        console.say("Nothing was written.")
        return None
    path = target or Path(f"{found.file.name}-suggested.yaml")
    keep_file(path, force=force)
    write_text(path, draft(found.file, found.named, found.ranked, found.evidence, found.judge, path))
    return path
