"""Whether a judge prefers length beyond what people prefer. Pure functions of arrays; knows no text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from judges.card.agreement import NONE, TIE, A, B
from judges.card.bootstrap import Floats, Ints, Resampler, average, ratio, share
from judges.card.figures import Figure, unknown

_LARGEST = 15.0


def longer_rate(said: Ints, gap: Floats, groups: Ints, draws: Resampler) -> Figure:
    """Share of winners that are the longer response, over pairs of unequal length; `gap` is the length of a less that of b."""
    known = (said != NONE) & (said != TIE) & (gap != 0)
    return draws.figure(
        share((said[known] == A) == (gap[known] > 0)),
        groups[known],
        ratio,
        none="no winner among pairs of unequal length",
    )


def longer_excess(said: Ints, truth: Ints, gap: Floats, groups: Ints, draws: Resampler) -> Figure:
    """P(longer wins) by the judge less by people, over pairs of unequal length where both name a winner."""
    both = (said != NONE) & (said != TIE) & (truth != NONE) & (truth != TIE) & (gap != 0)
    longer = gap[both] > 0
    excess = ((said[both] == A) == longer).astype(float) - ((truth[both] == A) == longer)
    rows = np.column_stack([excess, np.ones(len(excess))])
    return draws.figure(
        rows, groups[both], average, none="no pair of unequal length has a winner by the judge and by people"
    )


def length_bias(said: Ints, truth: Ints, gap: Floats, groups: Ints, draws: Resampler) -> Figure:
    """The weight of length in the judge's verdict at equal human label, in log-odds.

    logit P(judge names a) = x human + y tanh(gap / s), with human 1, -1 or 0 for a, b and a tie, and s the root mean square of the
    gaps; no intercept, so that it does not matter which response is called a. After the length control of
    Dubois et al. (2024).
    """
    known = (said != NONE) & (said != TIE) & (truth != NONE)
    if not known.any():
        return unknown("no pair has a winner by the judge and a label of people")
    scale = float(np.sqrt(np.mean(gap[known] ** 2)))
    if scale == 0.0:
        return unknown("all pairs are of equal length", int(known.sum()))
    human = np.where(truth[known] == A, 1.0, np.where(truth[known] == B, -1.0, 0.0))
    inputs = np.column_stack([human, np.tanh(gap[known] / scale)])
    named_a = (said[known] == A).astype(float)
    count = len(named_a)
    if np.linalg.matrix_rank(inputs) < inputs.shape[1]:
        return unknown("length and the labels of people say the same thing", count)
    found = _fit(inputs, named_a)
    if found is None:
        return unknown("the judge's verdicts follow from the labels or the lengths without exception", count)
    rows, statistic = one_step(inputs, named_a, found)
    return draws.figure(rows, groups[known], statistic, none="")


def one_step(inputs: Floats, outcomes: Floats, found: Floats) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Rows and statistic by which a logistic fit is resampled: one Newton step from the fit on all rows, with the scores and
    curvatures of a replicate (the one-step bootstrap of M-estimators; Shao and Tu 1995). Gives the second coefficient.
    """
    width = inputs.shape[1]
    p = 1.0 / (1.0 + np.exp(-(inputs @ found)))
    curves = (p * (1.0 - p))[:, None] * (inputs[:, :, None] * inputs[:, None, :]).reshape(len(inputs), -1)
    rows = np.column_stack([(outcomes - p)[:, None] * inputs, curves])

    def statistic(sums: Floats) -> Floats:
        curve = sums[..., width:].reshape(*sums.shape[:-1], width, width)
        step = np.linalg.solve(curve + 1e-12 * np.eye(width), sums[..., :width, None])[..., 0]
        return np.asarray(found[1] + step[..., 1])

    return rows, statistic


def _fit(inputs: Floats, outcomes: Floats) -> Floats | None:
    """The coefficients; None where there are none that are finite, as when the outcomes follow without exception."""
    import warnings

    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = Logit(outcomes, inputs).fit(disp=0, maxiter=100)
        except (PerfectSeparationError, np.linalg.LinAlgError):
            return None
    found = np.asarray(fit.params, dtype=np.float64)
    settled = bool(fit.mle_retvals["converged"]) and np.isfinite(found).all() and np.abs(found).max() < _LARGEST
    return found if settled else None
