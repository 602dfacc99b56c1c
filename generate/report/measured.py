"""Reads what training and evaluation wrote down: `evaluation.json` and the folders of trainings. Knows no run.

The files are the contract between training and this page. What they lack is left out, and an unknown key is no error.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from generate.report.curves import curves
from generate.report.facts import model_name
from generate.report.model import Answers, AttributeRow, Change, Evaluation, MeasureRow, Rate, Training
from generate.report.source import as_mapping, read_json
from generate.report.words import between, change_between, number, percent, points_between, seconds
from tenet.console import plural
from tenet.ids import Json, unit_interval

SHOWN_ANSWERS, SHOWN_CHARACTERS = 3, 2000
RECORD, METRICS = "train.json", "metrics.jsonl"
FINISHED: Final = "finished"
UNWEIGHTED: Final = 0.0005
"""Within this of the share that was counted, an accuracy is told without its weights."""
ASIDE: Final = ".before-"
"""In the names of what a pipeline moved aside."""
KINDS: Final = {
    "sft": "Fine-tuning", "reward": "Reward model", "dpo": "Policy by DPO", "kto": "Policy by KTO", "online-dpo": "Policy by online DPO",
    "ppo": "Policy by PPO", "rloo": "Policy by RLOO",
}  # fmt: skip
UNITS: Final = {"sft": "conversation", "kto": "response", "online-dpo": "prompt", "ppo": "prompt", "rloo": "prompt"}
"""What a row of the data is to a method; to the others it is a pair."""
_ORDER: Final = tuple(KINDS)


def evaluation_of(
    value: Mapping[str, Json], asked: Collection[str] = (), responses: Path | None = None
) -> Evaluation | None:
    """What an `evaluation.json` says; None for an empty one.

    An attribute is asked for where its name is one of `asked` (the ids of the principles) or of the file's own `asked`.
    `responses` is the file of answers that was written beside it; some are shown.
    """
    if not value:
        return None
    listed = value.get("asked")
    names = {*asked, *(str(name) for name in (listed if isinstance(listed, list) else ()))}
    judge = as_mapping(value.get("judge"))
    found = [_attribute(as_mapping(one), names) for one in _listed(value.get("attributes"))]
    rows = [row for row in found if row]
    count = as_mapping(value.get("prompts")).get("count")
    return Evaluation(
        base_name="base",
        trained_name="trained",
        prompts=count if isinstance(count, int) else 0,
        rows=tuple(sorted(rows, key=lambda row: not row.asked)),
        win_rate=rate_of(judge.get("win_rate")),
        judge=model_name(judge.get("name")),
        self_judged=judge.get("self_judged") is True,
        facts=tuple(_evaluation_facts(value)),
        answers=answers_of(responses) if responses else (),
        measures=tuple(_measures(value)),
        because=tuple(str(one) for one in _listed(judge.get("self_judged_because"))),
        not_told=tuple((name, str(reason)) for name, reason in as_mapping(value.get("not_told")).items()),
    )


def _measures(value: Mapping[str, Json]) -> Iterator[MeasureRow]:
    """Every figure but the oracle's: an independent judge's first, one that is not independent last."""
    judge = as_mapping(value.get("judge"))
    own = judge.get("self_judged") is True
    preferred = [
        MeasureRow(name, "", f"{percent(rate.value)} ({between(rate)})", "", own)
        for name, held in (
            (f"preferred by {model_name(judge.get('name'))}", judge.get("win_rate")),
            ("preferred, at equal length", as_mapping(judge.get("length_controlled")).get("win_rate")),
        )
        if (rate := rate_of(held))
    ]
    if not own:
        yield from preferred
    for one in map(as_mapping, _listed(value.get("behaviour"))):
        yield from _measure(one)
    kl = as_mapping(as_mapping(value.get("kl")).get("nats_per_response"))
    for name in ("k1", "k3"):
        if estimate := rate_of(kl.get(name)):
            words = f"{number(estimate.value, 1)} ({number(estimate.low, 1)} to {number(estimate.high, 1)})"
            yield MeasureRow(f"KL to the base, nats an answer ({name})", "0", words)
    if own:
        yield from preferred


def _measure(one: Mapping[str, Json]) -> Iterator[MeasureRow]:
    """One measure before and after, in percent where it is a rate."""
    base, trained, change = (rate_of(one.get(key)) for key in ("base", "trained", "change"))
    if base is None or trained is None:
        return
    moved = ""
    if one.get("kind") == "rate":
        before, after = (f"{percent(rate.value)} ({between(rate)})" for rate in (base, trained))
        if change:
            moved = f"{points_between(base, trained)} ({change_between(Change(change.value, change.low, change.high))})"
    else:
        before, after = (
            f"{number(rate.value, 3)} ({number(rate.low, 3)} to {number(rate.high, 3)})" for rate in (base, trained)
        )
        if change:
            moved = f"{number(change.value, 3)} ({number(change.low, 3)} to {number(change.high, 3)})"
    yield MeasureRow(str(one.get("name", "")), before, after, moved)


def answers_of(path: Path) -> tuple[Answers, ...]:
    """A few answers of both policies, drawn by the hash of their prompt; equal answers are passed over."""
    found = {str(line.get("prompt")): line for line in _lines(path) if line.get("base") != line.get("trained")}
    drawn = sorted(found, key=lambda prompt: unit_interval("answers", prompt))[:SHOWN_ANSWERS]
    texts = [(prompt, str(found[prompt].get("base")), str(found[prompt].get("trained"))) for prompt in drawn]
    return tuple(Answers(*(text[:SHOWN_CHARACTERS] for text in three)) for three in texts)


def _attribute(value: Mapping[str, Json], asked: Collection[str]) -> AttributeRow | None:
    """One attribute's rate before and after; None for what is no rate."""
    base, trained, change = rate_of(value.get("base")), rate_of(value.get("trained")), as_mapping(value.get("change"))
    if value.get("kind") != "rate" or base is None or trained is None:
        return None
    moved = Change(trained.value - base.value, _number(change.get("low")), _number(change.get("high")))
    name = str(value.get("name", ""))
    return AttributeRow(name.replace("_", " "), base, trained, moved, name in asked)


