"""Fits calibration maps to labels by weighted maximum likelihood. Knows arrays; neither judges nor files.

Arrays are [rows]: `p` is P(a is better) by the judge, `y` the share of people for a (a tie counts half), `weight` of any
scale, `prompt` a number for each row's prompt, whose rows are not independent.

The likelihood is the cross-entropy of `y`, so that rows where people differ or tie pull towards 0.5. Targets are drawn in
as Platt (1999) does, t = y + (1 - 2y) / (n + 2): a judge without a mistake on n anchors still gets a finite slope, and no
probability is nearer to 0 or 1 than 1 / (n + 2). A slope is never below 0: a judge that people contradict is made silent
(0.5 everywhere), not turned round.

What is applied is not the likeliest slope but the careful one: of all slopes that the anchors cannot tell from it at 99 %, the nearest to
1, which leaves p as it is. So a judge that is calibrated stays as it was, and one that is not moves as far as the anchors show it must;
one that people contradict beyond 99 % falls silent.
The region is that of the likelihood ratio, which does not depend on how a slope is written (as a factor or a temperature), divided by
the ratio of the variance of the score, with prompts as clusters, to the curvature (Chandler and Bate 2007).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from judges.calibration.maps import REACH, Isotonic, Map, Slope
from tenet.errors import UsageError
from tenet.intervals import Z

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEAST_ANCHORS: Final = 20
"""Fewer anchors fit nothing."""
LEAST_ISOTONIC: Final = 200
"""Anchors from which a free shape may be fitted."""
STEEPEST: Final = 1000.0
"""No slope above: log-odds of 0.01 become certain."""
CAREFUL: Final = 2.5758293035489004
"""Standard normal quantile of the careful slope's two-sided 99 %."""
_SAME: Final = 1e-9


@dataclass(frozen=True)
class Interval:
    """A slope with its 95 % interval."""

    value: float
    low: float
    high: float


def require_fit(p: Floats, y: Floats) -> None:
    """Make sure that there is something to fit.

    Raises:
        UsageError: fewer than `LEAST_ANCHORS` anchors; probabilities or labels that are no numbers in [0, 1]; people who tie on
            every pair; or a judge that says 0.5 of every pair.
    """
    import numpy as np

    if len(p) < LEAST_ANCHORS:
        count = f"{len(p):,} anchors" if len(p) != 1 else "1 anchor"
        raise UsageError(
            f"{count} cannot calibrate a judge; at least {LEAST_ANCHORS} are needed",
            hint="label more pairs of the run, on the page or in a file: tenet labels page RUN; tenet labels import FILE --to RUN",
        )
    if not (np.isfinite(p).all() and np.isfinite(y).all() and ((p >= 0) & (p <= 1) & (y >= 0) & (y <= 1)).all()):
        raise UsageError("a probability or a label is no number from 0 to 1")
    if (np.abs(y - 0.5) < _SAME).all():
        raise UsageError(
            "people tie on every anchor, which calibrates nothing", hint="label pairs in which one response is better"
        )
    if (np.abs(p - 0.5) < _SAME).all():
        raise UsageError(
            "the judge says 0.5 of every anchor, which no fit can mend", hint="look at it with: tenet report RUN"
        )


def log_odds(p: Floats) -> Floats:
    """Natural log-odds, clipped to +-`judges.calibration.maps.REACH`."""
    import numpy as np

    with np.errstate(divide="ignore"):
        odds: Floats = np.clip(np.log(p) - np.log1p(-p), -REACH, REACH)
    return odds


def drawn_in(y: Floats) -> Floats:
    """Platt's targets; see the module."""
    return y + (1.0 - 2.0 * y) / (len(y) + 2.0)


def fit_slope(p: Floats, y: Floats, weight: Floats) -> Slope:
    """The slope b >= 0 with the greatest likelihood of sigmoid(b x logit p): the root of a decreasing function, found by Brent's method."""
    from scipy.optimize import brentq

    x, t = log_odds(p), drawn_in(y)

    def score(slope: float) -> float:
        return float((weight * x * (t - _sigmoid(slope * x))).sum())

    if score(0.0) <= 0.0:
        return Slope(0.0)
    if score(STEEPEST) >= 0.0:
        return Slope(STEEPEST)
    return Slope(float(brentq(score, 0.0, STEEPEST, xtol=1e-10)))


