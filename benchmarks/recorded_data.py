"""Recorded verdicts and labels as arrays, for benchmarks: LLMBar, PandaLM and safety-rbr as `../shared/data` has them.

Files are read by Tenet's own importers (`judges.formats`); no text is kept. Knows no metric and fits nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from judges.formats.base import Comparison, Item, Keyed, Opinion, Rated
from judges.formats.registry import read_file
from judges.formats.safety_rbr import CLASS
from judges.probability import vote_share
from judges.reliability.votes import Array
from tenet.records import Choice

DATA: Final = Path(__file__).resolve().parents[2] / "shared/data"
JUDGES: Final = ("GPT-4", "PaLM2", "Falcon", "LLaMA2", "ChatGPT")
_SETS: Final = ("Natural", "Adversarial/Neighbor", "Adversarial/GPTInst", "Adversarial/GPTOut", "Adversarial/Manual")
_PANDALM: Final = ("gpt-3.5-turbo", "pandalm-7b")
_SHARE: Final = {Choice.A: 1.0, Choice.B: 0.0, Choice.TIE: 0.5}


@dataclass(frozen=True)
class Verdicts:
    """One judge on a set of pairs: wins of response a (a tie or an unread verdict is half), the orders asked, and people's votes."""

    name: str
    wins: tuple[float, ...]
    orders: int
    people: tuple[tuple[float, ...], ...]

    @property
    def p(self) -> list[float]:
        """P(a is better): (wins + 1/2) / (orders + 1), as `judges.probability.vote_share` has it."""
        return [vote_share(one, self.orders) for one in self.wins]


def llmbar(data: Path = DATA) -> list[Verdicts]:
    """Every judge and prompt style of LLMBar over its five subsets, each in both orders; the one label is the experts'."""
    told: defaultdict[str, list[Comparison]] = defaultdict(list)
    for name in _SETS:
        for path in sorted((data / "llmbar" / name).rglob("evaluators/*/*/result.json.gz")):
            told["/".join(path.parts[-3:-1])] += _comparisons(_items(path))
    return [_verdicts(f"llmbar/{name}", [one.opinions for one in rows]) for name, rows in sorted(told.items())]


def pandalm(data: Path = DATA) -> list[Verdicts]:
    """The two judges of PandaLM, one order each, and the three people; then both judges together, each a vote."""
    folder = data / "pandalm"
    people = {one.key: one.opinions for one in _comparisons(_items(folder / "testset-v1.json.gz"))}
    said = [
        {one.key: one.opinions for one in _items(folder / f"{name}-testset-v1.json.gz") if isinstance(one, Keyed)}
        for name in _PANDALM
    ]
    sources = {f"pandalm/{name}": [one] for name, one in zip(_PANDALM, said, strict=True)} | {"pandalm/both": said}
    return [
        _verdicts(name, [(*people[key], *(opinion for one in judges for opinion in one[key])) for key in people])
        for name, judges in sources.items()
    ]


def pandalm_choices(data: Path = DATA) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """PandaLM's choices as 0 (a), 1 (b), 2 (tie) or -1 (not read): of the two judges [999, 2], of the three people [999, 3]."""
    folder = data / "pandalm"
    people = {one.key: one.opinions for one in _comparisons(_items(folder / "testset-v1.json.gz"))}
    judges = [
        {one.key: one.opinions[0] for one in _items(folder / f"{name}-testset-v1.json.gz") if isinstance(one, Keyed)}
        for name in _PANDALM
    ]
    said = [[_place(judge[key]) for judge in judges] for key in people]
    return np.array(said), np.array([[_place(one) for one in row if one.person] for row in people.values()])


def llmbar_votes(data: Path = DATA) -> tuple[Array, Array]:
    """LLMBar's votes [419 items, judges, orders] as 1 (a), -1 or nan (no verdict), prompt style Vanilla, and the true sides [419]."""
    votes: list[Array] = []
    truth: list[float] = []
    for name in _SETS:
        columns = []
        for judge in JUDGES:
            rows = _comparisons(_items(data / "llmbar" / name / "evaluators" / judge / "Vanilla/result.json.gz"))
            columns.append([[_side(one) for one in row.opinions if not one.person] for row in rows])
        votes.append(np.array(columns).swapaxes(0, 1))
        truth += [_side(one) for row in rows for one in row.opinions if one.person]
    return np.concatenate(votes), np.array(truth)


def safety_rbr(part: str, data: Path = DATA) -> tuple[tuple[str, ...], Array, Array]:
    """Names of safety-rbr's propositions, what people said of each completion [completions, 23], and whether it should comply; by part."""
    rows = [one for one in _items(data / f"safety-rbr/rbr_gold_{part}.jsonl.gz") if isinstance(one, Rated)]
    names = tuple(sorted(score.principle for score in rows[0].scores))
    said = [{score.principle: score.value for score in row.scores} for row in rows]
    comply = [float(f"{CLASS}Comply" in row.tags) for row in rows]
    return names, np.array([[one[name] for name in names] for one in said]), np.array(comply)


def _items(path: Path) -> list[Item]:
    return [item for _, item in read_file(path).items]


def _comparisons(items: Iterable[Item]) -> list[Comparison]:
    return [one for one in items if isinstance(one, Comparison)]


def _verdicts(name: str, rows: Iterable[tuple[Opinion, ...]]) -> Verdicts:
    held = list(rows)
    judged = [[_share(one) for one in row if not one.person] for row in held]
    people = tuple(tuple(_share(one) for one in row if one.person) for row in held)
    return Verdicts(name, tuple(map(sum, judged)), max(map(len, judged)), people)


def _share(one: Opinion) -> float:
    """The vote for a; what was not understood is half a vote."""
    return 0.5 if one.choice is None else _SHARE[one.choice]


def _place(one: Opinion) -> int:
    """The choice as a number; -1 where it was not understood."""
    return -1 if one.choice is None else (Choice.A, Choice.B, Choice.TIE).index(one.choice)


def _side(one: Opinion) -> float:
    """1 for a, -1 for b, 0 for a tie, nan where there is no verdict."""
    return np.nan if one.choice is None else 2.0 * _SHARE[one.choice] - 1.0
