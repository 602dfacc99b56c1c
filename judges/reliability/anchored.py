"""How much each judge weighs by human anchors, and how sure the sum is. Knows numbers only; what an anchor is, its caller knows.

Two fits, both without an intercept, so that turning every item round turns the result round: f(1 - p) = 1 - f(p).

`by_accuracy` takes judges for independent. Of n anchors on which judge j named a side, r_j (ties half) were named rightly; under a
prior Beta(c, c) its accuracy has the posterior Beta(r_j + c, n_j - r_j + c), and its weight the mean and variance of the log-odds
under that posterior, psi(a) - psi(b) and psi'(a) + psi'(b). A judge worse than chance weighs against what it says.

`by_regression` allows for judges that err together: logistic regression of the true side on the judges' leanings, under the prior
N(0, `spread`^2) for each weight, with Laplace's approximation of its covariance.

A judge's votes on one item (its orders) are averaged to one leaning and counted once. Anchors drawn with unequal chances carry their
inverse chance as weights; their sum is brought to Kish's effective number, (sum w)^2 / sum w^2. Anchors must not be scored on what
they were fitted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma, expit, polygamma

from judges.reliability.votes import Array, Votes
from tenet.errors import UsageError
from tenet.intervals import Z

PRIOR: Final = 1.0
"""Pseudo-anchors on each side of every judge's accuracy: Beta(1, 1), the uniform."""
SPREAD: Final = 1.0
"""Prior standard deviation of a regression weight, in log-odds for a judge that votes one way in every order."""


@dataclass(frozen=True)
class Combined:
    """What judges come to on each item: `log_odds` for a and its standard error, both [items]."""

    log_odds: Array
    errors: Array

    @property
    def p_a(self) -> Array:
        """P(a is better) with the weights' uncertainty averaged out: sigmoid(l / sqrt(1 + pi v / 8)) (MacKay 1992, eq. 4.14)."""
        return np.asarray(expit(self.log_odds / np.sqrt(1.0 + np.pi * self.errors**2 / 8.0)))

    @property
    def interval(self) -> tuple[Array, Array]:
        """The ends of a 95 % interval of P(a is better), from the weights' uncertainty alone."""
        reach = Z * self.errors
        return np.asarray(expit(self.log_odds - reach)), np.asarray(expit(self.log_odds + reach))

    @property
    def sides(self) -> Array:
        """The likelier side, 1 (a) or -1 (b); 0 where neither is."""
        return np.sign(np.round(self.log_odds, 9))


@dataclass(frozen=True)
class Weights:
    """Log-odds that each judge's full vote brings [judges], and their covariance [judges, judges]. `anchors` is their effective number."""

    values: Array
    covariance: Array
    anchors: float

    def combine(self, votes: Votes) -> Combined:
        """Add up what the judges say of other items; the error is by the delta method, exact since the sum is linear."""
        leaning = votes.leaning
        variance = np.einsum("ij,jk,ik->i", leaning, self.covariance, leaning)
        return Combined(leaning @ self.values, np.sqrt(np.maximum(variance, 0.0)))


@dataclass(frozen=True)
class Accuracies:
    """Posterior Beta(`right`, `wrong`) of each judge's accuracy, [judges]; prior included. `anchors` is their effective number."""

    right: Array
    wrong: Array
    anchors: float

    @property
    def means(self) -> Array:
        """Posterior mean accuracy of each judge."""
        return self.right / (self.right + self.wrong)

    @property
    def weights(self) -> Weights:
        """The weights that these accuracies come to, judges taken for independent."""
        values = digamma(self.right) - digamma(self.wrong)
        return Weights(values, np.diag(polygamma(1, self.right) + polygamma(1, self.wrong)), self.anchors)


def accuracies(votes: Votes, truth: ArrayLike, weights: ArrayLike | None = None, *, prior: float = PRIOR) -> Accuracies:
    """Count how often each judge is right on anchors whose true sides are 1 or -1.

    Raises:
        UsageError: no anchor, one without a side, or weights that are not positive.
    """
    sides, scale = _checked(votes, truth, weights)
    named = votes.counts > 0
    right = scale @ (named * (1.0 + votes.leaning * sides[:, None]) / 2.0)
    return Accuracies(right + prior, scale @ named - right + prior, float(scale.sum()))


def by_accuracy(votes: Votes, truth: ArrayLike, weights: ArrayLike | None = None, *, prior: float = PRIOR) -> Weights:
    """Weigh judges by their own log-odds of being right.

    Raises:
        UsageError: as `accuracies`.
    """
    return accuracies(votes, truth, weights, prior=prior).weights


def by_regression(
    votes: Votes, truth: ArrayLike, weights: ArrayLike | None = None, *, spread: float = SPREAD
) -> Weights:
    """Weigh judges together; for judges that err alike. Each item is told from both sides at half weight, so any anchors will do.

    Raises:
        UsageError: as `accuracies`.
    """
    from sklearn.linear_model import LogisticRegression

    sides, scale = _checked(votes, truth, weights)
    leaning = votes.leaning
    model = LogisticRegression(C=spread**2, fit_intercept=False, tol=1e-10, max_iter=1000)
    model.fit(np.vstack([leaning, -leaning]), np.concatenate([sides, -sides]), np.tile(scale / 2.0, 2))
    values = np.asarray(model.coef_[0], dtype=np.float64)
    p = expit(leaning @ values)
    precision = (leaning * (scale * p * (1.0 - p))[:, None]).T @ leaning + np.eye(votes.judges) / spread**2
    return Weights(values, np.linalg.inv(precision), float(scale.sum()))


def _checked(votes: Votes, truth: ArrayLike, weights: ArrayLike | None) -> tuple[Array, Array]:
    """True sides and weights, the latter brought to their effective number."""
    sides = np.asarray(truth, dtype=np.float64)
    if votes.items == 0 or sides.shape != (votes.items,):
        raise UsageError(
            f"{sides.size:,} anchors for {votes.items:,} items with votes",
            hint="give labels of pairs that the judges have judged: --anchors labels.jsonl",
        )
    if not np.isin(sides, (-1.0, 1.0)).all():
        raise UsageError(
            "an anchor names neither side", hint="leave anchors that are ties or were skipped out of a fit"
        )
    drawn = np.ones(votes.items) if weights is None else np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(drawn) & (drawn > 0.0)).all():
        raise UsageError("an anchor's weight is not positive", hint="inclusion probabilities lie in (0, 1]")
    return sides, drawn * drawn.sum() / (drawn**2).sum()
