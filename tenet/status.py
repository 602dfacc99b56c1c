"""`tenet status`: how far a run is, now or again and again. Reads only, also while the run goes on; knows no stage's meaning."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from tenet.console import PLAIN_SECONDS, Console, has_colour, is_terminal
from tenet.runs import find_run
from tenet.runs.lock import is_held
from tenet.runs.run import LOCK
from tenet.show_status import line, page, words
from tenet.standing import Looker, Standing

EVERY_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.5


@click.command(
    epilog="Examples:\n\n\b\n  tenet status runs/support\n  tenet status support --watch\n"
    "  tenet status support --json | jq .stages[].owed"
)
@click.argument("run")
@click.option("--watch", is_flag=True, help="Look again and again, until the process at work on RUN ends.")
@click.option(
    "--every", type=click.FloatRange(min=0.1), metavar="SECONDS",
    help="How often to look with --watch.  [default: 2; into a file or a pipe 30]",
)  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of the table; with --watch one a look."
)
def status(run: str, *, watch: bool, every: float | None, as_json: bool) -> None:
    """Show how far RUN is: its stages, what failed, what is owed, what it took, the stages at work and their servers, and what to do next.

    RUN is a run's folder, or its name under runs/. Works while the run goes on. Tokens and cost are those of the recorded answers,
    by the prices in run.yaml. Ctrl-C ends a watch and leaves the run alone.
    """
    console = Console(json=as_json)
    folder = find_run(run)
    looker = Looker(folder)
    if not watch:
        _show(looker.look(), console)
        return
    with contextlib.suppress(KeyboardInterrupt):
        if as_json:
            for standing in _looks(looker, folder, every or EVERY_SECONDS):
                console.out.write(json.dumps(standing.as_json(), ensure_ascii=False) + "\n")
                console.out.flush()
        elif is_terminal(console.out):
            _redraw(looker, folder, every or EVERY_SECONDS, console)
        else:
            _log(looker, folder, every or PLAIN_SECONDS, console)


def _looks(looker: Looker, folder: Path, every: float) -> Iterator[Standing]:
    """Where the run stands, every so many seconds while a process is at work on it, and once when none is any more."""
    lock = folder / LOCK
    while is_held(lock):
        yield looker.look()
        until = time.monotonic() + every
        while (left := until - time.monotonic()) > 0 and is_held(lock):
            time.sleep(min(POLL_SECONDS, left))
    yield looker.look()


def _show(standing: Standing, console: Console) -> None:
    """Once: data to stdout, words to stderr."""
    if console.json:
        console.data(standing.as_json())
        return
    width = None
    if is_terminal(console.out):
        from rich.console import Console as RichConsole

        width = RichConsole(file=console.out).width
    console.out.write(page(standing, width=width, colour=has_colour(console.out)))
    console.out.flush()
    for one in words(standing):
        console.say(one)


def _redraw(looker: Looker, folder: Path, every: float, console: Console) -> None:
    """On a terminal, over what was there."""
    from rich.console import Console as RichConsole
    from rich.live import Live
    from rich.text import Text

    colour = has_colour(console.out)
    screen = RichConsole(file=console.out, force_terminal=True, no_color=not colour, highlight=False)
    with Live(console=screen, auto_refresh=False) as live:
        for standing in _looks(looker, folder, every):
            text = page(standing, width=screen.width, colour=colour) + "\n" + "\n".join(words(standing))
            live.update(Text.from_ansi(text), refresh=True)


def _log(looker: Looker, folder: Path, every: float, console: Console) -> None:
    """Into a file or a pipe: a line a look, and the table at the end."""
    last: Standing | None = None
    for standing in _looks(looker, folder, every):
        if standing.run.writer is not None:
            console.out.write(line(standing) + "\n")
            console.out.flush()
        last = standing
    if last is not None:
        _show(last, console)
