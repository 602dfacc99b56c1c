"""`live.json` in a run folder: how the stage at work gets on, told by the process that drives it to those who look on. Says nothing once
that process has ended.

It is written from a thread of its own, so that the work waits for nothing. Knows what a progress line, a meter and an engine tell, and
nothing of what the work is.
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

FILE: Final = "live.json"
EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Live:
    """A stage at work. `planned` is None while it is found out what is owed; `rate` is that of the last minute, `eta_seconds` None
    without one. `spent` and `cost` are the command's so far, over all its stages; `cost` is None where no price is given. `finished`
    has the calls and the seconds of the steps that the command is through with.
    """

    writer: Holder
    stage: str
    title: str
    done: int = 0
    planned: int | None = None
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
    progress: Progress,
    meter: Meter,
    servers: Callable[[], Sequence[ServerStats]] = tuple,
    finished: Mapping[str, tuple[int, float]] | None = None,
    every: float = EVERY_SECONDS,
) -> Iterator[None]:
    """Tell in the run folder how a stage gets on, at once and then every so many seconds, until the end of the `with`.

    A disk that takes no file is left to the stage itself to complain of.
    """
    over = threading.Event()
    begun = Live(driver, stage, progress.title, finished=dict(finished or {}))

    def tell() -> None:
        while True:
            with contextlib.suppress(OSError):
                write_live(folder, looked(begun, progress, meter, servers()))
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
            (folder / FILE).unlink(missing_ok=True)


def looked(begun: Live, progress: Progress, meter: Meter, servers: Sequence[ServerStats]) -> Live:
    """How a stage gets on now; may be called beside the thread that works."""
    rate, left = progress.rate(), progress.total - progress.done
    return replace(
        begun,
        done=progress.done,
        planned=progress.total if progress.started else None,
        rate=round(rate, 3),
        eta_seconds=round(max(0, left) / rate, 1) if rate > 0 else None,
        in_flight=progress.flying,
        outcomes=dict(progress.outcomes),
        spent=sum(list(meter.spent.values()), Spent()),
        cost=meter.cost if any(meter.prices.values()) else None,
        servers=tuple(servers),
        updated=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )


def write_live(folder: Path, live: Live) -> None:
    """Replace the file as a whole. It need not survive a power loss, so nothing waits for the disk.

    Raises:
        OSError: the disk is full or not writable; the old content stands.
    """
    path = folder / FILE
    temporary = aside(path)
    try:
        temporary.write_text(json.dumps(asdict(live), ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)  # noqa: PTH105 - as in tenet.runs.atomic
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_live(folder: Path) -> Live | None:
    """What the process that has the run open says; None where none has it open, or says nothing."""
    try:
        data: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        live = Live(**{
            **data, "writer": Holder(**data["writer"]), "spent": Spent(**data["spent"]),
            "servers": tuple(ServerStats(**server) for server in data["servers"]),
        })  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is another version's
        return None
    return live if drives(folder, live.writer) else None
