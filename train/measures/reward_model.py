"""How well a reward model orders pairs that it has not seen: by source and by principle, beside a baseline that sees only lengths.

Takes the held-out split of a data set, or of the data that the model was trained on what the training held out. Labels are what the
data says; where a judge made them, accuracy is agreement with that judge. The figures are those of `train.measures.pair_scores`.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from tenet.config import AtLeast, ModelRef, as_json
from tenet.console import Console
from tenet.errors import InvalidInput
from tenet.ids import Json, content_id, digest, unit_interval
from tenet.runs.atomic import make_folder, write_text
from train.config import Method
from train.folder import read_record
from train.measures.pair_scores import LEAST_PROMPTS, Row, Scored, length_only, row_of
from train.provenance import origin_of
from train.quiet import quiet_libraries
from train.rewards import RewardModelSource
from train.rows import Pair, Reason, Text, contents, pair_of
from train.sources import HELD_OUT, digests, locate, splits_of

if TYPE_CHECKING:
    from datasets import Dataset

FILE: Final = "reward-evaluation.json"
GROUPS: Final = ("source", "principles")
_BATCH: Final = 256
OVER_LONG: Final = "longer than the model takes"


@dataclass(frozen=True, kw_only=True)
class RewardEvaluationConfig:
    """What to measure: a reward model on the pairs of a data set, by default its held-out split."""

    model: ModelRef
    data: ModelRef
    split: str | None = None
    limit: Annotated[int, AtLeast(1)] | None = None
    out: str | None = None
    seed: Annotated[int, AtLeast(0)] = 0


@dataclass(frozen=True)
class RewardEvaluation:
    """What was found; the first row is of all pairs. `left_out` counts pairs that could not be scored, by reason."""

    config: RewardEvaluationConfig
    name: str
    rows: Sequence[Row]
    left_out: Mapping[str, int]
    notes: Sequence[str]

    def as_json(self) -> dict[str, Json]:
        """Give plain values: what reward-evaluation.json holds."""
        return {
            "format": 1, "reward_model": self.name, "config": as_json(self.config),
            "rows": [row.as_json() for row in self.rows], "left_out": dict(self.left_out), "notes": list(self.notes),
        }  # fmt: skip


def evaluate_reward(config: RewardEvaluationConfig, *, console: Console | None = None) -> RewardEvaluation:
    """Score the pairs, measure, and write the file.

    Raises:
        MissingInput, InvalidInput, UsageError: the model or the data cannot be used, or no pair can.
    """
    console = console or Console()
    with tempfile.TemporaryDirectory() as cache, quiet_libraries():
        rows, notes = _rows(config, Path(cache))
        pairs, left_out = _pairs(rows, config.limit)
    if not pairs:
        raise InvalidInput(f"{config.data}: no pair that can be scored", [])
    source = RewardModelSource(config.model)
    scored = _scored(source, pairs, left_out, console)
    if not scored:
        raise InvalidInput(f"{config.data}: every pair is longer than {source.name} takes", [])
    base = length_only(scored)
    groups = dict.fromkeys(group for one in scored for group in one.groups)
    found = [row_of("all", "all pairs", scored, base, config.seed)]
    for column, name in sorted(groups):
        mine = [place for place, one in enumerate(scored) if (column, name) in one.groups]
        own = None if base is None else [base[place] for place in mine]
        found.append(row_of(column, name, [scored[place] for place in mine], own, config.seed))
    if base is None:
        notes.append(f"no length-only baseline: fewer than {LEAST_PROMPTS} prompts")
    result = RewardEvaluation(config, source.name, found, dict(left_out), notes)
    place = place_of(config)
    make_folder(place.parent)
    write_text(place, json.dumps(result.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return result


def place_of(config: RewardEvaluationConfig) -> Path:
    """Name the file that is written: `out` (a folder or a .json file), by default in the model's folder."""
    if config.out is not None:
        out = Path(config.out)
        return out if out.suffix == ".json" else out / FILE
    return (Path(config.model) if Path(config.model).is_dir() else Path()) / FILE


