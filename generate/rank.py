"""Ranks the samples of one prompt by a soft Bradley-Terry fit. Knows no text, no principle and no judge.

The model: P(i better than j) = sigmoid(s_i - s_j) (Bradley and Terry 1952). Judged probabilities take the
place of wins, so the fit maximises sum p_ij log sigmoid(s_i - s_j) + (1 - p_ij) log sigmoid(s_j - s_i), which
is concave and has one maximum once the scores' sum is fixed. Probabilities are clipped
(`judges.probability.LOGIT_CLIP`), so it is finite too. A ridge of `RIDGE` fixes the sum at 0, apart in each
part of the comparison graph that no judgement links to the rest: scores of two such parts cannot be compared.

Why not the mean log-odds of each sample, the least-squares fit? Both give the same scores where the
judgements agree with one another. Where they do not, one saturated judgement that is wrong moves a mean of
logits far more than a fit of probabilities: in the simulation of `benchmarks/ranking.py`, with 4 samples and
10 % such judgements, the best sample truly beat the worst in 87.5 % against 71.7 %; with Gaussian noise the
two stayed within a point.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from judges.probability import LOGIT_CLIP, sigmoid
from tenet.records import Preference, Ranking

Matrix = NDArray[np.float64]

RIDGE = 1e-6
_TOLERANCE = 1e-10
_MOST_STEPS = 100
_LOW, _HIGH = sigmoid(-LOGIT_CLIP), sigmoid(LOGIT_CLIP)


def both_orders(preference: Preference) -> bool:
    """Whether each order gave an opinion.

    If one is missing, the probability carries the judge's position bias whole.
    """
    return preference.p_shown_a is not None and preference.p_shown_b is not None


def rank(prompt_id: str, preferences: Iterable[Preference], *, one_order: bool = False) -> Ranking:
    """Rank every sample that the preferences of one prompt compare; best first, equal scores by id.

    Preferences known from one order alone are left out unless `one_order` (for people, who are shown a pair
    once). The result does not depend on the order of the preferences, nor on which side of a pair each is
    told from. Scores are log-odds with mean 0; no usable preference gives an empty ranking.
    """
    used = sorted((_oriented(p) for p in preferences if one_order or both_orders(p)), key=_by_pair)
    ids = sorted({sample for p in used for sample in (p.a_id, p.b_id)})
    if not ids:
        return Ranking(prompt_id, (), ())
    place = {sample: index for index, sample in enumerate(ids)}
    wins: Matrix = np.zeros((len(ids), len(ids)))
    for p in used:
        a, b, p_a = place[p.a_id], place[p.b_id], clipped(p.p_a)
        wins[a, b] += p_a
        wins[b, a] += 1.0 - p_a
    scores = fit(wins).tolist()
    order = sorted(range(len(ids)), key=lambda i: (-round(scores[i], 9), ids[i]))
    return Ranking(prompt_id, tuple(ids[i] for i in order), tuple(scores[i] for i in order))


def parts(preferences: Iterable[Preference], *, one_order: bool = False) -> list[frozenset[str]]:
    """The samples by which of them the usable preferences link, directly or through others; largest first, then by id.

    Scores of two parts cannot be compared. `one_order` as in `rank`.
    """
    linked: dict[str, set[str]] = {}
    for one in preferences:
        if one_order or both_orders(one):
            joined = linked.get(one.a_id, {one.a_id}) | linked.get(one.b_id, {one.b_id})
            linked.update(dict.fromkeys(joined, joined))
    found = {frozenset(part) for part in linked.values()}
    return sorted(found, key=lambda part: (-len(part), min(part)))


def clipped(p: float) -> float:
    """A probability kept from the ends, so that the fit is finite."""
    return min(_HIGH, max(_LOW, p))


def fit(wins: Matrix) -> Matrix:
    """Fit Bradley-Terry scores by Newton's method: [..., n, n] soft wins, row over column -> [..., n] log-odds, mean 0.

    Leading axes are prompts, fitted apart. A step that would change the largest gap by d is taken
    ln(1 + d) / d of the way, which cannot overshoot (damped Newton for generalised self-concordant functions
    of order 2; Sun and Tran-Dinh 2019).
    """
    games = wins + wins.swapaxes(-1, -2)
    scores: Matrix = np.zeros(wins.shape[:-1])
    for _ in range(_MOST_STEPS):
        step = _newton_step(wins, games, scores)
        change = step.max(axis=-1, keepdims=True) - step.min(axis=-1, keepdims=True)
        scores = scores + step * np.where(change > 0, np.log1p(change) / np.where(change > 0, change, 1.0), 1.0)
        if change.max() <= _TOLERANCE:
            break
    centred: Matrix = scores - scores.mean(axis=-1, keepdims=True)
    return centred


def _newton_step(wins: Matrix, games: Matrix, scores: Matrix) -> Matrix:
    """Solve Hessian x step = gradient of the penalised log-likelihood; all [..., n] or [..., n, n]."""
    q = 0.5 + 0.5 * np.tanh(0.5 * (scores[..., :, None] - scores[..., None, :]))
    gradient = (wins - games * q).sum(axis=-1) - RIDGE * scores
    hessian = -games * q * (1.0 - q)
    diagonal = np.arange(scores.shape[-1])
    hessian[..., diagonal, diagonal] = RIDGE - hessian.sum(axis=-1)
    return np.asarray(np.linalg.solve(hessian, gradient[..., None])[..., 0], dtype=np.float64)


def _oriented(preference: Preference) -> Preference:
    """Tell the preference with `a_id` < `b_id`."""
    return preference if preference.a_id < preference.b_id else preference.flip()


def _by_pair(preference: Preference) -> tuple[str, str, float]:
    """Sort key: one order of summation for every order of arrival."""
    return preference.a_id, preference.b_id, preference.p_a


def scores_of(ranking: Ranking) -> dict[str, float]:
    """Score by sample id."""
    return dict(zip(ranking.sample_ids, ranking.scores, strict=True))