def rate_of(value: Json) -> Rate | None:
    """A share with its interval from JSON; None for anything else."""
    held = as_mapping(value)
    numbers = [held.get(key) for key in ("value", "low", "high", "count")]
    if not all(isinstance(number, int | float) for number in numbers):
        return None
    share, low, high, count = (float(number) for number in numbers if isinstance(number, int | float))
    return Rate(share, low, high, int(count))


def _evaluation_facts(value: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for role in ("base", "trained"):
        name = as_mapping(value.get(role)).get("name")
        if name:
            yield f"{role.capitalize()} policy", model_name(name)
    for one in _listed(value.get("lengths")):
        length = as_mapping(one)
        before, after = (as_mapping(length.get(role)).get("value") for role in ("base", "trained"))
        if isinstance(before, int | float) and isinstance(after, int | float):
            yield f"Length in {length.get('name')}", f"{number(before, 1)} before, {number(after, 1)} after"
    if value.get("oracle"):
        yield "Attributes read by", f"the oracle {value['oracle']}"


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _listed(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def trainings_of(folders: Sequence[Path]) -> tuple[Training, ...]:
    """The trainings recorded in these folders, in the order in which they are done; folders without a record are left out.

    Raises:
        InvalidInput: a record does not read back.
    """
    records = [(folder, record) for folder in folders if (record := read_json(folder / RECORD))]
    records.sort(key=lambda found: (_place(str(found[1].get("method", ""))), found[0].name))
    return tuple(_training(folder, record) for folder, record in records)


def _training(folder: Path, record: Mapping[str, Json]) -> Training:
    method = str(record.get("method", ""))
    return Training(
        KINDS.get(method, method or folder.name), folder.name, tuple(_facts(record, method)),
        curves(_lines(folder / METRICS), method), record.get("status") == FINISHED, str(record.get("command", "")),
        _number(as_mapping(as_mapping(record.get("result")).get("metrics")).get("eval_pair_accuracy")),
    )  # fmt: skip


def _facts(record: Mapping[str, Json], method: str) -> list[tuple[str, str]]:
    """What to know of a training before its curves."""
    config, data, result = (as_mapping(record.get(key)) for key in ("config", "data", "result"))
    metrics = as_mapping(result.get("metrics"))
    rows, held_out = data.get("train_rows"), data.get("held_out_rows")
    found = [("State", "not finished")] if record.get("status") != FINISHED else []
    if isinstance(rows, int):
        found.append(
            (
                "Trained on",
                plural(rows, UNITS.get(method, "pair"))
                + (f", {held_out:,} held out" if isinstance(held_out, int) else ""),
            )
        )
    for name, key in (("Learning rate", "learning_rate"), ("β", "beta"), ("Epochs", "epochs")):
        if isinstance(value := config.get(key), int | float):
            found.append((name, f"{value:g}"))
    if isinstance(accuracy := metrics.get("eval_pair_accuracy"), int | float):
        found.append(("Agrees with the labels", _agreement(accuracy, metrics)))
    if isinstance(error := metrics.get("eval_ece"), int | float):
        found.append(("Calibration error", number(error, 3)))
    if isinstance(steps := result.get("steps"), int) and isinstance(spent := result.get("seconds"), int | float):
        found.append(("Took", f"{plural(steps, 'step')}, {seconds(spent)}"))
    return found


def _agreement(accuracy: float, metrics: Mapping[str, Json]) -> str:
    """A training's accuracy on held-out pairs; where their weights differ, so that no share of them gives it, with what was counted."""
    right, decided = (metrics.get(f"eval_pairs_{key}") for key in ("right", "decided"))
    if not isinstance(right, int | float) or not isinstance(decided, int | float) or not decided:
        return f"{percent(accuracy)} of held-out pairs, by weight"
    if abs(right / decided - accuracy) > UNWEIGHTED:
        return f"{percent(accuracy)} of held-out pairs by weight, {right:g} of {decided:g} counted"
    return f"{percent(accuracy)}, {right:g} of {plural(int(decided), 'held-out pair')}"


def _lines(path: Path) -> list[Mapping[str, object]]:
    """A file of JSON lines; one that a kill cut short is left out."""
    if not path.is_file():
        return []
    found: list[Mapping[str, object]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _place(method: str) -> int:
    return _ORDER.index(method) if method in _ORDER else len(_ORDER)