def _rows(config: RewardEvaluationConfig, cache: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows to measure on, and remarks: never those that the model was trained on, where that can be known."""
    splits = splits_of(config.data, cache)
    location = locate(config.data, Method.REWARD)
    files = digests(location)
    record = (read_record(Path(config.model)) if Path(config.model).is_dir() else None) or {}
    trained_on = (record.get("identity") or {}).get("data") in (digest(files) if files else None, config.data)
    held = next((name for name in HELD_OUT if name in splits and len(splits[name])), None)
    name = config.split or held or next(iter(splits))
    if name not in splits:
        raise InvalidInput(f"{config.data}: no split {name!r}; there is {', '.join(splits)}", [])
    rows = _listed(splits[name])
    notes = [_of_the_labels(location)]
    config_then = record.get("config") or {}
    if trained_on and (len(splits) == 1 or name == config_then.get("split", "train")):
        part = float(config_then.get("eval_share") or 0.0)
        kept = [row for row in rows if part and unit_interval("held out", _key(row)) < part]
        if held is None and kept:
            rows = kept
            notes.append(
                f"the model was trained on this data; measured on the {part:.0%} of the prompts that it held out"
            )
        else:
            notes.append("WARNING: the model was trained on these very rows; give data that it has not seen")
    return rows, notes


def _listed(rows: Dataset) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.to_list()
    return found


def _key(row: Mapping[str, Any]) -> str:
    pair = pair_of(row)
    return "" if isinstance(pair, Reason) else content_id("prompt", pair.prompt)


def _of_the_labels(location: Path | None) -> str:
    judge = origin_of(location).judge_model
    if judge is None:
        return "the data does not say who made its labels"
    return f"the labels are those of the judge {judge.get('model')}: accuracy is agreement with it"


def _pairs(
    rows: Sequence[Mapping[str, Any]], limit: int | None
) -> tuple[list[tuple[Pair, tuple[tuple[str, str], ...]]], Counter[str]]:
    left_out: Counter[str] = Counter()
    found = []
    for row in rows[:limit]:
        pair = pair_of(row)
        if isinstance(pair, Reason):
            left_out[pair.value] += 1
        else:
            found.append((pair, tuple(_groups(row))))
    return found, left_out


def _groups(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The groups of a row: the value of each column of `GROUPS` that it has, each item where that is a list."""
    named: list[tuple[str, str]] = []
    for column in GROUPS:
        value = row.get(column)
        for one in value if isinstance(value, list) else [value]:
            named += [(column, one or "all at once")] if isinstance(one, str) else []
    return list(dict.fromkeys(named))


def _scored(
    source: RewardModelSource,
    pairs: Sequence[tuple[Pair, tuple[tuple[str, str], ...]]],
    left_out: Counter[str],
    console: Console,
) -> list[Scored]:
    """Score both sides of every pair; pairs that are longer than the model takes are counted and left out."""
    found: list[Scored] = []
    with console.progress(f"scores by {source.name}") as progress:
        progress.start(len(pairs))
        for start in range(0, len(pairs), _BATCH):
            part = pairs[start : start + _BATCH]
            sides = [_answered(pair.prompt, side) for pair, _ in part for side in (pair.chosen, pair.rejected)]
            scores = source.score([prompt for prompt, _ in sides], [text for _, text in sides])
            for (pair, groups), chosen, rejected in zip(part, scores[::2], scores[1::2], strict=True):
                if chosen is None or rejected is None:
                    left_out[OVER_LONG] += 1
                    continue
                words = len(contents(pair.chosen).split()) - len(contents(pair.rejected).split())
                key = content_id("prompt", pair.prompt)
                found.append(Scored(key, pair.p, pair.weight, chosen - rejected, float(words), groups))
            progress.advance(len(part))
    return found


def _answered(prompt: Text, side: Text) -> tuple[Text, str]:
    """A side as a prompt and the last thing said."""
    if isinstance(prompt, list) and isinstance(side, list):
        return [*prompt, *side[:-1]], side[-1]["content"]
    assert isinstance(side, str)
    return prompt, side
