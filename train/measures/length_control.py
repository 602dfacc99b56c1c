"""The win rate that a model would have if both answered at equal length. Knows probabilities and lengths, no text and no judge.

After the length-controlled win rate of AlpacaEval (Dubois, Galambosi, Liang and Hashimoto 2024, arXiv:2404.04475). Their model is

    logit P(trained preferred on x) = theta + phi tanh(gap_x / s) + psi gamma_x

with gap_x the difference of the two lengths, s the standard deviation of the gaps, and gamma_x the difficulty of the prompt. The
length-controlled win rate is what the model says with the gap set to 0. gamma_x is estimated there from many models; here are two, so
the term is left out and the rate is s(theta), s the logistic function. The labels are the judge's probabilities themselves. The
interval is Wald's on the scale of theta, with standard errors clustered by prompt. The length term is a correlation and not a cause:
where longer answers are also better ones, the control takes some of what was earned.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenet.ids import Json
from tenet.intervals import Z
from train.intervals import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_PROMPTS: Final = 20
_LARGEST: Final = 15.0
_LEAST_P: Final = 1e-6


@dataclass(frozen=True)
class LengthControlled:
    """A win rate at equal length: `rate` is None where it cannot be told, and `reason` says why.

    `phi` is the weight of length in log-odds: at a difference of one standard deviation it moves the verdict by 0.76 `phi`.
    """

    rate: Estimate | None
    phi: Estimate | None
    reason: str = ""

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "win_rate": None if self.rate is None else self.rate.as_json(),
            "phi": None if self.phi is None else self.phi.as_json(),
            "reason": self.reason,
        }


def length_controlled(p: Sequence[float], gaps: Sequence[float], prompts: Sequence[Hashable]) -> LengthControlled:
    """Fit the model and read it off at equal length.

    Args:
        p: (duels,) P(the trained model's response is better), by the judge.
        gaps: (duels,) the length of the trained model's response less that of the base's, in any unit.
        prompts: (duels,) which prompt each belongs to.
    """
    import numpy as np

    count = len(set(prompts))
    if count < LEAST_PROMPTS:
        return LengthControlled(None, None, f"{count} judged prompts are too few; {LEAST_PROMPTS} are the least")
    gap = np.asarray(gaps, dtype=np.float64)
    spread = float(gap.std())
    if spread == 0.0:
        return LengthControlled(
            None, None, "all pairs differ by the same length, so length cannot be told from quality"
        )
    inputs = np.column_stack([np.ones(len(gap)), np.tanh(gap / spread)])
    found = _fit(np.clip(np.asarray(p, dtype=np.float64), _LEAST_P, 1.0 - _LEAST_P), inputs, prompts)
    if found is None:
        return LengthControlled(None, None, "the verdicts follow from the lengths without exception")
    (theta, phi), (error, phi_error) = found
    low, high = theta - Z * error, theta + Z * error
    rate = Estimate(_logistic(theta), _logistic(low), _logistic(high), count)
    return LengthControlled(rate, Estimate(phi, phi - Z * phi_error, phi + Z * phi_error, count))


def _fit(
    p: Floats, inputs: Floats, prompts: Sequence[Hashable]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Coefficients and their standard errors, clustered by prompt; None where they run off or are not determined."""
    import warnings

    import numpy as np
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    numbers = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
    groups = np.array([numbers[prompt] for prompt in prompts])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fractional labels, and separation, which is looked for below
        try:
            fit = sm.GLM(p, inputs, family=sm.families.Binomial()).fit(cov_type="cluster", cov_kwds={"groups": groups})
        except (PerfectSeparationError, np.linalg.LinAlgError):
            return None
    found, errors = np.asarray(fit.params), np.asarray(fit.bse)
    if not (np.isfinite(found).all() and np.isfinite(errors).all()) or np.abs(found).max() > _LARGEST:
        return None
    return (float(found[0]), float(found[1])), (float(errors[0]), float(errors[1]))


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))
