"""What a command says: words to stderr, data to stdout, a live line for each piece of long work, and the `--json` twin of
tables and data.

Colours and live lines are for terminals only; `NO_COLOR` (no-color.org), `FORCE_COLOR` (force-color.org) and `TERM=dumb` are
honoured. Into a
pipe or a log, progress is a plain line now and then. Knows nothing of what the numbers mean. Imports rich
only when something is drawn.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, TextIO

from tenet.ids import Json

LIVE_SECONDS = 0.1
PLAIN_SECONDS = 30.0
RATE_SECONDS = 60.0
FEW = 5
"""So many results, and at least as many as are in flight, must be in before a time left is told: the first ones waited longest."""
LONGEST_CELL = 100
"""How wide a column gets where there is no terminal."""
_STEERS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """A text without what would steer the terminal, which may come from models, files and servers; colours, tabs and lines stay."""
    return _STEERS.sub("\ufffd", text)


@dataclass
class Console:
    """Where a command's words and data go.

    `json` turns tables and data into JSON on stdout; words still go to stderr. Threads may share a console: each piece of work has its own
    live line, one under the other.
    """

    json: bool = False
    quiet: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _live: list[Progress] = field(default_factory=list, repr=False)
    _drawn: int = 0

    def say(self, text: str) -> None:
        """A line for the person, on stderr, above the live ones if there are any."""
        with self.lock:
            self._wipe()
            self.err.write(harmless(text) + "\n")
            self.err.flush()
            if self._live and self.draws:
                self._draw(self._live)

    def data(self, value: Json) -> None:
        """The command's result, on stdout: text as it stands, or for `--json` (and for whatever is no text)
        JSON.
        """
        text = (
            harmless(value)
            if isinstance(value, str) and not self.json
            else json.dumps(value, indent=2, ensure_ascii=False)
        )
        self.out.write(text.rstrip("\n") + "\n")
        self.out.flush()

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Json]], *, title: str = "", right: Collection[str] = ()
    ) -> None:
        """A table on stdout; for `--json` a list of objects under `columns`.

        Numbers stand to the right, and so do the columns named in `right`; None is blank.
        """
        if self.json:
            self.data([dict(zip(columns, row, strict=True)) for row in rows])
            return
        self.out.write(
            draw_table(
                columns, rows, title=title, terminal=is_terminal(self.out), colour=has_colour(self.out), right=right
            )
        )
        self.out.flush()

    @property
    def draws(self) -> bool:
        """Whether there are live lines."""
        return is_terminal(self.err) and not self.quiet and not self.json

    def begin(self, progress: Progress) -> None:
        """Give a piece of work its live line, under those of others."""
        with self.lock:
            self._live.append(progress)

    def end(self, progress: Progress) -> None:
        """Take a piece of work's live line away."""
        with self.lock:
            self._wipe()
            self._live.remove(progress)

    def redraw(self, progress: Progress) -> None:
        """Draw the live lines anew, because one has changed."""
        with self.lock:
            self._draw(self._live or [progress])

    def _draw(self, live: Sequence[Progress]) -> None:
        width = _columns(self.err) - 1
        back = "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (self._drawn - 1)
        self.err.write(back + "\n".join(progress.line()[:width] for progress in live))
        self.err.flush()
        self._drawn = len(live)

    def _wipe(self) -> None:
        if self._drawn:
            self.err.write("\r\x1b[2K" + "\x1b[1A\x1b[2K" * (self._drawn - 1))
            self._drawn = 0

    def progress(self, title: str) -> Progress:
        """A progress line for one piece of long work; use as a context manager."""
        return Progress(self, title)


