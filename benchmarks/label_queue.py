"""How many labels a queue by uncertainty needs to bring a set of verdicts as near to people as a random queue does.

    python -m benchmarks.label_queue [--data DATA] [--draws 20] [--pairs 300] [--json]

The rule is routing: where a pair was labelled, the person's choice replaces the judge's verdict. Agreement is the share of all pairs,
labelled or not, whose final verdict is the reference's. For every number of labels that a random queue is given (5 % to 60 % of the
pairs), the least number of labels is found with which the queue by uncertainty (`judges.humans.queue`, its random fifth included)
reaches the same agreement; `ratio` is that number over the random queue's. Both are expectations over all draws of the queue, by the
exact probability of each pair to be in it, and over the annotators; nothing is simulated but the pocket judge's noise. Both end at the
same point, so that the ratio must rise to 1 as all pairs are labelled.

PandaLM: the judges are its two recorded ones, together (each a vote; p as `benchmarks.recorded_data` has it). Where they contradict
each other (p = 1/2) an unlabelled pair is a tie, as everywhere in Tenet; in a second set of rows the better single judge's verdict stands
there, so that such a pair is no free loss. The person who labels a pair is one of
its three annotators, drawn at random; the reference are the other two, each counted a half, so that nobody is scored against themselves.

Pocket world: the pocket judge's live answers about decided pairs, in both orders, with noise of its own as `benchmarks.pocket_panel`
adds it, for the bundled judge alone makes too few errors to route. The reference is the oracle; the person is the oracle, wrong as often
as a PandaLM annotator contradicts the majority of the three.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.recorded_data import DATA, Verdicts, pandalm
from judges.humans.queue import Candidate, Queue, inclusion
from judges.reliability.votes import Array
from tenet.console import Console
from tenet.ids import Json

SHARES: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
GRID: Final = 40


@dataclass(frozen=True)
class Case:
    """Pairs with the judge's p, and what judge and person are expected to score on each against the reference (0 to 1)."""

    p: Array
    judge: Array
    person: Array


@dataclass(frozen=True)
class Set:
    """A name, and one case, or several whose curves are averaged."""

    name: str
    cases: tuple[Case, ...]


def of_pandalm(data: Path) -> tuple[list[Set], float]:
    """PandaLM's set, by what stands for an undecided pair, and how often an annotator contradicts the majority (where there is one)."""
    single, both = pandalm(data)[:2], pandalm(data)[2]
    people = np.array(both.people)
    p = np.array(both.p)
    sides = [np.array(one.p) for one in single]
    best = max(sides, key=lambda one: float(np.mean(_verdict(one)[:, None] == people)))
    verdicts = {
        "undecided a tie": _verdict(p),
        "undecided by the better": _verdict(np.where(np.abs(p - 0.5) < 1e-9, best, p)),
    }
    pairs = [(who, other) for who in range(3) for other in range(3) if other != who]
    person = np.mean([people[:, who] == people[:, other] for who, other in pairs], axis=0)
    sets = [
        Set(f"PandaLM, {name}", (Case(p, (verdict[:, None] == people).mean(axis=1), person),))
        for name, verdict in verdicts.items()
    ]
    return sets, _contradiction(both)


def _verdict(p: Array) -> Array:
    """1 for a, 0 for b, 1/2 for a tie."""
    found: Array = np.where(np.abs(p - 0.5) < 1e-9, 0.5, (p > 0.5).astype(float))
    return found


def _contradiction(judge: Verdicts) -> float:
    votes = np.array(judge.people)
    most = np.array([[np.sum(row == value) for value in (0.0, 0.5, 1.0)] for row in votes])
    clear = most.max(axis=1) >= 2
    majority = np.array([0.0, 0.5, 1.0])[most.argmax(axis=1)]
    return float(np.mean(votes[clear] != majority[clear, None]))


