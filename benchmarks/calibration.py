"""Whether fits on people's labels help on pairs they were not fitted on: recorded verdicts, and a judge of a known temperature.

    python -m benchmarks.calibration [--data ../shared/data] [--splits 100] [--json]
    python -m benchmarks.calibration --live [--pairs 400] [--json]

Recorded verdicts are hard, so p is (wins of response 1 + 1/2) / (orders + 1), on LLMBar, whose items have one right answer. Each
random half is fitted on and the other scored: mean log loss before and after, the worst change in any split, how often it fell and how
often it rose by more than 0.01. The halves of a fixed set lean opposite ways, so single splits scatter more than new data would. For
comparison: how often it rose so with the likeliest slope, and with the likeliest slope of all items, which knows the other half too.

With `--live` the pocket judge answers fresh pairs of the pocket world in both orders. People are simulated, and noisy: the log-odds
with which they prefer a response are a third of the judge's, and five label each pair. These log-odds are multiplied by a known factor,
as a judge that is too sure (or not sure enough) would have them, and the fit must give the factor back. `clipped` is the share of pairs
whose log-odds lie beyond the clip of the fit (`judges.calibration.maps.REACH`), which makes a judge seem less overconfident than it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.recorded_data import DATA, Verdicts, llmbar
from judges.anchors import Anchor
from judges.calibration.fit import fit_judge
from judges.calibration.fitting import applied, careful_slope, fit_slope, log_odds
from judges.calibration.maps import REACH
from judges.calibration.scores import scores
from tenet.console import Console
from tenet.ids import Json

FACTORS = (0.5, 2.0, 3.0, 4.0)
NOISE = 3.0
"""How much weaker the preference of the simulated people is than the judge's."""


PEOPLE = 5
"""How many of them label each pair: with one, 1,000 pairs leave the slope a standard error of 6 %."""


def recorded(judge: Verdicts, splits: int) -> dict[str, Json]:
    """Fit on random halves, score the others."""
    rng = np.random.default_rng(len(judge.wins))
    p, y = np.array(judge.p), np.array([votes[0] for votes in judge.people])
    ones = np.ones(len(p))
    before, after, slopes = [], [], []
    likeliest: list[float] = []
    knowing: list[float] = []
    whole = fit_slope(p, y, ones)
    for _ in range(splits):
        order = rng.permutation(len(p))
        here, there = order[: len(p) // 2], order[len(p) // 2 :]
        fit = careful_slope(p[here], y[here], ones[here], here)
        slopes.append(fit.slope)
        before.append(scores(p[there], y[there], ones[there]))
        after.append(scores(applied(fit, p[there]), y[there], ones[there]))
        for told, other in ((likeliest, fit_slope(p[here], y[here], ones[here])), (knowing, whole)):
            told.append(scores(applied(other, p[there]), y[there], ones[there]).log_loss - before[-1].log_loss)
    change = np.array([b.log_loss - a.log_loss for a, b in zip(before, after, strict=True)])
    return {
        "judge": judge.name, "items": len(p), "slope": float(np.mean(slopes)),
        "log_loss_before": float(np.mean([one.log_loss for one in before])),
        "log_loss_after": float(np.mean([one.log_loss for one in after])), "worst_change": float(change.max()),
        "lowered_in": float((change < 0).mean()), "raised_over_0.01_in": float((change > 0.01).mean()),
        "likeliest_raised": float((np.array(likeliest) > 0.01).mean()), "likeliest_after": float(np.mean(likeliest)),
        "knowing_raised": float((np.array(knowing) > 0.01).mean()), "knowing_worst": float(np.max(knowing)),
        "ece_before": float(np.mean([one.ece for one in before])), "ece_after": float(np.mean([one.ece for one in after])),
    }  # fmt: skip


def pocket_ps(pairs: int, seed: int = 0) -> list[float]:
    """The pocket judge's P(a is better) on fresh pairs, both orders averaged."""
    from benchmarks.pocket_judge import Judge, draw, judged
    from pocket import JUDGE_PATH

    judge = Judge(JUDGE_PATH)
    return [(one.p + one.p_swapped) / 2.0 for one in judged(judge, draw(judge, pairs, seed))]


def live(ps: Sequence[float], factor: float) -> dict[str, Json]:
    """Distort the judge's log-odds by a factor, fit on simulated people, and compare the slope with 1 / factor."""
    rng = np.random.default_rng(int(10 * factor))
    taste = log_odds(np.array(ps)) / NOISE
    said = 1.0 / (1.0 + np.exp(-factor * taste))
    votes = rng.binomial(PEOPLE, 1.0 / (1.0 + np.exp(-taste)))
    anchors = [Anchor(f"p{n}", f"a{n}", f"b{n}", int(one), PEOPLE - int(one)) for n, one in enumerate(votes)]
    found = fit_judge(anchors, {"pairwise": said.tolist()})
    return {
        "factor": factor, "anchors": len(anchors), "clipped": float((np.abs(factor * taste) > REACH).mean()), "map": found.fit.name,
        "slope": found.slope.value, "low": found.slope.low,
        "high": found.slope.high, "off": found.slope.value * factor - 1.0, "ece_before": found.before.ece,
        "ece_after": found.after.ece, "log_loss_before": found.before.log_loss, "log_loss_after": found.after.log_loss,
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--live", action="store_true", help="distort the pocket judge instead")
    parser.add_argument("--pairs", type=int, default=400, help="with --live: pairs a family of principles")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.live:
        ps = pocket_ps(args.pairs)
        rows = [live(ps, factor) for factor in FACTORS]
    else:
        rows = [recorded(one, args.splits) for one in llmbar(args.data)]
    shown = (
        rows if args.json else [{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    )
    Console(json=args.json).table(list(rows[0]), [list(row.values()) for row in shown])


if __name__ == "__main__":
    main()
