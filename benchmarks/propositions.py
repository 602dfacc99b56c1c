"""What 23 human-labelled propositions say of completions that should comply or refuse: one by one, and weighed together.

    python -m benchmarks.propositions [--json]

Reads `../shared/data/safety-rbr` (offensive text inside, of which nothing is printed); the propositions stand for a judge that asks each
principle alone. Weights are fitted on the train split and scored on the test split. The equal-weight sums they are held against get a
slope and an intercept fitted on the same split: `plain` adds up every yes, `signed` counts a yes by the sign of its association there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.recorded_data import DATA, safety_rbr
from judges.reliability.propositions import describe, fit
from judges.reliability.votes import Array
from tenet.console import Console


def sum_scores(weights: Array, train: Array, classes: Array, test: Array) -> Array:
    """P(comply) on the test split by a sum with these weights, its slope and intercept fitted on the train split."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit((train @ weights)[:, None], classes)
    return np.asarray(model.predict_proba((test @ weights)[:, None])[:, 1])


def main() -> None:
    """Print both tables."""
    from sklearn.metrics import log_loss, roc_auc_score

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    console = Console(json=args.json)
    names, train, classes = safety_rbr("train", args.data)
    test_names, test, truth = safety_rbr("test", args.data)
    assert names == test_names
    weights = fit(train, classes)
    described = describe(train, classes, names)
    console.table(
        ["proposition", "fires", "association", "redundancy", "redundant_with", "weight"],
        [
            [one.name, one.fires, one.association, one.redundancy, one.redundant_with, float(value)]
            if one.estimable else [one.name, one.fires, "not estimable", "not estimable", None, None]
            for one, value in zip(described, weights.values, strict=True)
        ],
    )  # fmt: skip
    signs = np.array([0.0 if one.association is None else np.sign(one.association) for one in described])
    told = {
        "fitted weights": weights.p(test),
        "equal weights, signed": sum_scores(signs, train, classes, test),
        "equal weights, plain": sum_scores(np.ones(len(names)), train, classes, test),
    }
    console.table(
        ["score", "auc", "log_loss"],
        [[name, float(roc_auc_score(truth, p)), float(log_loss(truth, p))] for name, p in told.items()],
    )


if __name__ == "__main__":
    main()
