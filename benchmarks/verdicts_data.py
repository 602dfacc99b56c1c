"""Recorded verdicts of judges and the labels of people beside them, for benchmarks: LLMBar and PandaLM as `../shared/data` has them.

A small reader of a few fields; texts are not read. Knows no metric.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from judges.probability import vote_share

DATA: Final = Path(__file__).parents[2] / "shared/data"
_TIES: Final = {"0": 0.5, "Tie": 0.5}
_PANDALM: Final = {"gpt-3.5-turbo": "gpt", "pandalm-7b": "pandalm"}


@dataclass(frozen=True)
class Verdicts:
    """One judge on a set of pairs: wins of response 1 (a tie or an unread verdict is half), the orders asked, and people's votes."""

    name: str
    wins: tuple[float, ...]
    orders: int
    people: tuple[tuple[float, ...], ...]

    @property
    def p(self) -> list[float]:
        """P(1 is better): (wins + 1/2) / (orders + 1), as `judges.probability.vote_share` has it."""
        return [vote_share(one, self.orders) for one in self.wins]


def llmbar(data: Path = DATA) -> list[Verdicts]:
    """Every judge and prompt style of LLMBar over its five subsets, each in both orders; the one label is the experts'."""
    folder = data / "llmbar"
    found = sorted(folder.rglob("evaluators/*/*/result.json.gz"))
    names = sorted({"/".join(path.parts[-3:-1]) for path in found})
    judges = []
    for name in names:
        rows = [row for path in found if "/".join(path.parts[-3:-1]) == name for row in _read(path)]
        wins = tuple(
            sum(_first(row["results"][0][order]["winner"]) for order in ("swap = False", "swap = True")) for row in rows
        )
        judges.append(Verdicts(f"llmbar/{name}", wins, 2, tuple((_first(row["label"]),) for row in rows)))
    return judges


def pandalm(data: Path = DATA) -> list[Verdicts]:
    """The two judges of PandaLM, one order each, and the three people; then both judges together, each a vote."""
    folder = data / "pandalm"
    rows = {str(row["idx"]): row for row in _read(folder / "testset-v1.json.gz")}
    people = tuple(tuple(_first(row[f"annotator{n}"]) for n in (1, 2, 3)) for row in rows.values())
    judges = []
    for name, prefix in _PANDALM.items():
        said = {str(row["idx"]): row[f"{prefix}_result"] for row in _read(folder / f"{name}-testset-v1.json.gz")}
        judges.append(Verdicts(f"pandalm/{name}", tuple(_first(said[idx]) for idx in rows), 1, people))
    both = tuple(a + b for a, b in zip(judges[0].wins, judges[1].wins, strict=True))
    return [*judges, Verdicts("pandalm/both", both, 2, people)]


def _first(said: object) -> float:
    """The vote for response 1; a tie and what was not understood are half a vote."""
    text = str(said)
    return _TIES.get(text, {"1": 1.0, "2": 0.0}.get(text, 0.5))


def _read(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(json.load(file))
