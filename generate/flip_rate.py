"""The share of a run's pairs that an edit turns, with its 95 % interval, from a sample of them. Plain arithmetic; knows no judge.

The sample is a simple random one of pairs, without replacement. So what it tells of the whole follows from the draw alone, and pairs of
one prompt may resemble each other as they like: that would matter if prompts were drawn whole, and would widen the interval for the same
number of questions. It is Wilson's score interval (Wilson 1927) with the variance of a draw from a finite population,
p (1 - p) / n x (N - n) / (N - 1) (Cochran 1977, section 3.2), kept within what the sample proves: so many pairs did turn, and so many did
not. `benchmarks/diff_effect.py` measures what it covers.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenet.ids import Json
from tenet.intervals import wilson


@dataclass(frozen=True)
class Share:
    """A share of a whole with its 95 % interval; `low` = `high` where all of the whole was seen."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Share:
        """The share of a larger whole, of which this one is the part `factor` and the rest shows nothing."""
        return Share(self.value * factor, self.low * factor, self.high * factor)

    def as_json(self) -> dict[str, Json]:
        """For `--json`."""
        return {"value": self.value, "low": self.low, "high": self.high}


def share(hits: int, drawn: int, whole: int) -> Share:
    """Estimate the share of `whole` units that `hits` of `drawn` ones show, drawn without replacement; see the module.

    Raises:
        ValueError: fewer units than hits, or more units drawn than there are.
    """
    if not 0 <= hits <= drawn <= whole:
        raise ValueError(f"{hits} hits of {drawn} drawn of {whole}")
    if drawn == 0:
        return Share(0.0, 0.0, 1.0 if whole else 0.0)
    p = hits / drawn
    if drawn == whole:
        return Share(p, p, p)
    n = drawn * (whole - 1) / (whole - drawn)
    low, high = wilson(p, n)
    return Share(p, max(hits / whole, low), min(1.0 - (drawn - hits) / whole, high))
