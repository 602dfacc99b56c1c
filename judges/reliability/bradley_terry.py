"""The Bradley-Terry model: scores of things compared in pairs, and how sure they are. Knows numbers only.

P(i better than j) = sigmoid(s_i - s_j) (Bradley and Terry 1952). Given soft wins w_ij (a judged probability is part of a win each way)
the fit maximises sum w_ij log sigmoid(s_i - s_j), which is concave and has one maximum once the scores' sum is fixed. A ridge of
`RIDGE` fixes the sum at 0, apart in each part of the comparison graph that nothing links to the rest: scores of two such parts cannot
be compared. Probabilities are clipped (`judges.probability.LOGIT_CLIP`) by whoever makes wins of them, so it is finite too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from judges.probability import LOGIT_CLIP, sigmoid

Matrix = NDArray[np.float64]

RIDGE: Final = 1e-6
_TOLERANCE: Final = 1e-10
_MOST_STEPS: Final = 100
_LOW, _HIGH = sigmoid(-LOGIT_CLIP), sigmoid(LOGIT_CLIP)


def clipped(p: float) -> float:
    """A probability kept from the ends, so that the fit is finite."""
    return min(_HIGH, max(_LOW, p))


def fit(wins: Matrix) -> Matrix:
    """Fit Bradley-Terry scores by Newton's method: [..., n, n] soft wins, row over column -> [..., n] log-odds, mean 0.

    Leading axes are separate problems. A step that would change the largest gap by d is taken
    ln(1 + d) / d of the way, which cannot overshoot (damped Newton for generalised self-concordant functions
    of order 2; Sun and Tran-Dinh 2019).
    """
    scores: Matrix = np.zeros(wins.shape[:-1])
    for _ in range(_MOST_STEPS):
        step = _newton_step(wins, scores)
        change = step.max(axis=-1, keepdims=True) - step.min(axis=-1, keepdims=True)
        scores = scores + step * np.where(change > 0, np.log1p(change) / np.where(change > 0, change, 1.0), 1.0)
        if change.max() <= _TOLERANCE:
            break
    centred: Matrix = scores - scores.mean(axis=-1, keepdims=True)
    return centred


def gap_errors(wins: Matrix, scores: Matrix) -> Matrix:
    """Standard errors of the gaps s_i - s_j, [n, n] wins and [n] fitted scores -> [n, n]; infinite between parts that nothing links.

    The covariance is the pseudo-inverse of the information at the maximum (scores are known up to their sum), so a gap's variance is
    C_ii + C_jj - 2 C_ij. It takes every comparison for an independent observation: a soft win counts as much as it weighs, and
    several comparisons by one judge are not independent, so real errors are larger.
    """
    from scipy.sparse.csgraph import connected_components

    games = wins + wins.T
    np.fill_diagonal(games, 0.0)
    _, part = connected_components(games > 0, directed=False)
    covariance = np.linalg.pinv(_information(games, scores), hermitian=True)
    own = np.diagonal(covariance)
    errors: Matrix = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2.0 * covariance, 0.0))
    return np.where(part[:, None] == part[None, :], errors, np.inf)


def _newton_step(wins: Matrix, scores: Matrix) -> Matrix:
    """Solve Hessian x step = gradient of the penalised log-likelihood; all [..., n] or [..., n, n]."""
    games = wins + wins.swapaxes(-1, -2)
    gradient = (wins - games * _beats(scores)).sum(axis=-1) - RIDGE * scores
    hessian = _information(games, scores) + RIDGE * np.eye(scores.shape[-1])
    return np.asarray(np.linalg.solve(hessian, gradient[..., None])[..., 0], dtype=np.float64)


def _beats(scores: Matrix) -> Matrix:
    """P(row better than column), [..., n, n]."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * (scores[..., :, None] - scores[..., None, :])))


def _information(games: Matrix, scores: Matrix) -> Matrix:
    """Minus the Hessian of the log-likelihood without its ridge, [..., n, n]: the Laplacian of g_ij q_ij (1 - q_ij)."""
    q = _beats(scores)
    found = -games * q * (1.0 - q)
    diagonal = np.arange(scores.shape[-1])
    found[..., diagonal, diagonal] = 0.0
    found[..., diagonal, diagonal] = -found.sum(axis=-1)
    return found
