"""Shows what `generate.watch` tells of: a block a save in a file or a pipe, the same over an empty screen in a terminal, and a line of JSON
a save. Words only; measures nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from constitution.cli import problems_json
from constitution.diff import Difference
from constitution.diff_text import as_json as text_json
from constitution.diff_text import rendered
from generate.effect import Compared, Effect
from generate.relabel import Relabelling
from generate.show_effect import BY_CHANGE, before_and_after, by_change, effect_json, names, short, told, winners
from generate.show_plan import amount_text, money_text, time_text
from generate.watch import Begun, Costed, Event, Harmless, Invalid, Seen
from tenet.console import Console, draw_table, has_colour, is_terminal
from tenet.ids import Json

MOST_LINES: Final = 16
"""Most lines of the difference of the texts."""
_SHOWN: Final = 100
_CLEAR: Final = "\x1b[H\x1b[2J"


class View(Protocol):
    """Shows one event after the other."""

    def show(self, event: Event) -> None:
        """Show an event."""
        ...


def make_view(file: Path, run: Path, console: Console, *, examples: int) -> View:
    """The view that fits where stdout goes."""
    return Lines(file, console, examples) if console.json else Blocks(file, run, console, examples)


class Lines:
    """A line of JSON a save: `state` is `effect`, `same` or `invalid`."""

    def __init__(self, file: Path, console: Console, examples: int) -> None:
        self._file = file
        self._console = console
        self._examples = examples
        self._seen: Seen | None = None

    def show(self, event: Event) -> None:
        """Write the line of a save when all of it is known."""
        match event:
            case Invalid(error):
                self._write("invalid", {"message": str(error), "problems": problems_json(error)})
            case Harmless(difference):
                self._write("same", {"text": text_json(difference)})
            case Begun():
                self._seen = None
            case Seen():
                self._seen = event
            case Costed(cost) if self._seen is not None:
                self._write("effect", self._effect(self._seen, cost))

    def _effect(self, seen: Seen, cost: Relabelling) -> dict[str, Json]:
        found = effect_json(seen.effect, cost, examples=self._examples)
        return {"seconds": round(seen.seconds, 3), "text": text_json(seen.difference), "effect": found}

    def _write(self, state: str, more: dict[str, Json]) -> None:
        line: dict[str, Json] = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "file": str(self._file), "state": state}
        self._console.out.write(json.dumps({**line, **more}, ensure_ascii=False) + "\n")
        self._console.out.flush()


class Blocks:
    """A block a save. In a terminal each begins on an empty screen, and under a broken file stands the last effect, as such."""

    def __init__(self, file: Path, run: Path, console: Console, examples: int) -> None:
        self._file = file
        self._run = run
        self._console = console
        self._examples = examples
        self._screen = is_terminal(console.out)
        self._colour = has_colour(console.out)
        self._block = self._last = ""

    def show(self, event: Event) -> None:
        """Write what is new."""
        match event:
            case Invalid(error):
                self._begin(" cannot be measured")
                self._write(f"{error}\n")
                if self._last:
                    self._write(f"\nThe last effect stands, of an earlier save{':' if self._screen else '.'}\n")
                if self._last and self._screen:
                    self._write(f"\n{self._last}")
            case Harmless(difference):
                self._begin()
                same = "holds the same principles" if difference.identical else "labels the run in the same way"
                self._write(f"It {same} as the file that {self._run} was judged by. Nothing was asked.\n")
                self._last = ""
            case Begun(difference):
                self._begin()
                self._write(_brief(difference, self._file, self._run, colour=self._colour) + "\n")
            case Seen():
                self._write("\n".join(self._effect(event.effect)) + "\n")
                self._write(f"{event.seconds:.1f} s from the save to its effect.\n")
                self._last = self._block
            case Costed(cost):
                self._write(_cost(cost))
                self._last = self._block

    def _begin(self, what: str = "") -> None:
        self._block = ""
        self._console.out.write(_CLEAR if self._screen else "")
        self._write(f"{'' if self._screen else chr(10)}{time.strftime('%H:%M:%S')} {self._file}{what}\n")

    def _write(self, text: str) -> None:
        self._block += text
        self._console.out.write(text)
        self._console.out.flush()

    def _effect(self, effect: Effect) -> Iterator[str]:
        yield from told(effect)
        if effect.flips:
            yield ""
            yield draw_table(BY_CHANGE, by_change(effect), terminal=self._screen, colour=self._colour).rstrip("\n")
        for one in effect.flips[: self._examples]:
            yield from _example(one)
        yield ""


def _brief(difference: Difference, file: Path, run: Path, *, colour: bool) -> str:
    """The difference of the texts, without its headline."""
    lines = rendered(difference, colour=colour).splitlines()[2:]
    if len(lines) <= MOST_LINES:
        return "\n".join([*lines, ""])
    more = f"... {len(lines) - MOST_LINES:,} lines more, with: tenet principles diff RECORDED {file} (RECORDED is in {run}/principles/)"
    return "\n".join([*lines[:MOST_LINES], more, ""])


def _example(one: Compared) -> Iterator[str]:
    before, after = winners(one)
    p_before, p_after = before_and_after(one, before)
    yield ""
    yield f"  prompt  {short(one.case.prompt.text, _SHOWN)}"
    yield f"  before  {short(before.text, _SHOWN)}  (P {p_before:.2f})"
    yield f"  now     {short(after.text, _SHOWN)}  (P {1 - p_after:.2f}), turned by {names(one.blamed)}"


def _cost(cost: Relabelling) -> str:
    """What relabelling would ask, in a line a step; about so much, where not all prompts were counted."""
    bill = cost.bill
    about = "about " if bill.plan.counted < bill.plan.prompts else ""
    text = ""
    for item in bill.items:
        line = item.line
        told = [
            f"{about}{amount_text(line.owed)} of {amount_text(line.calls)} calls", f"{amount_text(line.prompt_tokens)} prompt tokens",
            *([time_text(item.seconds)] if item.seconds else []),
            *([money_text(item.price, bill.currency)] if item.price else []),
        ]  # fmt: skip
        text += f"Relabelling the whole run, {line.stage}: {', '.join(told)}.\n"
    return text
