"""How well a model's gaps agree with labels it has not seen: accuracy, Brier score, calibration error, log loss.

Plain numpy; knows no model. The gap d is the model's log-odds that chosen is better, s(d) its
probability, p the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judges.calibration.scores import expected_calibration_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def held_out_metrics(gap: Sequence[float], p: Sequence[float], weight: Sequence[float]) -> dict[str, float]:
    """Score the gaps of a model against labels.

    Args:
        gap: (rows,) the model's log-odds that chosen is better.
        p: (rows,) P(chosen is better) by the label.
        weight: (rows,) design weights, of any scale.

    Returns:
        `pair_accuracy` (share of the rows with p other than 0.5 whose gap has the label's sign; a gap of 0 counts
        half), `brier` (mean of (s(gap) - p) squared), `ece` (`expected_calibration_error`), `log_loss` (nats),
        `entropy` (the least log loss that these labels allow) and `pairs`. Empty without rows.
    """
    import numpy as np

    d, q, w = (np.asarray(values, dtype=np.float64) for values in (gap, p, weight))
    if d.size == 0 or w.sum() <= 0:
        return {}
    guess = _sigmoid(d)
    loss = np.logaddexp(0.0, -d) + (1.0 - q) * d
    scores = {
        "brier": float(np.average((guess - q) ** 2, weights=w)),
        "ece": expected_calibration_error(guess, q, w),
        "log_loss": float(np.average(loss, weights=w)),
        "entropy": float(np.average(_entropy(q), weights=w)),
        "pairs": float(d.size),
    }
    decided = q != 0.5
    if decided.any() and w[decided].sum() > 0:
        right = np.where(d == 0.0, 0.5, (d > 0.0) == (q > 0.5))
        scores["pair_accuracy"] = float(np.average(right[decided], weights=w[decided]))
    return scores


def _sigmoid(x: Floats) -> Floats:
    import numpy as np

    result: Floats = np.exp(-np.logaddexp(0.0, -x))
    return result


def _entropy(p: Floats) -> Floats:
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p), 0.0) + np.where(p < 1, (1 - p) * np.log(1 - p), 0.0)
    result: Floats = -terms
    return result
