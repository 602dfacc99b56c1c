"""Scores of probabilities against labels, all symmetric in the two responses: log loss, Brier score, calibration error, curve.

Plain numpy on arrays [rows]: `p` is P(a is better), `y` the label for a in [0, 1] (soft where people differ or tie; an even
label is 0.5), `weight` of any scale. Knows no judge. The log loss of soft labels is the cross-entropy, whose least value is
their own entropy and not 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenet.ids import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS: Final = 10
_LEAST: Final = 1e-12
"""Probabilities are kept this far from 0 and 1 in the log loss, which else a single certain mistake makes infinite."""


@dataclass(frozen=True)
class Scores:
    """How well probabilities fit labels; all three are better when lower."""

    log_loss: float
    brier: float
    ece: float

    def as_json(self) -> dict[str, Json]:
        """For files and `--json`."""
        return {"log_loss": self.log_loss, "brier": self.brier, "ece": self.ece}


def scores(p: Floats, y: Floats, weight: Floats) -> Scores:
    """All scores of one or more rows."""
    import numpy as np

    return Scores(
        float(np.average(log_losses(p, y), weights=weight)),
        float(np.average((p - y) ** 2, weights=weight)),
        expected_calibration_error(p, y, weight),
    )


def log_losses(p: Floats, y: Floats) -> Floats:
    """The cross-entropy of each row, in nats."""
    import numpy as np

    q = np.clip(p, _LEAST, 1.0 - _LEAST)
    losses: Floats = -(y * np.log(q) + (1.0 - y) * np.log1p(-q))
    return losses


def expected_calibration_error(p: Floats, y: Floats, weight: Floats, bins: int = BINS) -> float:
    """Mean distance between probability and label over bins of equal mass (Naeini et al. 2015, with soft labels).

    Every row enters in both orders, as (p, y) and (1 - p, 1 - y): which response is called a is arbitrary, and rows stored
    with the better response first would make a judge that is right nine times in ten and says 0.9 seem mistaken.

    Args:
        p: (rows,) the probabilities.
        y: (rows,) the labels.
        weight: (rows,) of any scale, with a positive sum.
        bins: how many bins; fewer where there are fewer rows.
    """
    import numpy as np

    bin_mass, surplus, _ = _binned(p, y, weight, bins)
    return float(np.abs(surplus).sum() / bin_mass.sum())


@dataclass(frozen=True)
class Point:
    """One bin of a reliability curve: mean probability, mean label, its share of all rows."""

    said: float
    found: float
    share: float


def reliability(p: Floats, y: Floats, weight: Floats, bins: int = BINS) -> tuple[Point, ...]:
    """The reliability curve over bins of equal mass, every row in both orders; calibrated means `said` = `found`."""
    mass, surplus, said = _binned(p, y, weight, bins)
    return tuple(
        Point(float(s / m), float((s - d) / m), float(m / mass.sum()))
        for m, d, s in zip(mass, surplus, said, strict=True)
        if m > 0
    )


def _binned(p: Floats, y: Floats, weight: Floats, bins: int) -> tuple[Floats, Floats, Floats]:
    """Mass, mass times (probability less label) and mass times probability of each bin; rows of one p stay in one bin."""
    import numpy as np

    both = np.round(np.concatenate([p, 1.0 - p]), 12)  # so that 1 - 0.8 and 0.2 are one probability
    labels, weights = np.concatenate([y, 1.0 - y]), np.concatenate([weight, weight])
    values, group = np.unique(both, return_inverse=True)
    mass = np.bincount(group, weights).astype(np.float64)
    surplus = values * mass - np.bincount(group, labels * weights)
    place = (np.cumsum(mass) - mass / 2) / mass.sum()
    index = np.minimum((place * bins).astype(int), bins - 1)
    sums: list[Floats] = [np.bincount(index, one).astype(np.float64) for one in (mass, surplus, values * mass)]
    return sums[0], sums[1], sums[2]
