"""Chooses how a judge is best heard: which way of asking it and which map agree best with people, by nested cross-validation.

A way of asking is a column of probabilities of the same pairs (pairwise, critique first, a rating): any number of them,
by name. In each outer fold an inner cross-validation over the other prompts chooses column and map by log loss, that
choice is fitted on these prompts, and scored on the fold. The outer score is therefore of the whole procedure, choosing
included (Varma and Simon 2006), and the final choice is made by the same rule on all anchors. A shape that is free is taken only
where it is better than the best slope by more than one standard error of the difference (Breiman et al. 1984). Folds are groups of prompts,
drawn by a hash of their ids, so pairs of one prompt are never on both sides. Knows arrays, no files and no judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from judges.calibration.fitting import FITS, applied, log_odds, maps_for, require_fit
from judges.calibration.maps import Map
from judges.calibration.scores import Scores, log_losses, scores
from tenet.errors import UsageError
from tenet.ids import unit_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

FOLDS: Final = 5
_BETTER: Final = 1e-9
"""Of candidates with the same map, a later one is taken only where its loss is lower by more than this."""


@dataclass(frozen=True)
class Rows:
    """Anchors as arrays [rows]: the share of people for a, the weight, the prompts' ids, and the judge's P(a is better) by column."""

    columns: Mapping[str, Floats]
    y: Floats
    weight: Floats
    prompts: Sequence[str]

    def __len__(self) -> int:
        return len(self.y)

    def where(self, chosen: NDArray[np.bool_]) -> Rows:
        """The rows that a mask names."""
        columns = {name: p[chosen] for name, p in self.columns.items()}
        prompts = [one for one, keep in zip(self.prompts, chosen, strict=True) if keep]
        return Rows(columns, self.y[chosen], self.weight[chosen], prompts)

    @cached_property
    def numbers(self) -> Ints:
        """A number for each row's prompt."""
        import numpy as np

        found: Ints = np.unique(np.asarray(self.prompts, dtype=str), return_inverse=True)[1]
        return found

    def fitted(self, one: Candidate) -> Map:
        """A candidate's map, fitted on all rows."""
        return FITS[one.map](self.columns[one.column], self.y, self.weight, self.numbers)


@dataclass(frozen=True)
class Candidate:
    """A column and a map, with the cross-validated log loss of the two."""

    column: str
    map: str
    log_loss: float


@dataclass(frozen=True)
class Chosen:
    """What was chosen and fitted on all rows, every candidate, and scores of rows not fitted on.

    `before` scores `column` as the judge gave it, `after` the whole procedure; `said` are the cross-validated probabilities [rows].
    """

    column: str
    fit: Map
    candidates: tuple[Candidate, ...]
    before: Scores
    after: Scores
    said: Floats


def choose(rows: Rows, *, folds: int = FOLDS, salt: str = "folds") -> Chosen:
    """Choose among all columns and maps; see the module.

    Raises:
        UsageError: nothing to fit (`judges.calibration.fitting.require_fit`), fewer prompts than folds, or no column.
    """
    if not rows.columns:
        raise UsageError("there are no probabilities to calibrate")
    for p in rows.columns.values():
        require_fit(p, rows.y)
    place = folds_of(rows.prompts, folds, salt)
    said = _nested(rows, place, folds, salt)
    tried = _tried(rows, place, folds)
    best = _best(tried, rows)
    fit = rows.fitted(best)
    before = scores(rows.columns[best.column], rows.y, rows.weight)
    return Chosen(best.column, fit, tuple(tried), before, scores(said, rows.y, rows.weight), said)


def folds_of(prompts: Sequence[str], folds: int, salt: str) -> Ints:
    """The fold of each row: prompts in the order of a hash of their ids, dealt out in turn, so that folds are of equal size.

    Raises:
        UsageError: there are fewer prompts than folds.
    """
    import numpy as np

    order = sorted(set(prompts), key=lambda one: (unit_interval(salt, one), one))
    if len(order) < folds:
        raise UsageError(
            f"the anchors are of {len(order)} prompts; at least {folds} are needed to score a fit on prompts that it has not seen",
            hint="label pairs of more prompts",
        )
    number = {prompt: place % folds for place, prompt in enumerate(order)}
    return np.array([number[one] for one in prompts], dtype=np.int64)


def _nested(rows: Rows, place: Ints, folds: int, salt: str) -> Floats:
    """The probabilities of each fold by what is chosen and fitted on the others."""
    import numpy as np

    said = np.full(len(rows), np.nan)
    for fold in range(folds):
        seen = rows.where(place != fold)
        inner = min(folds, len(set(seen.prompts)))
        best = _best(_tried(seen, folds_of(seen.prompts, inner, f"{salt} within {fold}"), inner), seen)
        said[place == fold] = applied(seen.fitted(best), rows.columns[best.column][place == fold])
    return said


def _tried(rows: Rows, place: Ints, folds: int) -> dict[Candidate, Floats]:
    """Every column with every map that the smallest training part can fit, with the log losses [rows] on the parts left out."""
    import numpy as np

    smallest = min(int((place != fold).sum()) for fold in range(folds))
    names = maps_for(smallest) or tuple(FITS)[:1]
    found: dict[Candidate, Floats] = {}
    for column, p in rows.columns.items():
        for name in names:
            losses = np.empty(len(rows))
            for fold in range(folds):
                seen, held = place != fold, place == fold
                fit = FITS[name](p[seen], rows.y[seen], rows.weight[seen], rows.numbers[seen])
                losses[held] = log_losses(applied(fit, p[held]), rows.y[held])
            found[Candidate(column, name, float(np.average(losses, weights=rows.weight)))] = losses
    return found


def _best(tried: Mapping[Candidate, Floats], rows: Rows) -> Candidate:
    """The one of the lowest log loss among those with the simplest map, unless another map is better beyond one standard error."""
    by_map: dict[str, Candidate] = {}
    for one in tried:
        if one.map not in by_map or one.log_loss < by_map[one.map].log_loss - _BETTER:
            by_map[one.map] = one
    best, *freer = by_map.values()
    for one in freer:
        gain, error = _gain(tried[best] - tried[one], rows)
        if gain > error:
            best = one
    return best


def _gain(differences: Floats, rows: Rows) -> tuple[float, float]:
    """The weighted mean of differences [rows] and its standard error, with prompts as clusters."""
    import numpy as np

    total = float(rows.weight.sum())
    mean = float((rows.weight * differences).sum()) / total
    sums = np.bincount(rows.numbers, rows.weight * (differences - mean))
    return mean, float(np.sqrt((sums**2).sum() * len(sums) / max(1, len(sums) - 1))) / total


def agreement(p: Floats, y: Floats, weight: Floats) -> float | None:
    """The share of rows on which judge and people both name a winner, and the same; None where they never both do."""
    import numpy as np

    both = (np.abs(log_odds(p)) > 0) & (y != 0.5)
    if not both.any() or weight[both].sum() <= 0:
        return None
    return float(np.average((p[both] > 0.5) == (y[both] > 0.5), weights=weight[both]))
