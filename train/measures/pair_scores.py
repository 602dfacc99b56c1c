"""How well the gaps of a reward model fit labels of pairs, beside a baseline that sees only lengths. Knows numbers, no text and no model.

Accuracy leaves out pairs whose label is even; log loss and calibration error read the label as a probability. The baseline is a
logistic regression of the label on tanh(d / s), d the difference in words and s its root mean square, without intercept, fitted on four
fifths of the prompts and read on the rest, five times over: what length alone says of these very pairs. Intervals are by prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from judges.calibration.scores import expected_calibration_error
from tenet.ids import Json, unit_interval
from train.intervals import Estimate, ratio, share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOLDS: Final = 5
LEAST_PROMPTS: Final = 25
ECE_RESAMPLES: Final = 300
_RIDGE: Final = 0.01


@dataclass(frozen=True)
class Scored:
    """One pair with its label, the model's gap (log-odds that chosen is better) and the difference of lengths in words."""

    prompt: str
    p: float
    weight: float
    gap: float
    words: float
    groups: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Fit:
    """How well gaps fit labels; `accuracy` is None where every label is even."""

    accuracy: Estimate | None
    log_loss: Estimate
    ece: Estimate

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        accuracy = None if self.accuracy is None else self.accuracy.as_json()
        return {"accuracy": accuracy, "log_loss": self.log_loss.as_json(), "ece": self.ece.as_json()}


@dataclass(frozen=True)
class Row:
    """The pairs of one group: the model, the length-only baseline (None with too few prompts), and how far accuracy is apart."""

    column: str
    name: str
    pairs: int
    model: Fit
    length: Fit | None
    ahead: Estimate | None

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "column": self.column, "name": self.name, "pairs": self.pairs, "model": self.model.as_json(),
            "length_only": None if self.length is None else self.length.as_json(),
            "ahead": None if self.ahead is None else self.ahead.as_json(),
        }  # fmt: skip


def length_only(scored: Sequence[Scored]) -> list[float] | None:
    """The gaps of the length-only baseline, each by a fit on other prompts; None with too few prompts."""
    import numpy as np

    if len({one.prompt for one in scored}) < LEAST_PROMPTS:
        return None
    words = np.array([one.words for one in scored])
    scale = float(np.sqrt(np.mean(words**2))) or 1.0
    x = np.tanh(words / scale)
    p, weight = (np.array([getattr(one, key) for one in scored]) for key in ("p", "weight"))
    fold = np.array([int(FOLDS * unit_interval("length fold", one.prompt)) for one in scored])
    gaps = np.zeros(len(scored))
    for number in range(FOLDS):
        others = fold != number
        gaps[~others] = _slope(x[others], p[others], weight[others]) * x[~others]
    return [float(gap) for gap in gaps]


def _slope(x: Floats, p: Floats, weight: Floats) -> float:
    """The coefficient of a logistic regression without intercept on labels in [0, 1]; 0 where length never differs.

    A weak ridge keeps it finite where length says everything.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    if not x.any():
        return 0.0

    def loss(b: float) -> float:
        return float((weight * (np.logaddexp(0.0, -b * x) + (1.0 - p) * b * x)).sum() + 0.5 * _RIDGE * b * b)

    return float(minimize_scalar(loss, bounds=(-50.0, 50.0), method="bounded").x)


def fit_of(gaps: Sequence[float], scored: Sequence[Scored], seed: int) -> Fit:
    """Score gaps against labels, with intervals by prompt."""
    import numpy as np

    prompts = [one.prompt for one in scored]
    d, p, weight = _arrays(gaps, scored)
    losses = np.logaddexp(0.0, -d) + (1.0 - p) * d
    return Fit(
        _accuracy(gaps, scored, seed), ratio(list(losses * weight), list(weight), prompts, seed=seed),
        _ece(gaps, scored, seed),
    )  # fmt: skip


def _accuracy(gaps: Sequence[float], scored: Sequence[Scored], seed: int) -> Estimate | None:
    told = [(_right(gap, one), one) for gap, one in zip(gaps, scored, strict=True) if one.p != 0.5]
    if not told:
        return None
    right, prompts, weights = [r for r, _ in told], [one.prompt for _, one in told], [one.weight for _, one in told]
    if len(set(weights)) == 1:
        return share(right, prompts)
    return ratio([r * w for r, w in zip(right, weights, strict=True)], weights, prompts, seed=seed)


def _right(gap: float, one: Scored) -> float:
    return 0.5 if gap == 0 else float((gap > 0) == (one.p > 0.5))


def _ece(gaps: Sequence[float], scored: Sequence[Scored], seed: int) -> Estimate:
    """Calibration error with a percentile bootstrap over prompts (a resample's error is larger on average than the sample's own)."""
    import numpy as np

    d, p, weight = _arrays(gaps, scored)
    said = np.exp(-np.logaddexp(0.0, -d))
    names = {prompt: place for place, prompt in enumerate(dict.fromkeys(one.prompt for one in scored))}
    places = np.array([names[one.prompt] for one in scored])
    value = expected_calibration_error(said, p, weight)
    draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), ECE_RESAMPLES)
    resampled = []
    for times in draws:
        drawn = weight * times[places]
        kept = drawn > 0
        resampled.append(expected_calibration_error(said[kept], p[kept], drawn[kept]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(value, min(value, float(low)), max(value, float(high)), len(names))


def row_of(column: str, name: str, scored: Sequence[Scored], base: Sequence[float] | None, seed: int) -> Row:
    """Measure one group of pairs; `base` are the baseline's gaps, None where there is no baseline."""
    gaps = [one.gap for one in scored]
    ahead = None
    if base is not None:
        told = [
            (one, _right(gap, one) - _right(other, one))
            for one, gap, other in zip(scored, gaps, base, strict=True)
            if one.p != 0.5
        ]
        if told:
            weights = [one.weight for one, _ in told]
            won = [gain * weight for (_, gain), weight in zip(told, weights, strict=True)]
            ahead = ratio(won, weights, [one.prompt for one, _ in told], seed=seed)
    length = None if base is None else fit_of(base, scored, seed)
    return Row(column, name, len(scored), fit_of(gaps, scored, seed), length, ahead)


def _arrays(gaps: Sequence[float], scored: Sequence[Scored]) -> tuple[Floats, Floats, Floats]:
    """Gaps, labels and weights."""
    import numpy as np

    columns = (gaps, [one.p for one in scored], [one.weight for one in scored])
    d, p, weight = (np.array(column, dtype=np.float64) for column in columns)
    return d, p, weight
