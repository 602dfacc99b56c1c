"""From anchors and a judge's probabilities to a fit with honest figures. Knows no run and no file.

With `SPLIT_FROM` labelled prompts or more, prompts on the test side of the split only score: `before` and `after` are theirs.
With fewer, all are fitted on, and both figures are of nested cross-validation (`judges.calibration.choice`).

Which response is called a follows from ids, and every fit is symmetric: anchors in which a always wins are no special case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from judges.anchors import SPLIT_FROM, Anchor, Side, Split
from judges.calibration.choice import Candidate, Rows, agreement, choose
from judges.calibration.fitting import LEAST_ANCHORS, Interval, applied, fit_slope, slope_interval
from judges.calibration.maps import Map
from judges.calibration.scores import Point, Scores, reliability, scores
from tenet.errors import UsageError
from tenet.ids import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CROSS: Final = "cross-validated"
HELD: Final = "held-out prompts"


@dataclass(frozen=True)
class Fitted:
    """A fit and its figures.

    `scored` says what `before`, `after` and the curves are of: `scored_anchors` rows that were not fitted on. `slope` is that of the
    fitted rows with its 95 % interval, whatever the chosen `fit` is. `agreement` is the share of all anchors on which judge and people
    both name a winner, and the same one; None where there are none.
    """

    column: str
    fit: Map
    slope: Interval
    scored: str
    anchors: int
    prompts: int
    fitted_anchors: int
    scored_anchors: int
    before: Scores
    after: Scores
    curve_before: tuple[Point, ...]
    curve_after: tuple[Point, ...]
    candidates: tuple[Candidate, ...]
    agreement: float | None

    def as_json(self) -> dict[str, Json]:
        """For `calibration.json` and `--json`."""
        return {
            "way": self.column,
            **self.fit.as_json(),
            "slope_interval": {
                "value": self.slope.value,
                "low": self.slope.low,
                "high": self.slope.high if math.isfinite(self.slope.high) else None,
            },
            "scored": self.scored,
            "anchors": self.anchors,
            "prompts": self.prompts,
            "fitted_anchors": self.fitted_anchors,
            "scored_anchors": self.scored_anchors,
            "agreement": self.agreement,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "candidates": [{"way": one.column, "map": one.map, "log_loss": one.log_loss} for one in self.candidates],
            "curve_before": _curve(self.curve_before),
            "curve_after": _curve(self.curve_after),
        }


def _curve(points: Sequence[Point]) -> list[Json]:
    return [{"said": one.said, "found": one.found, "share": one.share} for one in points]


def rows_of(anchors: Sequence[Anchor], columns: Mapping[str, Sequence[float]]) -> Rows:
    """Anchors and probabilities of a in the same order, as arrays."""
    import numpy as np

    return Rows(
        {name: np.asarray(p, dtype=np.float64) for name, p in columns.items()},
        np.array([one.share for one in anchors], dtype=np.float64),
        np.array([one.weight for one in anchors], dtype=np.float64),
        [one.prompt_id for one in anchors],
    )


def fit_judge(anchors: Sequence[Anchor], columns: Mapping[str, Sequence[float]], split: Split | None = None) -> Fitted:
    """Choose and fit on anchors; `columns` are the judge's P(a is better) by way of asking, one value an anchor.

    Raises:
        UsageError: too few anchors or prompts, only ties, or a judge that names no winner anywhere.
    """
    import numpy as np

    if not anchors:
        raise UsageError(
            "there is no anchor: no label of a person is about a judged pair of this run",
            hint="label pairs of the run, on the page or in a file: tenet labels page RUN; tenet labels import FILE --to RUN",
        )
    rows, rule = rows_of(anchors, columns), split or Split()
    testing = np.array([rule.side(one) is Side.TEST for one in rows.prompts])
    held = len(set(rows.prompts)) >= SPLIT_FROM and int(testing.sum()) >= LEAST_ANCHORS
    fitted = rows.where(~testing) if held else rows
    chosen = choose(fitted)
    own = fitted.columns[chosen.column]
    slope = slope_interval(fit_slope(own, fitted.y, fitted.weight), own, fitted.y, fitted.weight, fitted.numbers)
    scored = rows.where(testing) if held else rows
    raw = scored.columns[chosen.column]
    after = applied(chosen.fit, raw) if held else chosen.said
    return Fitted(
        column=chosen.column,
        fit=chosen.fit,
        slope=slope,
        scored=HELD if held else CROSS,
        anchors=len(rows),
        prompts=len(set(rows.prompts)),
        fitted_anchors=len(fitted),
        scored_anchors=len(scored),
        before=scores(raw, scored.y, scored.weight),
        after=scores(after, scored.y, scored.weight),
        curve_before=reliability(raw, scored.y, scored.weight),
        curve_after=reliability(after, scored.y, scored.weight),
        candidates=chosen.candidates,
        agreement=agreement(rows.columns[chosen.column], rows.y, rows.weight),
    )