class Progress:
    """One line that keeps up with long work: done of total, rate, in flight, time left, outcomes.

    Live on a terminal, else a plain line at most every half minute and one at the end. The rate is that of
    the last minute and leaves out what was done before. One thread works, any may ask for the rate.
    """

    def __init__(self, console: Console, title: str) -> None:
        self.title = title
        self.total = self.done = self.flying = 0
        self.outcomes: dict[str, int] = {}
        self.started = self.growing = False
        self._console = console
        self._live = console.draws
        self._last = console.clock()
        self._marks: list[tuple[float, int]] = []
        self._before = 0

    def start(self, total: int, done: int = 0, outcomes: Mapping[str, int] | None = None) -> None:
        """Say how much there is to do, and how much of it was done before."""
        with self._console.lock:
            self.total, self.done, self.started, self._before = total, done, True, done
            self.outcomes = dict(outcomes or {})
            self._marks = [(self._console.clock(), done)]
        self.draw()

    def expect(self, more: int, done: int = 0, *, last: bool = False) -> None:
        """Say that there is more to do than was said, and how much of that was done before; no time left is told until the `last` of it."""
        with self._console.lock:
            self.total, self.done, self._before = self.total + more, self.done + done, self._before + done
            self.started, self.growing = True, not last
            self._marks = [(when, before + done) for when, before in self._marks]
        self.draw()

    def advance(self, count: int, outcomes: Mapping[str, int] | None = None) -> None:
        """Note finished work and how it ended."""
        with self._console.lock:
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
        """Units a second since a minute ago, or since the last progress before that; 0 while nothing is done."""
        with self._console.lock:
            now = self._console.clock()
            while len(self._marks) > 1 and now - self._marks[1][0] >= RATE_SECONDS:
                del self._marks[0]
            if not self._marks or self._marks[-1][1] != self.done:
                self._marks.append((now, self.done))
            then, before = self._marks[0]
            return (self.done - before) / (now - then) if now > then else 0.0

    def line(self) -> str:
        """The line as it is now; no time left is told of the first few that came in, which took the longest."""
        rate = self.rate()
        few = self.done - self._before < max(FEW, self.flying)
        return progress_line(
            self.title, self.done, self.total, rate,
            flying=self.flying, outcomes=self.outcomes, growing=self.growing, timed=not few,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._console.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flying = 0
        self._console.end(self)
        if self.total and not self._console.quiet:
            self._console.say(self.line())

    def draw(self) -> None:
        """Show the line if it is time to."""
        now = self._console.clock()
        if self._console.quiet or now - self._last < (LIVE_SECONDS if self._live else PLAIN_SECONDS):
            return
        if self._live:
            self._console.redraw(self)
        else:
            self._console.say(self.line())
        self._last = now


def progress_line(
    title: str,
    done: int,
    total: int,
    rate: float,
    *,
    flying: int = 0,
    outcomes: Mapping[str, int] | None = None,
    growing: bool = False,
    timed: bool = True,
) -> str:
    """Long work in one line: how much is done of how much, how fast, what is under way and how long it will take; neither share nor time
    left where the total is `growing`, no time left where it is not `timed`.
    """
    share = " so far" if growing else f" ({100 * done / total:.0f} %)" if total else ""
    parts = [f"{title}: {done:,} of {total:,}{share}"]
    if rate > 0:
        parts.append(f"{rate:,.1f}/s" if rate >= 0.1 else f"{60 * rate:,.1f}/min")
    if flying:
        parts.append(f"{flying:,} in flight")
    if rate > 0 and done < total and timed and not growing:
        parts.append(f"{duration((total - done) / rate)} left")
    parts += [f"{name} {number:,}" for name, number in (outcomes or {}).items()]
    return " · ".join(parts)


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


def quantity(value: float) -> str:
    """A large count in one short cell: 99,999, 123 k, 12.3 M, 4.56 G."""
    for size, unit, sign in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k")):
        if value >= size:
            figure = value / unit
            return f"{figure:.{0 if figure >= 100 else 1 if figure >= 10 else 2}f} {sign}"
    return f"{value:,.0f}"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: 1 pair, 1,200 pairs."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def money(value: float) -> str:
    """A sum of money: two decimals, below one two figures."""
    return f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.2g}"


