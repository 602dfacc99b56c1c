"""What a command says: words to stderr, data to stdout, one live line for long work, and the `--json` twin of
tables and data.

Colours and live lines are for terminals only; `NO_COLOR` (no-color.org) and `TERM=dumb` are honoured. Into a
pipe or a log, progress is a plain line now and then. Knows nothing of what the numbers mean. Imports rich
only when something is drawn.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TextIO

from tenet.ids import Json

LIVE_SECONDS = 0.1
PLAIN_SECONDS = 30.0
RATE_SECONDS = 60.0


@dataclass
class Console:
    """Where a command's words and data go.

    `json` turns tables and data into JSON on stdout; words still go to stderr.
    """

    json: bool = False
    quiet: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    live: Progress | None = None

    def say(self, text: str) -> None:
        """A line for the person, on stderr, above the live one if there is one."""
        if self.live is not None:
            self.live.wipe()
        self.err.write(text + "\n")
        self.err.flush()
        if self.live is not None:
            self.live.draw(force=True)

    def data(self, value: Json) -> None:
        """The command's result, on stdout: text as it stands, or for `--json` (and for whatever is no text)
        JSON.
        """
        text = value if isinstance(value, str) and not self.json else json.dumps(value, indent=2, ensure_ascii=False)
        self.out.write(text.rstrip("\n") + "\n")
        self.out.flush()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Json]], *, title: str = "") -> None:
        """A table on stdout; for `--json` a list of objects under `columns`.

        Numbers stand to the right, None is blank.
        """
        if self.json:
            self.data([dict(zip(columns, row, strict=True)) for row in rows])
            return
        self.out.write(
            draw_table(columns, rows, title=title, terminal=is_terminal(self.out), colour=has_colour(self.out))
        )
        self.out.flush()

    def progress(self, title: str) -> Progress:
        """A progress line for one piece of long work; use as a context manager."""
        return Progress(self, title)


class Progress:
    """One line that keeps up with long work: done of total, rate, in flight, time left, outcomes.

    Live on a terminal, else a plain line at most every half minute and one at the end. The rate is that of
    the last minute and leaves out what was done before.
    """

    def __init__(self, console: Console, title: str) -> None:
        self.title = title
        self.total = self.done = self.flying = 0
        self.outcomes: dict[str, int] = {}
        self._console = console
        self._live = is_terminal(console.err) and not console.quiet and not console.json
        self._drawn = False
        self._last = console.clock()
        self._marks: list[tuple[float, int]] = []

    def start(self, total: int, done: int = 0, outcomes: Mapping[str, int] | None = None) -> None:
        """Say how much there is to do, and how much of it was done before."""
        self.total, self.done = total, done
        self.outcomes = dict(outcomes or {})
        self._marks = [(self._console.clock(), done)]
        self.draw()

    def advance(self, count: int, outcomes: Mapping[str, int] | None = None) -> None:
        """Note finished work and how it ended."""
        self.done += count
        for name, number in (outcomes or {}).items():
            self.outcomes[name] = self.outcomes.get(name, 0) + number
        self.draw()

    def in_flight(self, count: int) -> None:
        """Note how much is being worked on."""
        self.flying = count
        self.draw()

    def say(self, text: str) -> None:
        """A line for the person, above the live one."""
        self._console.say(text)

    def rate(self) -> float:
        """Units a second over the last minute; 0 while nothing is done."""
        now = self._console.clock()
        self._marks = [mark for mark in self._marks[:-1] if now - mark[0] <= RATE_SECONDS] + self._marks[-1:]
        if not self._marks or self._marks[-1][1] != self.done:
            self._marks.append((now, self.done))
        then, before = self._marks[0]
        return (self.done - before) / (now - then) if now > then else 0.0

    def line(self) -> str:
        """The line as it is now."""
        rate = self.rate()
        share = f" ({100 * self.done / self.total:.0f} %)" if self.total else ""
        parts = [f"{self.title}: {self.done:,} of {self.total:,}{share}"]
        if rate > 0:
            parts.append(f"{rate:,.1f}/s")
        if self.flying:
            parts.append(f"{self.flying:,} in flight")
        if rate > 0 and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        parts += [f"{name} {number:,}" for name, number in self.outcomes.items()]
        return " · ".join(parts)

    def __enter__(self) -> Self:
        self._console.live = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flying = 0
        self.wipe()
        self._console.live = None
        if self.total and not self._console.quiet:
            self._console.say(self.line())

    def draw(self, *, force: bool = False) -> None:
        """Show the line if it is time to; `force` shows a live one at once."""
        if self._console.quiet:
            return
        now = self._console.clock()
        if not force and now - self._last < (LIVE_SECONDS if self._live else PLAIN_SECONDS):
            return
        if self._live:
            width = _columns(self._console.err) - 1
            self._console.err.write("\r\x1b[2K" + self.line()[:width])
            self._console.err.flush()
            self._drawn = True
        elif not force:
            self._console.say(self.line())
        self._last = now

    def wipe(self) -> None:
        """Take the live line away."""
        if self._drawn:
            self._console.err.write("\r\x1b[2K")
            self._drawn = False


def duration(seconds: float) -> str:
    """A length of time in two units at most: 45s, 3m 20s, 2h 05m, 3d 4h."""
    whole = max(0, round(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour}h"
    if hours:
        return f"{hours}h {minute:02d}m"
    return f"{minutes}m {second:02d}s" if minutes else f"{second}s"


def is_terminal(stream: TextIO) -> bool:
    """True where live lines make sense."""
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO) -> bool:
    """True where colours make sense and are not unwanted."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def draw_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Json]],
    *,
    title: str = "",
    terminal: bool = False,
    colour: bool = False,
) -> str:
    """A table as text: as wide as the terminal, or as its content where there is none."""
    import io

    from rich.box import SIMPLE
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False, highlight=False)
    for index, name in enumerate(columns):
        numeric = all(isinstance(row[index], int | float) or row[index] is None for row in rows)
        table.add_column(Text(name), justify="right" if numeric and rows else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell_text(cell)) for cell in row))
    buffer = io.StringIO()
    width = None if terminal else 10_000
    console = RichConsole(file=buffer, force_terminal=terminal, no_color=not colour, width=width, highlight=False)
    console.print(table)
    lines = [line.rstrip() for line in buffer.getvalue().strip("\n").splitlines()]
    return "\n".join([*([title, ""] if title else []), *(line for line in lines if line), "", ""])


def cell_text(value: Json) -> str:
    """One cell: thousands set apart, three decimals, yes and no, lists joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 80
