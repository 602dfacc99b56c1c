"""What there is in a folder of runs, told from the small files of each: `run.json`, manifest, `stats.json`. Opens no shard and changes
nothing.

What a shard that is still open holds is therefore not counted, and tokens are those that finished commands noted; `tenet status RUN`
looks closer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tenet.budget import Spent
from tenet.errors import InvalidInput, MissingInput
from tenet.ids import Json
from tenet.records import Judgement, Listing, PreferencePair, Rating, Sample
from tenet.runs.lock import is_held
from tenet.runs.manifest import Manifest, load
from tenet.runs.row import Counts
from tenet.runs.run import FILE, LOCK, Run
from tenet.standing import STATS
from tenet.usage import currency_of, price_of

SAMPLES: Final = "samples"


class State(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Listed:
    """One run. Rows are those of published shards; `tokens` and `cost` are None where nobody counted or priced them, `problem` is
    empty unless the run is damaged.
    """

    path: Path
    state: State
    created: str = ""
    judge: str = ""
    principles: str = ""
    samples: int = 0
    verdicts: int = 0
    pairs: int = 0
    size: int = 0
    tokens: int | None = None
    cost: float | None = None
    currency: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, Json]:
        """For `--json`; sizes are in bytes."""
        return {
            "name": self.path.name, "path": str(self.path), "state": self.state.value, "created": self.created or None,
            "judge": self.judge or None, "principles": self.principles or None, "samples": self.samples,
            "verdicts": self.verdicts, "pairs": self.pairs, "size": self.size, "tokens": self.tokens, "cost": self.cost,
            "currency": self.currency or None, "problem": self.problem or None,
        }  # fmt: skip


def list_runs(folder: Path) -> list[Listed]:
    """The runs in a folder, newest first; damaged ones last.

    Raises:
        MissingInput: there is no such folder.
    """
    if not folder.is_dir():
        raise MissingInput(f"There is no folder {folder}.", hint="Make a run with: tenet generate run.yaml")
    found = [_listed(file.parent) for file in folder.glob(f"*/{FILE}")]
    return sorted(sorted(found, key=lambda one: one.path.name), key=lambda one: one.created, reverse=True)


def _listed(path: Path) -> Listed:
    size = _size(path)
    try:
        with Run.read(path) as run:
            manifest, config = load(path), run.config
            state = State.STOPPED if run.finished is None else State.FINISHED
            created = run.created
    except (InvalidInput, OSError) as error:
        return Listed(path, State.DAMAGED, size=size, problem=str(error).replace("\n", " "))
    tokens, cost = _spent(path, config)
    judge = _mapping(config.get("judge"))
    return Listed(
        path, State.RUNNING if is_held(path / LOCK) else state, created, _judge(judge), _stem(config.get("principles")),
        _rows(manifest, Sample), _rows(manifest, Judgement, Rating, Listing), _rows(manifest, PreferencePair), size,
        tokens, cost, currency_of(config),
    )  # fmt: skip


def _rows(manifest: Manifest, *records: type) -> int:
    names = {record.__name__ for record in records}
    held = [entry for entry in manifest.stages.values() if entry.record in names]
    return Counts.total([shard.counts for entry in held for shard in entry.shards.values()]).ok


def _judge(judge: Mapping[str, Any]) -> str:
    """The judge's model, or how many sit in the panel."""
    members = judge.get("members") or ()
    return f"panel of {len(members)}" if members else _stem(judge.get("model"))


def _stem(value: object) -> str:
    """The end of a path, a hub id as it is."""
    text = str(value or "")
    path = Path(text)
    return path.stem if path.suffix in (".yaml", ".yml") else path.name if path.is_absolute() else text


def _spent(path: Path, config: Mapping[str, Any]) -> tuple[int | None, float | None]:
    """The tokens that the run's commands noted, and what they cost by its prices."""
    try:
        told = json.loads((path / STATS).read_text(encoding="utf-8"))["usage"]
        steps = {step: Spent(**one) for step, one in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, None
    prices = {step: price_of((Sample if step == SAMPLES else Judgement).__name__, config) for step in steps}
    costs = [spent.cost(price) for step, spent in steps.items() if (price := prices[step]) is not None]
    return sum(spent.tokens for spent in steps.values()) if steps else None, sum(costs) if costs else None


def _size(folder: Path) -> int:
    """Bytes of all files in a folder; what goes away meanwhile is not counted."""
    total, todo = 0, [folder]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
