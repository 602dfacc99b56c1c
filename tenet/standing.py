"""Where a run stands, put together for `tenet status`: its stages, what their answers took and cost, how fast they came, and the stages at
work. Reads only; knows no stage's work.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from tenet.budget import Spent
from tenet.ids import Json
from tenet.live import Live, latest, read_live
from tenet.runs import Run
from tenet.runs.overview import RunView, StageView, overview
from tenet.servers import slowest
from tenet.usage import Usage, currency_of, price_of

STATS: Final = "stats.json"
_OF_THE_COMMAND: Final = ("writer", "place", "spent", "cost", "finished")
"""What each stage at work tells and `--json` does not repeat."""


@dataclass(frozen=True)
class StageStanding:
    """One stage. `rate` is in answers a second: over the last minute where the stage is at work, else over all the time that it took;
    `spent` is None where its rows are no model's answers, or nobody counted their tokens; `cost` is None without a price.
    """

    view: StageView
    spent: Spent | None = None
    cost: float | None = None
    rate: float | None = None

    def as_json(self) -> dict[str, Json]:
        """For `--json`."""
        spent = self.spent
        return {
            **asdict(self.view),
            "rate": None if self.rate is None else round(self.rate, 3),
            "prompt_tokens": spent and spent.prompt_tokens,
            "cached_tokens": spent.cached_tokens if spent and spent.told else None,
            "cached_share": spent and spent.cached_share,
            "completion_tokens": spent and spent.completion_tokens,
            "cost": self.cost,
        }


@dataclass(frozen=True)
class Standing:
    """One run. `live` are its stages at work, in the order of the steps; `currency` is empty where the run has no prices."""

    run: RunView
    stages: tuple[StageStanding, ...]
    live: tuple[Live, ...] = ()
    currency: str = ""

    @property
    def cost(self) -> float | None:
        """Of all recorded answers that have a price; None where none has."""
        costs = [stage.cost for stage in self.stages if stage.cost is not None]
        return sum(costs) if costs else None

    def as_json(self) -> dict[str, Json]:
        """For `--json`; `so_far` is what the command at work has spent, over all its stages."""
        now = latest(self.live)
        return {
            **asdict(self.run), "path": str(self.run.path), "stages": [stage.as_json() for stage in self.stages],
            "cost": self.cost, "currency": self.currency or None, "live": [_live_json(live) for live in self.live],
            "so_far": {**asdict(now.spent), "cost": now.cost} if now else None, "next": self.run.next,
        }  # fmt: skip


def _live_json(live: Live) -> dict[str, Json]:
    behind = slowest(live.servers)
    told: dict[str, Any] = {**asdict(live), "slowest": behind.name if behind else None}
    return {name: value for name, value in told.items() if name not in _OF_THE_COMMAND}


class Looker:
    """Looks at one run, again and again; published shards are read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._usage = Usage(folder)

    def look(self) -> Standing:
        """Where the run stands now.

        Raises:
            MissingInput: there is no run folder here.
            InvalidInput: its `run.json` or manifest cannot be read.
        """
        with Run.read(self._folder) as run:
            config = run.config
        usage, view, live = self._usage.read(), overview(self._folder), read_live(self._folder)
        rates = _rates(_stats(self._folder), live)
        stages = tuple(_standing(stage, usage.get(stage.name), config, rates.get(stage.name)) for stage in view.stages)
        return Standing(view, stages, live, currency_of(config))


def _standing(view: StageView, spent: Spent | None, config: Mapping[str, Json], rate: float | None) -> StageStanding:
    counted = spent if spent is not None and spent.tokens else None
    price = price_of(view.record, config) if counted else None
    return StageStanding(view, counted, counted.cost(price) if counted and price else None, rate)


def _rates(stats: Mapping[str, Any], live: Sequence[Live]) -> dict[str, float]:
    """Answers a second by stage: of those at work now, of the others over all commands."""
    usage, taken = stats.get("usage", {}), stats.get("seconds", {})
    calls: Counter[str] = Counter({step: usage.get(step, {}).get("calls", 0) for step in taken})
    seconds: dict[str, float] = dict(taken)
    now = latest(live)
    for step, (asked, lasted) in (now.finished if now else {}).items():
        calls[step] += asked
        seconds[step] = seconds.get(step, 0.0) + lasted
    found = {step: calls[step] / lasted for step, lasted in seconds.items() if lasted > 0 and calls[step]}
    return {**found, **{one.stage: one.rate for one in live}}


def _stats(folder: Path) -> Mapping[str, Any]:
    """What earlier commands noted of the time that they took; empty where none did."""
    try:
        return cast("Mapping[str, Any]", json.loads((folder / STATS).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
