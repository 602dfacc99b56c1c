"""Whose label is right how often, at equal amounts of human work: PandaLM's two judges and annotator 1, scored by annotators 2 and 3.

    python -m benchmarks.blend_pandalm [--data ../shared/data] [--splits 200] [--json]

Each split takes half of the 999 pairs to fit on, where annotator 1 has labelled everything, and reports on the other half, where the human
share is spent; the table has means over splits and, as +-, the standard deviation of `vs both`. A label is the first, the second or a tie.
Nobody is scored by a label that was used: people in the blend are annotator 1, `vs 2` and `vs 3` are the shares equal to the other two,
`vs both` that among pairs on which these agree. `vs majority` lets annotator 1 vote on the truth too, as others print it.

The judges together give one of sixteen patterns (an unread verdict is a choice of its own), each calibrated on the fitting half: the share
of annotator 1's labels of each kind, counted with half a label added to each (Jeffreys).

    naive mix   people on a random share of the pairs, the judges' likeliest label elsewhere
    weighted    the same random share, people's label and the judges' calibrated ones multiplied (annotator 1 by the reliability of a person
                of whom nothing is known, as `judges.blending.people` has it)
    routed      people where the judges' calibrated confidence is least: the threshold is the one that spends the share on the fitting half
    routed+     as routed, and there both are multiplied
    stated 75%  as `tenet blend` routes, by its own functions: the judges' p, each vote counted, where the fitting half states an agreement
                of 75 % with people at confidence 0.9; people elsewhere. It spends what that takes, near 31.5 %
    agree       the judges' label where both give the same, people elsewhere: a fixed share of about 31 %, no fit
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recorded_data import DATA, pandalm_choices
from judges.anchors import Anchor
from judges.blending.decide import Believed, Opinions, Source
from judges.blending.people import PRIOR, People, Vote
from judges.blending.trust import Stated, trust
from judges.calibration.store import AnchorRow
from judges.probability import vote_share
from tenet.console import Console
from tenet.ids import Json
from tenet.records import Choice

SHARES = (0.0, 0.1, 0.2, 0.315, 0.5)
WAYS = ("naive mix", "weighted", "routed", "routed+")
KINDS = 3
STATED = 0.75
Ints = NDArray[np.int_]
Floats = NDArray[np.float64]


def patterns(judges: Ints) -> Ints:
    """One number for what the two judges say together."""
    return np.asarray((judges[:, 0] + 1) * (KINDS + 1) + judges[:, 1] + 1)


def calibrated(pattern: Ints, labels: Ints) -> Floats:
    """The chance of each label under each pattern, from one person's labels: [patterns, labels]."""
    counts = np.full(((KINDS + 1) ** 2, KINDS), 0.5)
    np.add.at(counts, (pattern, labels), 1.0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def multiplied(chances: Floats, said: Ints) -> Floats:
    """The judges' chances after a person has said a label, who is right with chance `PRIOR` and else names either other label."""
    heard = np.full((len(said), KINDS), (1.0 - PRIOR) / (KINDS - 1))
    heard[np.arange(len(said)), said] = PRIOR
    return np.asarray(chances * heard)


def labels_by(
    way: str, share: float, fitted: tuple[Ints, Ints], judges: Ints, said: Ints, rng: np.random.Generator
) -> tuple[Ints, float]:
    """The labels of one way on the other half, and the share of pairs that a person labelled."""
    chances = calibrated(*fitted)
    own = chances[patterns(judges)]
    # Equal confidences are split at random, so that any share can be spent.
    order = rng.random(len(judges)) * 1e-6
    if way.startswith("routed"):
        there = chances[fitted[0]].max(axis=1) + rng.random(len(fitted[0])) * 1e-6
        threshold = np.quantile(there, share) if share else -np.inf
        people = own.max(axis=1) + order < threshold
    else:
        people = order < np.quantile(order, share) if share else np.zeros(len(judges), dtype=bool)
    both = multiplied(own, said).argmax(axis=1) if way in ("weighted", "routed+") else said
    return np.where(people, both, own.argmax(axis=1)), float(people.mean())


def p_of(judges: Ints) -> Floats:
    """P(the first is better) by the votes of both judges, an unread one and a tie being half a vote each way."""
    wins = np.where(judges == 0, 1.0, np.where(judges == 1, 0.0, 0.5)).sum(axis=1)
    return np.array([vote_share(one, judges.shape[1]) for one in wins.tolist()])


def as_blended(fit_on: tuple[Ints, Ints], judges: Ints, said: Ints) -> tuple[Ints, float]:
    """The labels that `tenet blend` gives with `strategy: routed`, by its own functions."""
    counts = np.eye(KINDS, dtype=int)
    rows = [
        ("", AnchorRow(Anchor(str(place), "a", "b", *map(int, counts[label])), float(p)))
        for place, (p, label) in enumerate(zip(p_of(fit_on[0]), fit_on[1], strict=True))
    ]
    believed = Believed(People(), trust(rows, Stated(STATED)))
    choices = (Choice.A, Choice.B, Choice.TIE)
    told = [
        believed.routed(Opinions(p, p, (Vote("annotator 1", choices[label]),)))
        for p, label in zip(p_of(judges).tolist(), said.tolist(), strict=True)
    ]
    labels = [0 if one.p_a > 0.5 else 1 if one.p_a < 0.5 else 2 for one in told]
    return np.array(labels), float(np.mean([one.source is Source.HUMAN for one in told]))


def scored(labels: Ints, people: Ints) -> dict[str, float]:
    """How often labels equal those of people who had no part in them, and the majority of all three."""
    two, three = people[:, 1], people[:, 2]
    same = two == three
    most = np.where(same, two, people[:, 0])  # no pair is without a majority
    return {
        "vs 2": float((labels == two).mean()), "vs 3": float((labels == three).mean()),
        "vs both": float((labels == two)[same].mean()), "vs majority": float((labels == most).mean()),
    }  # fmt: skip


def measure(judges: Ints, people: Ints, splits: int) -> list[dict[str, Json]]:
    """All ways at all shares, and the rule of agreeing judges, on the same halves."""
    found: defaultdict[tuple[str, float], list[dict[str, float]]] = defaultdict(list)
    pattern = patterns(judges)
    for split in range(splits):
        order = np.random.default_rng(split).permutation(len(judges))
        here, there = order[: len(order) // 2], order[len(order) // 2 :]
        fitted = pattern[here], people[here, 0]
        for share in SHARES:
            for way in WAYS:
                rng = np.random.default_rng([split, int(1000 * share)])
                labels, spent = labels_by(way, share, fitted, judges[there], people[there, 0], rng)
                found[way, share].append({"human": spent, **scored(labels, people[there])})
        labels, spent = as_blended((judges[here], people[here, 0]), judges[there], people[there, 0])
        found[f"stated {STATED:.0%}", 0.315].append({"human": spent, **scored(labels, people[there])})
        agree = (judges[there, 0] == judges[there, 1]) & (judges[there, 0] >= 0)
        labels = np.where(agree, judges[there, 0], people[there, 0])
        found["agree", 0.315].append({"human": float(1 - agree.mean()), **scored(labels, people[there])})
    return [
        {
            "way": way, "share": share, **{name: float(np.mean([one[name] for one in rows])) for name in rows[0]},
            "+-": float(np.std([one["vs both"] for one in rows])),
        }
        for (way, share), rows in sorted(found.items(), key=lambda item: (item[0][1], item[0][0]))
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    judges, people = pandalm_choices(args.data)
    console = Console(json=args.json)
    rows = measure(judges, people, args.splits)
    shown = [[f"{v:.4f}" if isinstance(v, float) and not args.json else v for v in row.values()] for row in rows]
    console.table(list(rows[0]), shown, title=f"{args.splits:,} random halves", right=set(rows[0]) - {"way"})
    agree = (judges[:, 0] == judges[:, 1]) & (judges[:, 0] >= 0)
    whole = scored(np.where(agree, judges[:, 0], people[:, 0]), people)
    right = scored(judges[agree, 0], people[agree])["vs majority"]
    console.say(
        f"On all 999: the judges agree on {agree.mean():.4f} and are right there {right:.4f} by the majority; with annotator 1 elsewhere "
        + ", ".join(f"{name} {value:.4f}" for name, value in whole.items())
    )


if __name__ == "__main__":
    main()
