"""How far off is what the labels of two queues of one run say of all its pairs.

A judge says p of each of 300 pairs, spread evenly over 0 to 1 and overconfident (its log-odds are twice what they should be); a person
agrees with it accordingly. A first queue of 40 pairs is labelled, then a second one until 80 pairs have a label, in expectation, and the
share of all pairs on which judge and person agree is estimated from the labels (Horvitz and Thompson; "divided" by the sum of weights, as
Tenet's figures are). Told is how far the mean of all draws is from the truth, and the root of the mean squared error, in points. Ways:

- own: queues drawn from all pairs, a label weighs by the probability of the queue that it was given in (as it was before queues were kept);
- joint: the same queues, by the probability of being labelled through either (`judges.humans.designs`);
- disjoint: the second queue drawn from the pairs without a label, by 1 - (1 - pi_1)(1 - pi_2), pi_2 of a pair that the first
  labelled being what it would be with that pair among those left;
- joint, refitted: the judge's p is shifted between the two queues to what the first queue's labels say, so that the second depends on them.

    python -m benchmarks.label_two_queues --draws 400
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from judges.aggregate import Pair
from judges.humans.designs import Design, Inclusion
from judges.humans.queue import Candidate, Queue, draw, inclusion
from judges.probability import logit, sigmoid
from tenet.console import Console
from tenet.ids import Json, unit_interval

PAIRS, FIRST, LABELS = 300, 40, 80
SHARPNESS = 2.0
ORDERS = ((Queue.RANDOM, Queue.UNCERTAIN), (Queue.UNCERTAIN, Queue.UNCERTAIN), (Queue.UNCERTAIN, Queue.RANDOM))


@dataclass(frozen=True)
class World:
    """The candidates, and whether the person agrees with the judge on each pair."""

    pool: tuple[Candidate, ...]
    agrees: dict[Pair, float]

    @property
    def truth(self) -> float:
        """The share of all pairs on which they agree."""
        return sum(self.agrees.values()) / len(self.agrees)


def make_world() -> World:
    """Pairs whose judge is too sure of itself."""
    pool, agrees = [], {}
    for number in range(PAIRS):
        pair = (f"{number:03}", "a", "b")
        p = (number + 0.5) / PAIRS
        pool.append(Candidate(pair, p))
        right = sigmoid(abs(logit(p)) / SHARPNESS)
        agrees[pair] = float(unit_interval("agrees", number) < right)
    return World(tuple(pool), agrees)


Weights = dict[Pair, float]
Way = Callable[[World, Queue, Queue, int, int], Weights]


def design(pool: Sequence[Candidate], kind: Queue, budget: int, seed: int, number: int) -> Design:
    """A queue and the probabilities of all pairs."""
    return Design.of({}, draw(pool, kind, budget, seed, number), inclusion(pool, kind, budget))


def second_budget(world: World, first: Queue, second: Queue) -> int:
    """The size of a second queue from all pairs with which so many are labelled in expectation."""
    before = inclusion(world.pool, first, FIRST)
    for budget in range(1, PAIRS + 1):
        after = inclusion(world.pool, second, budget)
        if sum(1.0 - (1.0 - before[pair]) * (1.0 - after[pair]) for pair in before) >= LABELS:
            return budget
    return PAIRS


def own(world: World, first: Queue, second: Queue, budget: int, seed: int) -> Weights:
    """Each label by the probability of its own queue."""
    one, two = design(world.pool, first, FIRST, seed, 0), design(world.pool, second, budget, seed, 1)
    return {pair: 1.0 / (one if pair in one.pairs else two).chance(pair) for pair in one.pairs | two.pairs}


def joint(world: World, first: Queue, second: Queue, budget: int, seed: int) -> Weights:
    """Each label by the probability of either queue."""
    designs = (design(world.pool, first, FIRST, seed, 0), design(world.pool, second, budget, seed, 1))
    return _joint(designs)


def refitted(world: World, first: Queue, second: Queue, budget: int, seed: int) -> Weights:
    """The same, the second queue drawn by a p that the labels of the first have moved."""
    one = design(world.pool, first, FIRST, seed, 0)
    told = {pair: world.agrees[pair] for pair in one.pairs}
    by_pair = {row.pair: row.p for row in world.pool}
    shift = sum((by_pair[pair] < 0.5) != bool(agrees) for pair, agrees in told.items()) / len(told) - 0.5
    pool = [replace(row, p=sigmoid(logit(row.p) + 4.0 * shift)) for row in world.pool]
    return _joint((one, design(pool, second, budget, seed, 1)))


def _joint(designs: tuple[Design, Design]) -> Weights:
    labelled = designs[0].pairs | designs[1].pairs
    chances = Inclusion(designs, labelled)
    return {pair: 1.0 / chances.of(pair) for pair in labelled}


def disjoint(world: World, first: Queue, second: Queue, _: int, seed: int) -> Weights:
    """The second queue from what the first left."""
    one = design(world.pool, first, FIRST, seed, 0)
    left = [row for row in world.pool if row.pair not in one.pairs]
    plan = draw(left, second, LABELS - FIRST, seed, 1)
    after = inclusion(left, second, LABELS - FIRST)
    weights = {}
    for row in world.pool:
        if row.pair in one.pairs:
            weights[row.pair] = _either(one, row.pair, inclusion([*left, row], second, LABELS - FIRST)[row.pair])
    for chosen in plan.chosen:
        weights[chosen.pair] = _either(one, chosen.pair, after[chosen.pair])
    return weights


def _either(one: Design, pair: Pair, after: float) -> float:
    return 1.0 / (1.0 - (1.0 - one.chance(pair)) * (1.0 - after))


WAYS: dict[str, Way] = {"own": own, "joint": joint, "disjoint": disjoint, "joint, refitted": refitted}


def measure(world: World, draws: int) -> list[dict[str, Json]]:
    """A row for each order of queues and way of weighing."""
    rows: list[dict[str, Json]] = []
    for first, second in ORDERS:
        budget = second_budget(world, first, second)
        for name, way in WAYS.items():
            plain, ratio, count = np.zeros(draws), np.zeros(draws), 0
            for seed in range(draws):
                weights = way(world, first, second, budget, seed)
                total = math.fsum(weight * world.agrees[pair] for pair, weight in weights.items())
                plain[seed], ratio[seed] = total / PAIRS, total / math.fsum(weights.values())
                count += len(weights)
            rows.append({
                "queues": f"{first}, {second}", "weighed": name, "labels": round(count / draws, 1),
                "off": round(100 * float(plain.mean() - world.truth), 1), "error": round(100 * _rmse(plain, world.truth), 1),
                "divided: off": round(100 * float(ratio.mean() - world.truth), 1),
                "divided: error": round(100 * _rmse(ratio, world.truth), 1),
            })  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    world = make_world()
    rows = measure(world, args.draws)
    title = f"Judge and person agree on {world.truth:.1%} of {PAIRS} pairs; points, over {args.draws} draws"
    Console(json=args.json).table(list(rows[0]), [list(row.values()) for row in rows], title=title)


def _rmse(values: NDArray[np.float64], truth: float) -> float:
    return float(np.sqrt(((values - truth) ** 2).mean()))


if __name__ == "__main__":
    main()
