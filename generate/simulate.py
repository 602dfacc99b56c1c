"""Plays schedules on simulated prompts: how many calls each takes, and how often the chosen sample truly beats the rejected one.

The samples, the judge's opinions and its slips are drawn once by `generate.noise.Noise`, and every schedule is asked
about the same ones, so that differences between schedules are far less noisy than the figures themselves. What plays
is the product's own: the schedules of `generate.schedule`, the rule for second orders of `generate.orders`, and the
fit of `judges.reliability.bradley_terry`. Knows no file and no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from generate.noise import Matrix, Noise
from generate.orders import Asking
from generate.schedule import Pair
from judges.probability import LOGIT_CLIP, mean, sigmoid
from judges.reliability.bradley_terry import clipped, fit

DRAWS = 2000
SEED = 0


@dataclass(frozen=True)
class Played:
    """What a schedule came to over all simulated prompts.

    `calls` are questions of one principle to a prompt; `right` says for each prompt whether best truly beats worst.
    """

    calls: float
    right: tuple[bool, ...]

    @property
    def accuracy(self) -> float:
        """P(the best-ranked sample is truly better than the worst-ranked one)."""
        return sum(self.right) / len(self.right)

    @property
    def error(self) -> float:
        """The standard error of `accuracy`."""
        return sqrt(max(self.accuracy * (1.0 - self.accuracy), 1e-9) / len(self.right))


@dataclass(frozen=True)
class World:
    """Simulated prompts: for each the samples' true worths [n], and the judge's log-odds [n, n], row shown first."""

    worths: tuple[Matrix, ...]
    logits: tuple[Matrix, ...]


def draw_world(noise: Noise, sizes: Mapping[int, int], *, draws: int = DRAWS, seed: int = SEED) -> World:
    """Draw `draws` prompts whose numbers of samples are distributed as `sizes` counts them."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(list(sizes), size=draws, p=np.array([*sizes.values()]) / sum(sizes.values()))
    worths, logits = [], []
    for n in numbers:
        worth = rng.normal(0.0, noise.worth, n)
        opinion = np.triu(rng.normal(0.0, noise.opinion, (n, n)), 1)
        slip = rng.normal(0.0, noise.slip, (n, n))
        told = worth[:, None] - worth[None, :] + opinion - opinion.T + noise.position_bias + slip
        worths.append(worth)
        logits.append(np.clip(told, -LOGIT_CLIP, LOGIT_CLIP))
    return World(tuple(worths), tuple(logits))


def play(asking: Asking, world: World, bias: float) -> Played:
    """Judge every prompt of a world as `asking` says; `bias` is the position bias as the run would have measured it.

    Every prompt is taken to come after those that the bias is measured on.
    """
    calls = 0
    wins: dict[int, list[tuple[int, Matrix]]] = {}
    for number, logits in enumerate(world.logits):
        games, asked = _judged(asking, str(number), logits, bias)
        calls += asked
        wins.setdefault(len(logits), []).append((number, games))
    right = [False] * len(world.logits)
    for group in wins.values():
        scores = fit(np.stack([games for _, games in group]))
        for (number, _), found in zip(group, scores, strict=True):
            worth = world.worths[number]
            right[number] = bool(worth[found.argmax()] > worth[found.argmin()])
    return Played(calls / len(right), tuple(right))


def _judged(asking: Asking, name: str, logits: Matrix, bias: float) -> tuple[Matrix, int]:
    """Soft wins [n, n] of one prompt, and the calls that they took."""
    n = len(logits)
    width = len(str(n))
    ids = [f"{number:0{width}}" for number in range(n)]
    wins: Matrix = np.zeros((n, n))
    results: dict[Pair, float | None] = {}
    calls = 0
    within = asking.orders.close_within
    while pairs := asking.schedule.owed(name, ids, results):
        for pair in pairs:
            first, second = (int(one) for one in (pair if within is None else asking.orders.shown(name, pair)))
            told = float(logits[first, second])
            both = asking.orders.leaves_open(told, bias)
            other = -float(logits[second, first]) if both else told - 2.0 * bias
            calls += 1 + both
            p = mean([sigmoid(told), sigmoid(other)])
            results[pair] = p if int(pair[0]) == first else 1.0 - p
            p = clipped(p)
            wins[first, second] += p
            wins[second, first] += 1.0 - p
    return wins, calls
