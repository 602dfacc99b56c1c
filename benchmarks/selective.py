"""Whether the agreement that a threshold states holds on pairs it was not found on: PandaLM's judges against three people.

    python -m benchmarks.selective [--data ../shared/data] [--splits 1000] [--confidence 0.9] [--json]

Each split draws half of the 999 items, finds the threshold on it (`judges.calibration.selective`) and looks at the other half: how
much is accepted, and whether the judge agrees with the majority of people there as often as stated. `violated` is the share of all
splits in which it does not, `violated_if` that of those that accept something; one that accepts nothing promises nothing. `violated_of_all`
looks at all 999 items instead: the halves of a fixed set lean opposite ways, and one that was lucky leaves the other short. A recorded
verdict is hard, so a single judge has one confidence besides its ties; the two judges together have two.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.recorded_data import DATA, Verdicts, pandalm
from judges.calibration.selective import find_rule
from tenet.console import Console
from tenet.ids import Json

STATED = (0.65, 0.70, 0.75, 0.80, 0.85)


def agrees(judge: Verdicts) -> np.ndarray:
    """Whether the judge's winner is the choice of most people; a tie of either is no agreement."""
    votes = np.array(judge.people)
    most = np.where((votes == 1.0).sum(1) >= 2, 1, np.where((votes == 0.0).sum(1) >= 2, -1, 0))
    winner = np.sign(np.round(np.array(judge.p) - 0.5, 12)).astype(int)
    found: np.ndarray = (winner == most) & (winner != 0)
    return found


def measure(judge: Verdicts, stated: float, splits: int, confidence: float) -> dict[str, Json]:
    """Find thresholds on random halves and look at the other halves."""
    rng = np.random.default_rng([int(1000 * stated), len(judge.name)])
    p, right = np.array(judge.p), agrees(judge)
    names = np.array([str(n) for n in range(len(p))])
    coverage: list[float] = []
    violated = of_all = accepting = 0
    for _ in range(splits):
        order = rng.permutation(len(p))
        here, there = order[: len(p) // 2], order[len(p) // 2 :]
        rule = find_rule(
            p[here], right[here], np.ones(len(here)), names[here].tolist(), min_agreement=stated, confidence=confidence
        )
        taken = np.array([rule.accepts(float(one)) for one in p[there]])
        coverage.append(float(taken.mean()))
        if taken.any():
            accepting += 1
            violated += bool(right[there][taken].mean() < stated)
            of_all += bool(right[[rule.accepts(float(one)) for one in p]].mean() < stated)
    return {
        "judge": judge.name, "stated": stated, "accepting": accepting / splits, "coverage": float(np.mean(coverage)),
        "violated": violated / splits, "violated_if": violated / accepting if accepting else None,
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--confidence", type=float, default=0.9)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [measure(one, stated, args.splits, args.confidence) for one in pandalm(args.data) for stated in STATED]
    console = Console(json=args.json)
    shown = (
        rows if args.json else [{k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    )
    console.table(list(rows[0]), [list(row.values()) for row in shown], title=f"{args.splits:,} random halves")


if __name__ == "__main__":
    main()
