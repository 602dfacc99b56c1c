"""Probabilities and log-odds: the arithmetic that judges and rankings share.

Knows no record and no principle.

Log-odds are clipped at `LOGIT_CLIP` wherever probabilities are combined in that space. A judge that says 1 -
1e-9 is not three times as sure as one that says 0.999; it is saturated, and unclipped it would outvote every
other principle by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

LOGIT_CLIP = 6.0
"""Largest log-odds that one probability can bring into a combination or a fit; p = 0.9975."""


def sigmoid(x: float) -> float:
    """Turn log-odds into a probability, without overflow at either end."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    odds = math.exp(x)
    return odds / (1.0 + odds)


def logit(p: float, clip: float = LOGIT_CLIP) -> float:
    """Turn a probability in [0, 1] into natural log-odds, clipped to +-`clip`."""
    if p <= 0.0:
        return -clip
    if p >= 1.0:
        return clip
    return min(clip, max(-clip, math.log(p) - math.log1p(-p)))


def log_odds(p: float) -> float:
    """Turn a probability in [0, 1] into natural log-odds, clipped only where floating point ends.

    For what is taken off before anything is combined, as a position bias: clipped first, a judge that leans to one place and is sure
    besides would seem to lean less, and lose what is taken off twice.
    """
    tiny = 2.0**-53
    p = min(1.0 - tiny, max(tiny, p))
    return math.log(p) - math.log1p(-p)


def mean(values: Sequence[float]) -> float:
    """Return the mean of one or more numbers, the same whatever their order (exact summation)."""
    return math.fsum(values) / len(values)


def vote_share(named: float, votes: int) -> float:
    """Estimate how often a response is named from being named in `named` of `votes` votes (a tie is half a vote).

    This is Jeffreys' estimate, (named + 1/2) / (votes + 1): the posterior mean of a binomial share under the prior
    Beta(1/2, 1/2) (Jeffreys 1946; Brown, Cai and DasGupta 2001). One vote gives 3/4, never 1: it says who, not how sure.
    """
    return (named + 0.5) / (votes + 1)


def pool(ps: Sequence[float], weights: Sequence[float]) -> float:
    """Combine probabilities as the weighted mean of their log-odds.

    This is the logarithmic opinion pool (Genest and Zidek 1986). A lone probability comes back as it is,
    unclipped. `weights` are positive and as many as `ps`, of which there is at least one.
    """
    if len(ps) == 1:
        return ps[0]
    total = math.fsum(weights)
    return sigmoid(math.fsum(w * logit(p) for p, w in zip(ps, weights, strict=True)) / total)
