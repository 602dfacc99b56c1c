"""From what several judges say of an item and how often each is right to one log-odds. Knows numbers only, and fits nothing.

A judge that is right with probability s and says P(a) = p is heard as through a noisy channel: what it says is kept with probability s
and turned over with 1 - s, so it brings

    l(p, s) = log [p s + (1 - p)(1 - s)] - log [p (1 - s) + (1 - p) s].

At p = 1 that is logit s, the weight of a hard vote; at p = 1/2 nothing; and no judge's own confidence carries it beyond its
reliability. A judge below one half counts against what it says. The sum over judges is right where their mistakes are independent. They
seldom are, and accuracies that were fitted without human labels are too high, so a sum is too sure: `temper` brings it back to a level
that something else has measured.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit

from judges.probability import LOGIT_CLIP
from judges.reliability.votes import Array
from tenet.errors import UsageError

_FLATTEST: Final = 1e-9
_BELOW: Final = 1.0 - 1e-9
"""A root is found from either side; this keeps the mean at or below the ceiling."""


def heard(p_a: ArrayLike, accuracies: ArrayLike) -> Array:
    """Log-odds for a that each judge brings, clipped to +-`LOGIT_CLIP`: P(a) [items, judges] and accuracies [judges] -> [items, judges].

    A judge that says nothing (nan), or of which nothing is known (nan), brings 0.
    """
    p, s = np.asarray(p_a, dtype=np.float64), np.asarray(accuracies, dtype=np.float64)
    says_a = p * s + (1.0 - p) * (1.0 - s)
    with np.errstate(divide="ignore"):
        odds = np.log(says_a) - np.log(p * (1.0 - s) + (1.0 - p) * s)
    return np.asarray(np.nan_to_num(np.clip(odds, -LOGIT_CLIP, LOGIT_CLIP), nan=0.0))


def temper(log_odds: ArrayLike, ceiling: float, counts: ArrayLike | None = None) -> float:
    """The largest slope of at most 1 with which the mean of max(p, 1 - p), p = sigmoid(slope x log-odds), is at most `ceiling`.

    `counts` say how often each of the log-odds is there, once without them; the mean of nothing is 1/2.

    The ceiling is how often the result can be right by some measurement: 1 less half the flip rate where there are no anchors, since
    of two answers that contradict each other one is wrong.

    Raises:
        UsageError: a ceiling outside [1/2, 1].
    """
    if not 0.5 <= ceiling <= 1.0:
        raise UsageError(f"a ceiling of {ceiling:g} is no share between 1/2 and 1")

    if sureness(log_odds, counts) <= ceiling:
        return 1.0
    if sureness(np.multiply(_FLATTEST, log_odds), counts) >= ceiling:
        return 0.0
    return float(brentq(lambda slope: sureness(np.multiply(slope, log_odds), counts) - ceiling, 0.0, 1.0)) * _BELOW


def sureness(log_odds: ArrayLike, counts: ArrayLike | None = None) -> float:
    """The mean of max(p, 1 - p): how often a judge that says these log-odds claims to be right; 1/2 of nothing."""
    weights = None if counts is None else np.asarray(counts, dtype=np.float64)
    claims = expit(np.abs(np.asarray(log_odds, dtype=np.float64)))
    return float(np.average(claims, weights=weights)) if (claims.size if weights is None else weights.any()) else 0.5
