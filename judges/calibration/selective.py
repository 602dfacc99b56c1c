"""Finds the confidence from which a judge agrees with people as often as stated; what falls short is for people.

A judge's confidence in a pair is max(p, 1 - p) as the judge gave it: maps are increasing and change no order, so thresholds
owe nothing to a fit and every anchor may test them. It agrees where its winner is that of the majority of people; a tie of
either is no agreement.

Thresholds are tested in a fixed sequence, from the strictest to the most lenient, each for the hypothesis that agreement
above it is below what was stated, by an exact binomial test at 1 - confidence; the first that is not rejected ends it, and
the last rejected one holds (Bauer 1991). So the chance that the agreement of what is accepted is truly below the stated one
is at most 1 - confidence, with no correction for trying many (used for judges by Jung et al. 2024, "Trust or Escalate").
The sequence follows from the confidences alone and never from who agreed. It begins where enough anchors lie above for a
test to succeed with a few disagreements among them.

The unit is the prompt, since pairs of one prompt are not independent, and unequal weights (the inverse chance of being drawn
for labelling) make fewer units of them: the test takes the effective number (Kish 1965; exact intervals with it: Korn and
Graubard 1998). With one anchor a prompt and equal weights this is the binomial test itself. Knows arrays and no files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenet.errors import UsageError
from tenet.ids import Json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS: Final = 20
"""Most thresholds that are tested."""
ROOM: Final = 3
"""The first threshold has so many times the anchors above it that a test without any disagreement needs."""
_SAME: Final = 1e-9


@dataclass(frozen=True)
class Rule:
    """What to accept of a judge, and what the anchors say of that.

    `threshold` is the least confidence that is accepted, None where nothing can be. `coverage` is the share of the anchors above
    it, `agreement` their share that agrees, `low` its lower bound at `confidence` (one-sided); `tested` of `steps` thresholds
    were tried. `anchors` counts all anchors.
    """

    min_agreement: float
    confidence: float
    threshold: float | None
    coverage: float
    agreement: float | None
    low: float | None
    tested: int
    steps: int
    anchors: int

    def accepts(self, p: float) -> bool:
        """Whether a judge's p is sure enough."""
        return self.threshold is not None and max(p, 1.0 - p) >= self.threshold - _SAME

    def as_json(self) -> dict[str, Json]:
        """For files and `--json`."""
        return {
            "min_agreement": self.min_agreement, "confidence": self.confidence, "threshold": self.threshold,
            "coverage": self.coverage, "agreement": self.agreement, "low": self.low, "tested": self.tested,
            "steps": self.steps, "anchors": self.anchors,
        }  # fmt: skip


def nothing(min_agreement: float, confidence: float, anchors: int = 0) -> Rule:
    """The rule that accepts nothing: without anchors no agreement can be stated."""
    return Rule(min_agreement, confidence, None, 0.0, None, None, 0, 0, anchors)


def lower_bound(right: float, count: float, confidence: float) -> float:
    """The one-sided lower bound of a share by Clopper and Pearson (1934): the share at which `right` of `count` or more has
    the chance 1 - `confidence`. Neither need be whole.
    """
    from scipy.stats import beta

    return float(beta.ppf(1.0 - confidence, right, count - right + 1.0)) if right > 0 else 0.0


def least_count(min_agreement: float, confidence: float) -> int:
    """How many anchors without a single disagreement it takes to state the agreement: min_agreement to that power <= 1 - confidence."""
    return math.ceil(math.log(1.0 - confidence) / math.log(min_agreement) - _SAME)


def find_rule(
    p: Floats,
    agrees: NDArray[np.bool_],
    weight: Floats,
    prompts: Sequence[str],
    *,
    min_agreement: float,
    confidence: float,
) -> Rule:
    """Test thresholds on anchors, given as arrays [rows]: the judge's p, whether it agrees, the weight, the prompt; see the module.

    Raises:
        UsageError: an agreement or a confidence that is no share between 0 and 1.
    """
    import numpy as np

    for name, value in (("agreement", min_agreement), ("confidence", confidence)):
        if not 0.0 < value < 1.0:
            raise UsageError(f"the {name} {value:g} cannot be stated", hint="give a share between 0 and 1, as in 0.85")
    if len(p) == 0:
        return nothing(min_agreement, confidence)
    sure = np.round(np.maximum(p, 1.0 - p), 12)
    _, groups = np.unique(np.asarray(prompts, dtype=str), return_inverse=True)
    sequence = thresholds(sure, groups, weight, ROOM * least_count(min_agreement, confidence))
    found, tested = nothing(min_agreement, confidence, len(p)), 0
    for threshold in sequence:
        tested += 1
        above = sure >= threshold
        count = effective_count(groups[above], weight[above])
        share = float(np.average(agrees[above], weights=weight[above]))
        low = lower_bound(share * count, count, confidence)
        if low < min_agreement:
            break
        coverage = float(weight[above].sum() / weight.sum())
        found = Rule(min_agreement, confidence, threshold, coverage, share, low, tested, len(sequence), len(p))
    return Rule(
        min_agreement, confidence, found.threshold, found.coverage, found.agreement, found.low, tested,
        len(sequence), len(p),
    )  # fmt: skip


def thresholds(sure: Floats, groups: NDArray[np.int64], weight: Floats, least: int) -> list[float]:
    """The confidences to test, falling: distinct values at even steps of coverage, from the first with `least` effective anchors
    above it (all anchors, where they are fewer). None is 0.5, where the judge names no winner.
    """
    import numpy as np

    values = [float(one) for one in np.unique(sure)[::-1] if one > 0.5 + _SAME]
    if not values:
        return []
    counts = [effective_count(groups[sure >= one], weight[sure >= one]) for one in values]
    first = next((place for place, count in enumerate(counts) if count >= least), len(values) - 1)
    kept = [values[first]]
    step = (counts[-1] - counts[first]) / (STEPS - 1)
    last = counts[first]
    for value, count in zip(values[first + 1 :], counts[first + 1 :], strict=True):
        if count >= last + step - _SAME and count > last:
            kept.append(value)
            last = count
    return kept if kept[-1] == values[-1] else [*kept, values[-1]][:STEPS]


def effective_count(groups: NDArray[np.int64], weight: Floats) -> float:
    """How many equally weighted independent prompts the rows are worth: (sum of w)^2 / sum of w^2 over prompts (Kish 1965)."""
    import numpy as np

    mass = np.bincount(groups, weight)
    squares = float((mass**2).sum())
    return float(mass.sum()) ** 2 / squares if squares > 0 else 0.0
