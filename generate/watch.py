"""Measures each save of a principles file on a run, one after the other, for as long as somebody looks on. Knows no terminal.

A save that comes while another is being measured overtakes it: what was asked is kept, and nothing is told of the earlier one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from constitution.diff import Difference
from generate.effect import Effect
from generate.measured import Session
from generate.relabel import Relabelling
from generate.saves import EVERY_SECONDS, Saves
from tenet.errors import Interrupted, RunLocked, TenetError, TooManyFailures
from tenet.workers.interrupt import Interruption

COUNTED_PROMPTS = 512
"""Most prompts that the cost of relabelling is counted on; of a larger run it is an estimate."""


@dataclass(frozen=True)
class Invalid:
    """A save that cannot be measured: the file is broken, or too many of the questions failed."""

    error: TenetError


@dataclass(frozen=True)
class Harmless:
    """A save after which the run's labels are what they were."""

    difference: Difference


@dataclass(frozen=True)
class Begun:
    """A save that is going to be measured."""

    difference: Difference


@dataclass(frozen=True)
class Seen:
    """The effect of the save that was begun last; `seconds` since it was noticed."""

    difference: Difference
    effect: Effect
    seconds: float


@dataclass(frozen=True)
class Costed:
    """What relabelling the run by that save would cost."""

    relabelling: Relabelling


Event = Invalid | Harmless | Begun | Seen | Costed


def watch(session: Session, saves: Saves, say: Callable[[str], None], *, size: int, seed: int = 0) -> Iterator[Event]:
    """Tell of the file as it is, and then of each save, until Ctrl-C while one is measured.

    Raises:
        KeyboardInterrupt: Ctrl-C while nothing is measured.
        UsageError, EngineError: there is nothing to measure on, or nobody to ask.
    """
    told: object = None
    while True:
        began = time.monotonic()
        try:
            second = saves.load()
        except TenetError as error:
            if told != str(error):
                told = str(error)
                yield Invalid(error)
        else:
            session.renew()
            if told != (session.before, second):
                told = (session.before, second)
                difference = session.difference(second)
                done = True
                if not difference.changes_labels:
                    yield Harmless(difference)
                else:
                    yield Begun(difference)
                    with _overtaken(saves, say) as interruption:
                        done = yield from _measured(session, saves, difference, interruption, size, seed, began)
                    if interruption.heard:
                        return
                if not done:
                    told = None
        saves.wait()


def run_file(folder: Path) -> Path:
    """The file that changes when a run takes other principles on."""
    return folder / "run.json"


def _measured(
    session: Session,
    saves: Saves,
    difference: Difference,
    interruption: Interruption,
    size: int,
    seed: int,
    began: float,
) -> Generator[Event, None, bool]:
    """Tell of one save, and nothing more once another has overtaken it. Gives whether all was told."""
    try:
        effect = session.effect(difference, size=size, seed=seed, interruption=interruption)
    except (TooManyFailures, RunLocked) as error:
        yield Invalid(error)
        return False
    except Interrupted:
        return False
    if saves.changed() or interruption.heard:
        return False
    yield Seen(difference, effect, time.monotonic() - began)
    cost = session.relabelling(difference, str(saves.file), most=COUNTED_PROMPTS)
    if saves.changed() or interruption.heard:
        return False
    yield Costed(cost)
    return True


@contextmanager
def _overtaken(saves: Saves, say: Callable[[str], None]) -> Iterator[Interruption]:
    """Have work stop after what is in hand, at Ctrl-C and when a file is saved again."""
    over = threading.Event()
    with Interruption(say, "") as interruption:

        def look() -> None:
            while not over.wait(EVERY_SECONDS):
                if saves.changed():
                    interruption.requested = True
                    return

        thread = threading.Thread(target=look, name="tenet-saves", daemon=True)
        thread.start()
        try:
            yield interruption
        finally:
            over.set()
            thread.join()
