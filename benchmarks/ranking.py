"""Why samples are ranked by a Bradley-Terry fit of probabilities, and what each schedule of comparisons is worth.

    python -m benchmarks.ranking [--trials 1500] [--json]
    python -m benchmarks.ranking --schedules [--trials 2000] [--json]

Each trial draws the true worth of N samples (standard normal), judges every pair with log-odds of the true
difference plus noise, ranks, and asks whether the sample ranked best truly is better than the one ranked
worst. `outliers`: one judgement in ten is saturated and wrong. `sharp`: log-odds four times too large. The
numbers are about kinds of noise, not about any judge.

With `--schedules` the product's own schedules, second-order rule and fit play prompts whose judge names the better
of two samples in 75 % of single answers; half of the noise's variance is an opinion of the pair, the same in both
orders, half is drawn anew for each order, and the place shown first is worth 0.5 log-odds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable
from itertools import combinations

from generate.noise import Noise
from generate.orders import make_asking
from generate.rank import rank, scores_of
from generate.simulate import draw_world, play
from judges.probability import LOGIT_CLIP, logit, sigmoid
from tenet.console import Console
from tenet.ids import Json
from tenet.records import Preference
from tenet.runconfig import ScheduleConfig

Answer = Callable[[random.Random, float], float]


def gaussian(rng: random.Random, gap: float) -> float:
    """Log-odds with noise of spread 1."""
    return gap + rng.gauss(0.0, 1.0)


def sharp(rng: random.Random, gap: float) -> float:
    """The same, overconfident."""
    return 4.0 * gaussian(rng, gap)


def outliers(rng: random.Random, gap: float) -> float:
    """Less noise, but one in ten saturated and wrong."""
    return -math.copysign(LOGIT_CLIP, gap) if rng.random() < 0.1 else gap + rng.gauss(0.0, 0.7)


def votes(rng: random.Random, gap: float) -> float:
    """Certain answers, right as often as the odds say."""
    return LOGIT_CLIP if rng.random() < sigmoid(1.6 * gap) else -LOGIT_CLIP


NOISES: dict[str, Answer] = {"gaussian": gaussian, "sharp": sharp, "outliers": outliers, "votes": votes}


def fitted(told: list[Preference]) -> dict[str, float]:
    """The product's own ranking."""
    return scores_of(rank("p", told))


def mean_logits(told: list[Preference]) -> dict[str, float]:
    """The least-squares fit of a full round robin."""
    scores: dict[str, float] = {}
    for one in told:
        value = logit(one.p_a)
        scores[one.a_id] = scores.get(one.a_id, 0.0) + value
        scores[one.b_id] = scores.get(one.b_id, 0.0) - value
    return scores


def trial(rng: random.Random, samples: int, noise: Answer) -> tuple[bool, bool]:
    """Whether best truly beats worst by the fit, and by mean log-odds."""
    worth = {f"s{n}": rng.gauss(0.0, 1.0) for n in range(samples)}
    told = []
    for a, b in combinations(worth, 2):
        p = sigmoid(noise(rng, worth[a] - worth[b]))
        told.append(Preference("p", a, b, p, p, p, flipped=False, judgements=2, principles=("x",)))

    def right(scores: dict[str, float]) -> bool:
        return worth[max(scores, key=scores.__getitem__)] > worth[min(scores, key=scores.__getitem__)]

    return right(fitted(told)), right(mean_logits(told))


def schedules(trials: int) -> list[dict[str, Json]]:
    """Calls to a pair and a prompt, and P(best truly beats worst), of each schedule at three sizes."""
    noise = Noise(worth=1.0, opinion=1.0, slip=1.0, position_bias=0.5)
    rows: list[dict[str, Json]] = []
    for samples in (4, 8, 16):
        world = draw_world(noise, {samples: 1}, draws=trials)
        for kind in ("round-robin", "regular", "knockout"):
            for second in ("always", "close"):
                asking = make_asking(ScheduleConfig(kind, second_order=second), 0)
                found = play(asking, world, noise.position_bias)
                rows.append({
                    "samples": samples, "schedule": kind, "second_order": second,
                    "pairs": asking.schedule.pairs(samples), "calls": round(found.calls, 1),
                    "calls_per_pair": found.calls / asking.schedule.pairs(samples),
                    "best_beats_worst": found.accuracy, "standard_error": found.error,
                })  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1500)
    parser.add_argument("--schedules", action="store_true", help="compare schedules instead of fits")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.schedules:
        told = schedules(args.trials)
        Console(json=args.json).table(list(told[0]), [list(row.values()) for row in told])
        return
    rows = []
    for samples in (4, 8):
        for name, noise in NOISES.items():
            rng = random.Random(f"{samples} {name}")
            found = [trial(rng, samples, noise) for _ in range(args.trials)]
            fit, mean = (sum(column) / args.trials for column in zip(*found, strict=True))
            rows.append({"samples": samples, "noise": name, "bradley_terry": fit, "mean_log_odds": mean})
    if args.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    print(f"best truly beats worst, share of {args.trials:,} trials")
    print(f"{'samples':>7}  {'noise':9} {'Bradley-Terry':>14} {'mean log-odds':>14}")
    for row in rows:
        print(f"{row['samples']:7}  {row['noise']:9} {row['bradley_terry']:14.3f} {row['mean_log_odds']:14.3f}")


if __name__ == "__main__":
    main()