def careful_slope(p: Floats, y: Floats, weight: Floats, prompt: Ints) -> Slope:
    """The slope nearest to 1 that the anchors do not rule out at 99 %; see the module. `prompt` numbers the rows' prompts."""
    import numpy as np
    from scipy.optimize import brentq

    likeliest = fit_slope(p, y, weight)
    x, t = log_odds(p), drawn_in(y)
    if likeliest.slope == 0.0 and _contradicted(x, t, weight, prompt):
        return likeliest

    def loss(slope: float) -> float:
        return float((weight * (np.logaddexp(0.0, slope * x) - t * slope * x)).sum())

    worst = loss(likeliest.slope) + CAREFUL**2 / 2.0 * _inflation(likeliest, x, t, weight, prompt)
    if loss(1.0) <= worst:
        return Slope(1.0)
    low, high = sorted((likeliest.slope, 1.0))
    return Slope(float(brentq(lambda slope: loss(slope) - worst, low, high, xtol=1e-10)))


def _contradicted(x: Floats, t: Floats, weight: Floats, prompt: Ints) -> bool:
    """Whether people contradict a judge so often that not even silence is what the anchors point to."""
    variance, _ = _score(Slope(0.0), x, t, weight, prompt)
    return float((weight * x * (t - 0.5)).sum()) < -CAREFUL * math.sqrt(variance)


def _inflation(fit: Slope, x: Floats, t: Floats, weight: Floats, prompt: Ints) -> float:
    """Variance of the score over curvature, at a fit: 1 for independent votes of weight 1; that of the weights where it is flat."""
    variance, curvature = _score(fit, x, t, weight, prompt)
    if fit.slope >= STEEPEST or curvature <= 0.0 or variance <= 0.0:
        return float((weight**2).sum() / weight.sum())
    return variance / curvature


def _score(fit: Slope, x: Floats, t: Floats, weight: Floats, prompt: Ints) -> tuple[float, float]:
    """The variance of the score of a slope with prompts as clusters, and the curvature of its log-likelihood."""
    import numpy as np

    q = _sigmoid(fit.slope * x)
    pulls = np.bincount(np.unique(prompt, return_inverse=True)[1], weight * x * (t - q))
    groups = len(pulls)
    return float((pulls**2).sum()) * groups / max(1, groups - 1), float((weight * x * x * q * (1.0 - q)).sum())


def slope_interval(fit: Slope, p: Floats, y: Floats, weight: Floats, prompt: Ints) -> Interval:
    """The slope's 95 % interval by the sandwich variance with prompts as clusters (Liang and Zeger 1986); its low end is at least 0.

    It is unbounded where the fit is at its own bound (`STEEPEST`), and starts at 0 where the slope is 0.
    """
    variance, curvature = _score(fit, log_odds(p), drawn_in(y), weight, prompt)
    if fit.slope >= STEEPEST or curvature <= 0:
        return Interval(fit.slope, 0.0, math.inf)
    reach = Z * math.sqrt(variance) / curvature
    return Interval(fit.slope, max(0.0, fit.slope - reach), fit.slope + reach)


def fit_isotonic(p: Floats, y: Floats, weight: Floats) -> Isotonic:
    """The increasing map with the greatest likelihood on rows and mirrored rows, made exactly symmetric.

    Raises:
        UsageError: fewer than `LEAST_ISOTONIC` rows.
    """
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    if len(p) < LEAST_ISOTONIC:
        raise UsageError(f"an isotonic map needs {LEAST_ISOTONIC} anchors, not {len(p)}", hint="fit a slope")
    t = drawn_in(y)
    both = np.round(np.concatenate([p, 1.0 - p]), 12)
    model = IsotonicRegression(out_of_bounds="clip")
    model.fit(both, np.concatenate([t, 1.0 - t]), sample_weight=np.concatenate([weight, weight]))
    reach = np.unique(np.round(np.abs(model.X_thresholds_ - 0.5), 12))
    reach = np.unique(np.concatenate([[0.0], reach]))
    height = (
        model.predict(0.5 + reach) - model.predict(0.5 - reach)
    ) / 2.0  # the mean of g(p) and 1 - g(1 - p), less 1/2
    height = np.maximum.accumulate(np.maximum(height, 0.0))
    height[0] = 0.0
    return Isotonic(tuple(reach.tolist()), tuple(height.tolist()))


FITS: Final[Mapping[str, Callable[[Floats, Floats, Floats, Ints], Map]]] = {
    Slope.name: careful_slope,
    Isotonic.name: lambda p, y, weight, _: fit_isotonic(p, y, weight),
}
"""The maps that may be chosen, the simplest first; each with its fit to p, y, weights and prompts."""
_LEAST: Final = {Slope.name: LEAST_ANCHORS, Isotonic.name: LEAST_ISOTONIC}


def maps_for(rows: int) -> tuple[str, ...]:
    """The names of the maps that so many anchors can fit."""
    return tuple(name for name in FITS if rows >= _LEAST[name])


def applied(fit: Map, p: Floats) -> Floats:
    """A map's values on an array."""
    import numpy as np

    return np.array([fit(float(one)) for one in p], dtype=np.float64)


def _sigmoid(x: Floats) -> Floats:
    import numpy as np

    result: Floats = np.exp(-np.logaddexp(0.0, -x))
    return result
