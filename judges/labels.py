"""Reads a verdict out of the log-probabilities of two labels, or of the rungs of a scale. Knows no engine and no text; pure arithmetic.

P(A) and P(B) over the whole vocabulary are renormalised to p = P(A) / (P(A) + P(B)). Their sum, the label
mass, says whether the model was about to answer at all: where it is low, p is a ratio of two improbable
things, and no opinion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from judges.probability import sigmoid
from tenet.records import Outcome

_FLOOR: Final = -9000.0
"""Servers write -9999 for a log-probability that they do not have; no model gives one this low."""
_SLACK: Final = 1e-3


@dataclass(frozen=True, slots=True)
class LabelVerdict:
    """What two log-probabilities come to.

    `p_first` is None unless the outcome is an opinion; `mass` where there is none.
    """

    outcome: Outcome
    p_first: float | None = None
    mass: float | None = None
    reason: str = ""


def read_verdict(logprobs: Sequence[float], min_mass: float) -> LabelVerdict:
    """Turn natural-log probabilities [2] of (first is better, second is better) into a verdict.

    NaN, a missing value (-9999 and below) or a "probability" over 1 is an ERROR. A mass below `min_mass` is
    LOW_MASS, and keeps its mass for the record. p of exactly 0.5 is a TIE.
    """
    if problem := _problem(logprobs, 2):
        return LabelVerdict(Outcome.ERROR, reason=problem)
    first, second = logprobs
    mass = min(1.0, math.exp(first) + math.exp(second))
    if mass < min_mass:
        return LabelVerdict(Outcome.LOW_MASS, mass=mass, reason=f"label mass {mass:.3g} is below {min_mass:g}")
    p = sigmoid(first - second)
    outcome = Outcome.TIE if p == 0.5 else Outcome.FIRST if p > 0.5 else Outcome.SECOND
    return LabelVerdict(outcome, p, mass)


@dataclass(frozen=True, slots=True)
class LabelProbabilities:
    """The renormalised probabilities of labels; empty, with the `outcome` that it is instead, where there is no opinion."""

    ps: tuple[float, ...] = ()
    mass: float | None = None
    outcome: Outcome | None = None
    reason: str = ""


def label_probabilities(logprobs: Sequence[float], count: int, min_mass: float) -> LabelProbabilities:
    """Turn natural-log probabilities of `count` labels into probabilities that sum to 1; errors and low mass as in `read_verdict`."""
    if problem := _problem(logprobs, count):
        return LabelProbabilities(outcome=Outcome.ERROR, reason=problem)
    top = max(logprobs)
    shares = [math.exp(value - top) for value in logprobs]
    total = math.fsum(shares)
    mass = min(1.0, total * math.exp(top))
    if mass < min_mass:
        reason = f"label mass {mass:.3g} is below {min_mass:g}"
        return LabelProbabilities(mass=mass, outcome=Outcome.LOW_MASS, reason=reason)
    return LabelProbabilities(tuple(share / total for share in shares), mass)


def _problem(logprobs: Sequence[float], count: int) -> str:
    """What is wrong with labels' log-probabilities; empty if nothing."""
    if len(logprobs) != count:
        return f"{len(logprobs)} label log-probabilities came back instead of {count}"
    if not all(_FLOOR < value <= _SLACK for value in logprobs):
        shown = ", ".join(f"{value:g}" for value in logprobs)
        return f"the labels' log-probabilities are no numbers to use: {shown}"
    return ""


def read_vote(values: Sequence[float]) -> LabelVerdict:
    """Turn the values [2] of a text verdict, the higher one the label that the model wrote, into a vote without a confidence."""
    first, second = values
    return LabelVerdict(Outcome.TIE if first == second else Outcome.FIRST if first > second else Outcome.SECOND)
