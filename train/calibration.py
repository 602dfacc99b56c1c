"""How well a model's gaps agree with labels it has not seen: accuracy, Brier score, calibration error, log loss.

Plain numpy; knows no model. What a gap says as a probability depends on the loss that it was learnt by (`Link`); p is
the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from judges.calibration.scores import expected_calibration_error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Link(StrEnum):
    """How a gap d becomes the model's P(chosen is better): s(d), or 1/2 + d cut off at 0 and 1, or not at all."""

    LOGISTIC = "logistic"
    LINEAR = "linear"
    NONE = "none"


def held_out_metrics(
    gap: Sequence[float], p: Sequence[float], weight: Sequence[float], link: Link = Link.LOGISTIC
) -> dict[str, float]:
    """Score the gaps of a model against labels.

    Args:
        gap: (rows,) above 0 where the model takes chosen for the better.
        p: (rows,) P(chosen is better) by the label.
        weight: (rows,) design weights, of any scale.
        link: what the gaps say as probabilities.

    Returns:
        `pairs`; `pair_accuracy` (weighted share of the rows with p other than 0.5 whose gap has the label's sign; a gap
        of 0 counts half) with the same unweighted as `pairs_right` of `pairs_decided`; with a link, `brier` (mean of
        (probability - p) squared) and `ece` (`expected_calibration_error`); with the logistic one, `log_loss` (nats) and
        `entropy` (the least log loss that these labels allow). Empty without rows.
    """
    import numpy as np

    d, q, w = (np.asarray(values, dtype=np.float64) for values in (gap, p, weight))
    if d.size == 0 or w.sum() <= 0:
        return {}
    scores = {"pairs": float(d.size)}
    if link is not Link.NONE:
        guess = _sigmoid(d) if link is Link.LOGISTIC else np.clip(0.5 + d, 0.0, 1.0)
        scores["brier"] = float(np.average((guess - q) ** 2, weights=w))
        scores["ece"] = expected_calibration_error(guess, q, w)
    if link is Link.LOGISTIC:
        scores["log_loss"] = float(np.average(np.logaddexp(0.0, -d) + (1.0 - q) * d, weights=w))
        scores["entropy"] = float(np.average(_entropy(q), weights=w))
    decided = q != 0.5
    if decided.any() and w[decided].sum() > 0:
        right = np.where(d == 0.0, 0.5, (d > 0.0) == (q > 0.5))
        scores["pair_accuracy"] = float(np.average(right[decided], weights=w[decided]))
        scores |= {"pairs_right": float(right[decided].sum()), "pairs_decided": float(decided.sum())}
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
