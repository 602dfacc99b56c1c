"""`live-STAGE.json` in a run folder: how a stage at work gets on, told by the process that drives it to those who look on. Several stages
may be at work at once, each with a file of its own. Says nothing once that process has ended.

Each file is written from a thread of its own, so that the work waits for nothing. Knows what a progress line, a meter and an engine tell,
and nothing of what the work is.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tenet.budget import Meter, Spent
from tenet.console import Progress
from tenet.runs.atomic import aside
from tenet.runs.lock import Holder
from tenet.runs.run import drives
from tenet.servers import ServerStats

FILES: Final = "live-*.json"
EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Live:
    """A stage at work; `place` is that of its step among the run's. `planned` is None while it is found out what is owed, and `growing`
    while more may be added to it; `rate` is that of the last minute, `eta_seconds` None without one or while the plan grows. `spent` and
    `cost` are the command's so far, over all its stages; `cost` is None where no price is given. `finished` has the calls and the seconds
    of the steps that the command is through with.
    """

    writer: Holder
    stage: str
    title: str
    place: int = 0
    done: int = 0
    planned: int | None = None
    growing: bool = False
    rate: float = 0.0
    eta_seconds: float | None = None
    in_flight: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    cost: float | None = None
    servers: tuple[ServerStats, ...] = ()
    finished: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    updated: str = ""


@contextlib.contextmanager
def told_live(
    folder: Path,
    driver: Holder,
    stage: str,
    *,
    place: int = 0,
    progress: Progress,
    meter: Meter,
    servers: Callable[[], Sequence[ServerStats]] = tuple,
    finished: Callable[[], Mapping[str, tuple[int, float]]] = dict,
    every: float = EVERY_SECONDS,
) -> Iterator[None]:
    """Tell in the run folder how a stage gets on, at once and then every so many seconds, until the end of the `with`.

    `servers` and `finished` are asked each time, from another thread. A disk that takes no file is left to the stage itself to complain of.
    """
    over = threading.Event()
    begun = Live(driver, stage, progress.title, place)

    def tell() -> None:
        while True:
            with contextlib.suppress(OSError):
                write_live(folder, looked(begun, progress, meter, servers(), finished()))
            if over.wait(every):
                return

    thread = threading.Thread(target=tell, name="tenet-live", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(OSError):
            _file(folder, stage).unlink(missing_ok=True)


def looked(
    begun: Live, progress: Progress, meter: Meter, servers: Sequence[ServerStats],
    finished: Mapping[str, tuple[int, float]],
) -> Live:  # fmt: skip
    """How a stage gets on now; may be called beside the thread that works."""
    rate, left = progress.rate(), progress.total - progress.done
    return replace(
        begun,
        done=progress.done,
        planned=progress.total if progress.started else None,
        growing=progress.growing,
        rate=round(rate, 3),
        eta_seconds=round(max(0, left) / rate, 1) if rate > 0 and not progress.growing else None,
        in_flight=progress.flying,
        outcomes=dict(progress.outcomes),
        spent=sum(list(meter.spent.values()), Spent()),
        cost=meter.cost if any(meter.prices.values()) else None,
        servers=tuple(servers),
        finished=dict(finished),
        updated=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )


def write_live(folder: Path, live: Live) -> None:
    """Replace the stage's file as a whole. It need not survive a power loss, so nothing waits for the disk.

    Raises:
        OSError: the disk is full or not writable; the old content stands.
    """
    path = _file(folder, live.stage)
    temporary = aside(path)
    try:
        temporary.write_text(json.dumps(asdict(live), ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, path)  # noqa: PTH105 - as in tenet.runs.atomic
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_live(folder: Path) -> tuple[Live, ...]:
    """The stages at work in the order of the run's steps, as told by the process that has the run open; empty where there is none.

    A file left by a process that was killed is nobody's.
    """
    told = [live for path in folder.glob(FILES) if (live := _read(path)) is not None]
    at_work = {writer for writer in {live.writer for live in told} if drives(folder, writer)}
    return tuple(sorted((live for live in told if live.writer in at_work), key=lambda live: (live.place, live.stage)))


def latest(told: Sequence[Live]) -> Live | None:
    """The one of these that knows most of what the command has spent; None of none."""
    return max(told, key=lambda live: (live.spent.tokens, live.spent.calls), default=None)


def _file(folder: Path, stage: str) -> Path:
    return folder / FILES.replace("*", stage)


def _read(path: Path) -> Live | None:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Live(**{
            **data, "writer": Holder(**data["writer"]), "spent": Spent(**data["spent"]),
            "servers": tuple(ServerStats(**server) for server in data["servers"]),
            "finished": {step: (asked, seconds) for step, (asked, seconds) in data["finished"].items()},
        })  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # it has just ended, or is another version's
        return None
