"""Recorded verdicts of judges and labelled propositions, read into arrays for benchmarks of panels. Prints and fits nothing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from judges.reliability.votes import Array

DATA: Final = Path(__file__).parents[2] / "shared/data"
JUDGES: Final = ("GPT-4", "PaLM2", "Falcon", "LLaMA2", "ChatGPT")
_SETS: Final = ("Natural", "Adversarial/Neighbor", "Adversarial/GPTInst", "Adversarial/GPTOut", "Adversarial/Manual")
_SIDES: Final = {"1": 1.0, "2": -1.0}
_ORDERS: Final = ("swap = False", "swap = True")


def llmbar(data: Path = DATA) -> tuple[Array, Array]:
    """LLMBar's votes [419 items, judges, orders] as 1 (output 1), -1 or nan (unparsed), prompt style Vanilla, and the true sides [419]."""
    votes: list[Array] = []
    truth: list[float] = []
    for name in _SETS:
        columns = []
        for judge in JUDGES:
            rows = _rows(data / "llmbar" / name / "evaluators" / judge / "Vanilla/result.json.gz")
            columns.append([[_side(row["results"][0][order]["winner"]) for order in _ORDERS] for row in rows])
        votes.append(np.array(columns).swapaxes(0, 1))
        truth += [_SIDES[str(row["label"])] for row in rows]
    return np.concatenate(votes), np.array(truth)


def safety_rbr(part: str, data: Path = DATA) -> tuple[tuple[str, ...], Array, Array]:
    """Names of safety-rbr's propositions, what people said of each completion [completions, 23], and whether it should comply; by part."""
    with gzip.open(data / f"safety-rbr/rbr_gold_{part}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    names = tuple(sorted(rows[0]["propositions"]))
    said = np.array([[float(row["propositions"][name]) for name in names] for row in rows])
    return names, said, np.array([float(row["response_type"] == "Comply") for row in rows])


def _side(winner: object) -> float:
    return _SIDES.get(str(winner), np.nan)


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as text:
        return list(json.load(text))