def is_terminal(stream: TextIO) -> bool:
    """True where live lines make sense."""
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def has_colour(stream: TextIO) -> bool:
    """True where colours make sense and are not unwanted: never with `NO_COLOR`, else always with `FORCE_COLOR`, else on a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def draw_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Json]],
    *,
    title: str = "",
    terminal: bool = False,
    colour: bool = False,
    right: Collection[str] = (),
) -> str:
    """A table as text. In a terminal that is too narrow, cells are wrapped between words; where words would have to be broken, it is
    several tables under each other, each with the first column. Where there is no terminal, only very long cells are wrapped.
    """
    import io

    from rich.box import SIMPLE
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    cells = [[cell_text(cell) for cell in row] for row in rows]
    wanted, least = _widths(columns, cells, right)
    buffer = io.StringIO()
    # Not rich's own look at the environment: `colour` has settled it, and without it there is no escape code at all.
    system: Literal["standard"] | None = "standard" if colour else None
    console = RichConsole(
        file=buffer,
        force_terminal=terminal or colour,
        color_system=system,
        no_color=not colour,
        width=None if terminal else 100_000,
        highlight=False,
    )
    if not terminal:
        wanted = [min(width, max(LONGEST_CELL, low)) for width, low in zip(wanted, least, strict=True)]
    for part in _parts(least, console.width):
        table = Table(box=SIMPLE, pad_edge=False, highlight=False)
        room = console.width - _between(len(part))
        widths = _shrunk([wanted[place] for place in part], [least[place] for place in part], room)
        for place, width in zip(part, widths, strict=True):
            numeric = all(isinstance(row[place], int | float) or row[place] is None for row in rows)
            to_the_right = (numeric and bool(rows)) or columns[place] in right
            justify: Literal["right", "left"] = "right" if to_the_right else "left"
            table.add_column(Text(columns[place]), justify=justify, overflow="fold", width=min(width, max(1, room)))
        for row in cells:
            table.add_row(*(Text(row[place]) for place in part))
        console.print(table)
    lines = [line.rstrip() for line in buffer.getvalue().strip("\n").splitlines()]
    return "\n".join([*([title, ""] if title else []), *(line for line in lines if line), "", ""])


def _widths(
    columns: Sequence[str], cells: Sequence[Sequence[str]], unbroken: Collection[str]
) -> tuple[list[int], list[int]]:
    """The width that each column would have, and the least that breaks no word (of those in `unbroken`: no cell)."""
    from rich.cells import cell_len

    wanted, least = [], []
    for place, name in enumerate(columns):
        lines = [line for text in (name, *(row[place] for row in cells)) for line in text.splitlines()]
        words = lines if name in unbroken else [word for line in lines for word in line.split()]
        wanted.append(max((cell_len(line) for line in lines), default=1))
        least.append(max((cell_len(word) for word in words), default=1))
    return wanted, least


def _between(columns: int) -> int:
    """What a table of so many columns takes for the space at its edges and between them."""
    return 3 * columns - 1


def _parts(least: Sequence[int], width: int) -> list[list[int]]:
    """The columns in as few tables as have room for them, each with the first column; the order stays."""
    parts: list[list[int]] = []
    for place in range(1, len(least)):
        longer = [*(parts[-1] if parts else [0]), place]
        if sum(least[each] for each in longer) + _between(len(longer)) <= width or len(longer) == 2:
            parts[-1:] = [longer]
        else:
            parts.append([0, place])
    return parts or [list(range(len(least)))]


def _shrunk(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths of columns in a room: the widest give way first, none below its least unless nothing else helps."""
    level = max(wanted, default=0)
    widths = list(wanted)
    while sum(widths) > room and level > 1:
        level -= 1
        widths = [max(low, min(width, level)) for width, low in zip(wanted, least, strict=True)]
    while sum(widths) > room and max(widths, default=0) > 1:
        widths[widths.index(max(widths))] -= 1
    return [max(1, width) for width in widths]


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
        return harmless(value)
    return json.dumps(value, ensure_ascii=False)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 80
