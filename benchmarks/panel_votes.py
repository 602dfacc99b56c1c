"""What five uneven judges come to together on LLMBar: equal vote, Dawid-Skene, weights from anchors, side by side.

    python -m benchmarks.panel_votes [--splits 200] [--anchors 50] [--json]

Reads the recorded verdicts of `../shared/data/llmbar` (each order a vote, one accuracy a judge; an unparsed verdict is no vote) and
prints nothing of the rows. With anchors, each split draws that many pairs at random to fit on and scores all others, the best single
judge on the same ones; +- is the standard deviation over splits. An undecided pair is wrong.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.recorded_data import DATA, JUDGES, llmbar_votes
from judges.reliability.agreement import agreement
from judges.reliability.anchored import Weights, by_accuracy, by_regression
from judges.reliability.dawid_skene import fit
from judges.reliability.votes import Array, Votes, equal_vote, share_right
from tenet.console import Console
from tenet.ids import Json

FITS: dict[str, Callable[[Votes, Array], Weights]] = {"log-odds": by_accuracy, "regression": by_regression}


def without_labels(votes: Votes, truth: Array) -> list[dict[str, Json]]:
    """The equal vote and Dawid-Skene; what the latter claims beside what is right."""
    equal, found = equal_vote(votes), fit(votes)
    return [
        {"method": "equal vote, ties wrong", "right": share_right(equal, truth)},
        {"method": "equal vote, ties half", "right": share_right(equal, truth, tie=0.5)},
        {"method": "Dawid-Skene, no labels", "right": share_right(found.sides, truth), "claimed": found.claimed,
         "overconfidence": found.overconfidence(truth)},
    ]  # fmt: skip


def with_anchors(votes: Votes, truth: Array, anchors: int, splits: int) -> list[dict[str, Json]]:
    """Weights fitted on random anchors and scored off them, and single judges scored on the same pairs (each order a verdict)."""
    right: dict[str, list[float]] = {name: [] for name in (*JUDGES, *FITS)}
    claimed: dict[str, list[float]] = {name: [] for name in FITS}
    single = votes.for_a * (truth[:, None] > 0) + votes.for_b * (truth[:, None] < 0)
    for split in range(splits):
        order = np.random.default_rng(split).permutation(votes.items)
        known, rest = order[:anchors], order[anchors:]
        for place, judge in enumerate(JUDGES):
            right[judge].append(float(single[rest, place].mean() / 2.0))
        for name, fitted in FITS.items():
            combined = fitted(votes.take(known), truth[known]).combine(votes.take(rest))
            right[name].append(share_right(combined.sides, truth[rest]))
            claimed[name].append(float(np.maximum(combined.p_a, 1.0 - combined.p_a).mean()))
    best = max(JUDGES, key=lambda judge: float(np.mean(right[judge])))
    rows: list[dict[str, Json]] = [{"method": f"best single judge ({best})", "right": float(np.mean(right[best]))}]
    rows += [
        {
            "method": f"{name} weights, {anchors} anchors",
            "right": float(np.mean(right[name])),
            "spread": float(np.std(right[name])),
            "claimed": float(np.mean(claimed[name])),
            "overconfidence": float(np.mean(claimed[name]) - np.mean(right[name])),
            "splits_above_best_single": float(np.mean(np.array(right[name]) > np.array(right[best]))),
        }
        for name in FITS
    ]
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--anchors", type=int, default=50)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    console = Console(json=args.json)
    sides, truth = llmbar_votes(args.data)
    votes = Votes.of(sides)
    rows = [*without_labels(votes, truth), *with_anchors(votes, truth, args.anchors, args.splits)]
    columns = ("method", "right", "spread", "claimed", "overconfidence", "splits_above_best_single")
    console.table(list(columns), [[row.get(name) for name in columns] for row in rows])
    found = fit(votes)
    circle = agreement(votes).circle
    console.say(
        "Dawid-Skene's accuracies: " + ", ".join(f"{j} {s:.3f}" for j, s in zip(JUDGES, found.accuracies, strict=True))
    )
    console.say("largest group that agrees pairwise above chance: " + ", ".join(JUDGES[place] for place in circle))


if __name__ == "__main__":
    main()