def of_pocket(wanted: int, error: float, draws: int) -> list[Set]:
    """The pocket judge with noise of three sizes. A slope would calibrate it and leave the order of doubt as it is, so none is fitted."""
    from benchmarks.pocket_panel import WEAK, ask, weakened
    from engines.registry import create_engine
    from judges.aggregate import preferences
    from pocket import JUDGE_PATH

    with create_engine("transformers", str(JUDGE_PATH)) as engine:
        told, truth, constitution = ask(engine, wanted)
    found = []
    for name, spread in WEAK.items():
        cases = []
        for number in range(draws):
            judged = preferences(weakened(told, f"{name} {number}", spread), constitution)
            said = {(one.prompt_id, one.a_id, one.b_id): one.p_a for one in judged}
            pairs = sorted(said)
            p = np.array([said[pair] for pair in pairs])
            right = ((p > 0.5) == np.array([truth[pair] > 0 for pair in pairs])).astype(float)
            cases.append(Case(p, right, np.full(len(p), 1.0 - error)))
        found.append(Set(f"pocket, noise {spread:g}", tuple(cases)))
    return found


def curves(held: Set) -> tuple[Array, Array]:
    """Expected agreement by the number of labels, 0, 1/GRID, ... of the pairs: of a random queue, and of one by uncertainty."""
    shares = np.arange(GRID + 1) / GRID
    random, uncertain = np.zeros(GRID + 1), np.zeros(GRID + 1)
    for case in held.cases:
        count = len(case.p)
        candidates = [Candidate((f"{place:06}", "a", "b"), float(p)) for place, p in enumerate(case.p)]
        gain = case.person - case.judge
        random += case.judge.mean() + shares * gain.mean()
        uncertain[0] += case.judge.mean()
        for step in range(1, GRID + 1):
            drawn = inclusion(candidates, Queue.UNCERTAIN, round(count * step / GRID))
            probability = np.array([drawn[one.pair] for one in candidates])
            uncertain[step] += case.judge.mean() + probability @ gain / count
    return random / len(held.cases), uncertain / len(held.cases)


def compare(held: Set) -> list[dict[str, Json]]:
    """A row for every number of labels of the random queue."""
    random, uncertain = curves(held)
    pairs = len(held.cases[0].p)
    rows: list[dict[str, Json]] = []
    for share in SHARES:
        target = random[round(share * GRID)]
        reached = int(np.argmax(uncertain >= target))
        between = (
            0.0 if reached == 0 else (target - uncertain[reached - 1]) / (uncertain[reached] - uncertain[reached - 1])
        )
        needed = max(0.0, reached - 1 + between) / GRID
        rows.append({
            "set": held.name, "pairs": pairs, "judge alone": float(random[0]), "random labels": round(share * pairs),
            "agreement": float(target), "uncertain labels": round(needed * pairs), "ratio": needed / share,
            "uncertain at equal labels": float(uncertain[round(share * GRID)]),
        })  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--draws", type=int, default=20, help="draws of the pocket judge's noise")
    parser.add_argument("--pairs", type=int, default=300, help="pairs of the pocket world; 0 leaves it out")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    panda, error = of_pandalm(args.data)
    sets = [*panda, *(of_pocket(args.pairs, error, args.draws) if args.pairs else [])]
    rows = [row for held in sets for row in compare(held)]
    console = Console(json=args.json)
    shown = [
        [round(value, 3) if isinstance(value, float) and not args.json else value for value in row.values()]
        for row in rows
    ]
    console.table(
        list(rows[0]),
        shown,
        title=f"An annotator contradicts the majority in {error:.1%}; the pocket judge's noise drawn {args.draws} times",
    )
    for held in sets:
        worst = max(float(str(row["ratio"])) for row in rows if row["set"] == held.name)
        console.say(f"{held.name}: the queue by uncertainty needs at most {worst:.0%} of the random queue's labels")


if __name__ == "__main__":
    main()
