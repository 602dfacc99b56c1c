"""One-coin Dawid-Skene: how often each judge is right, estimated from votes alone, with no human label. Knows numbers only.

The model (Dawid and Skene 1979, with one accuracy a judge as in Raykar et al. 2010 and Zhang et al. 2016). The truth z_i of item i
is a with probability pi. A vote of judge j names the truth with probability s_j, whichever side is true, and votes are independent
given the truth. With f_ij votes of j for a and g_ij for b:

    E step   logit q_i = logit pi + sum_j (f_ij - g_ij) logit s_j              q_i = P(z_i = a | votes)
    M step   s_j = sum_i [q_i f_ij + (1 - q_i) g_ij] / sum_i (f_ij + g_ij)     pi = mean of q_i, where it is fitted

from the majority's shares until no s_j moves by more than `TOLERANCE`. A tie is half a vote each way (`votes`), a vote not given is
left out. pi is 1/2 unless asked otherwise, since which response is called a is arbitrary. The model cannot tell (s, pi) from (1 - s,
1 - pi), so of the two solutions the one is given where votes are right more often than not.

What the posterior q is not: a probability to train on. Judges share their mistakes and the two orders of one judge are nearly one
vote, so independence fails and q is far too sure: on the five judges of LLMBar it says 0.986 on average where 0.845 are right
(`benchmarks/panel_votes.py`). Therefore `Fit` does not carry it. It carries accuracies, of which `judges.reliability.combine` makes
labels that are tempered, and the sides, without a probability. `posterior` is there for whoever measures the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, xlog1py, xlogy

from judges.reliability.votes import Array, Votes, share_right
from tenet.errors import UsageError

TOLERANCE: Final = 1e-10
MOST_ROUNDS: Final = 2000
_EDGE: Final = 1e-12
"""Accuracies and the prior are kept this far from 0 and 1, so that a judge never contradicted stays finite."""
_UNDECIDED: Final = 1e-9
"""Log-odds this close to 0 name no side: they are sums of terms that cancel."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What the votes say of their judges.

    `accuracies` [judges] are nan for a judge without a vote. `sides` [items] are 1 (a), -1 (b) or 0 (undecided). `claimed` is the mean
    of max(q, 1 - q): what the model believes its accuracy to be. `prior` is P(a).
    """

    accuracies: Array
    sides: NDArray[np.int_]
    claimed: float
    prior: float
    log_likelihood: float
    rounds: int
    converged: bool

    def overconfidence(self, truth: ArrayLike) -> float:
        """How much surer the model is than it is right, against the true sides (1 or -1) of all items; undecided is wrong."""
        return self.claimed - share_right(self.sides, truth)


def fit(votes: Votes, *, prior: float | None = 0.5) -> Fit:
    """Estimate accuracies by EM; `prior` is P(a), None to estimate it too.

    Raises:
        UsageError: no vote at all, or fewer than two judges with votes: nothing to compare a judge with.
    """
    if (votes.counts.sum(axis=0) > 0).sum() < 2:
        raise UsageError(
            "Dawid-Skene compares judges with one another, and fewer than two gave votes",
            hint="add judges of other families, or give human anchors: --anchors labels.jsonl",
        )
    share = np.divide(votes.for_a.sum(axis=1), votes.counts.sum(axis=1), where=votes.counts.sum(axis=1) > 0,
                      out=np.full(votes.items, 0.5))  # fmt: skip
    pi = float(share.mean()) if prior is None else prior
    accuracies = _accuracies(votes, share)
    moved, rounds = np.inf, 0
    while rounds < MOST_ROUNDS and moved > TOLERANCE:
        q = posterior(votes, accuracies, pi)
        before, accuracies = accuracies, _accuracies(votes, q)
        pi = float(q.mean()) if prior is None else prior
        moved, rounds = float(np.nanmax(np.abs(accuracies - before))), rounds + 1
    accuracies, pi = _upright(votes, accuracies, pi)
    odds = _log_odds(votes, accuracies, pi)
    q = expit(odds)
    sides = np.where(np.abs(odds) <= _UNDECIDED, 0, np.sign(odds)).astype(int)
    return Fit(
        accuracies, sides, float(np.maximum(q, 1.0 - q).mean()), pi, log_likelihood(votes, accuracies, pi),
        rounds, moved <= TOLERANCE,
    )  # fmt: skip


def posterior(votes: Votes, accuracies: Array, prior: float = 0.5) -> Array:
    """P(the truth is a | votes) under the model, [items]: to measure the model by, never a label; see the module."""
    return np.asarray(expit(_log_odds(votes, accuracies, prior)))


def log_likelihood(votes: Votes, accuracies: Array, prior: float = 0.5) -> float:
    """Log of P(votes | accuracies, prior), summed over the items; natural log."""
    s = np.where(np.isnan(accuracies), 0.5, accuracies)
    if_a = (xlogy(votes.for_a, s) + xlog1py(votes.for_b, -s)).sum(axis=1) + np.log(prior)
    if_b = (xlogy(votes.for_b, s) + xlog1py(votes.for_a, -s)).sum(axis=1) + np.log1p(-prior)
    return float(np.logaddexp(if_a, if_b).sum())


def _log_odds(votes: Votes, accuracies: Array, prior: float) -> Array:
    weights = np.where(np.isnan(accuracies), 0.0, logit(accuracies))
    return np.asarray(votes.net @ weights + logit(np.clip(prior, _EDGE, 1.0 - _EDGE)))


def _accuracies(votes: Votes, q: Array) -> Array:
    """The M step: the expected share of each judge's votes that name the truth; nan without votes."""
    right = q @ votes.for_a + (1.0 - q) @ votes.for_b
    given = votes.counts.sum(axis=0)
    shares = np.divide(right, given, out=np.full(len(given), np.nan), where=given > 0)
    return np.asarray(np.clip(shares, _EDGE, 1.0 - _EDGE))


def _upright(votes: Votes, accuracies: Array, prior: float) -> tuple[Array, float]:
    """Of the two mirrored solutions the one in which votes are right more often than not."""
    given = votes.counts.sum(axis=0)
    right = float(np.nansum(accuracies * given) / given.sum())
    return (accuracies, prior) if right >= 0.5 else (1.0 - accuracies, 1.0 - prior)
