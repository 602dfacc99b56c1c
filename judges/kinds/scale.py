"""The rungs of a scale: the labels by which a judge names them, what each is worth and means, and what their log-probabilities say.

Pure: knows no engine and no text but its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final

from judges.labels import label_probabilities
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Outcome

_EVEN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a scale: `outcome` as `tenet.records.Rating` has it; `distribution` is empty where only a label was written."""

    outcome: Outcome
    score: float | None = None
    distribution: tuple[float, ...] = ()
    mass: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale from `low` to `high` in steps of 1; `labels` and `lines` (what a rung means) are by rung, the lowest first.

    `word` is what a label is called in a question: a number, a letter, a word.
    """

    low: int
    high: int
    labels: tuple[str, ...]
    lines: tuple[str, ...]
    word: str

    @property
    def values(self) -> tuple[float, ...]:
        """What the rungs are worth."""
        return tuple(float(value) for value in range(self.low, self.high + 1))

    @property
    def told(self) -> str:
        """The meaning of the rungs, one a line; without any, of the two ends."""
        lines = [f"{label}: {line}" for label, line in zip(self.labels, self.lines, strict=True) if line]
        if lines:
            return "\n".join(lines)
        ends = "does not follow the principle at all", "follows it in full"
        return f"{self.labels[0]}: {ends[0]}\n{self.labels[-1]}: {ends[1]}"

    def named(self, *, falling: bool = False) -> str:
        """The labels in a sentence: `number: 1, 2 or 3`."""
        *others, last = reversed(self.labels) if falling else self.labels
        return f"{self.word}: {', '.join(others)} or {last}"

    def as_json(self) -> Json:
        """What goes into a fingerprint."""
        return {"low": self.low, "high": self.high, "labels": list(self.labels), "lines": list(self.lines)}

    def read(self, logprobs: Sequence[float], min_mass: float) -> Read:
        """Turn the rungs' natural-log probabilities into an expected score; the sum over all rungs is the label mass."""
        found = label_probabilities(logprobs, len(self.labels), min_mass)
        if not found.ps:
            return Read(found.outcome or Outcome.ERROR, mass=found.mass, reason=found.reason)
        score = math.fsum(p * value for p, value in zip(found.ps, self.values, strict=True))
        return Read(self.side(score), score, found.ps, found.mass)

    def read_written(self, values: Sequence[float]) -> Read:
        """Turn a label that the model only wrote, the highest of `values`, into a score without a distribution."""
        score = self.values[max(range(len(values)), key=lambda rung: values[rung])]
        return Read(self.side(score), score)

    def side(self, score: float) -> Outcome:
        """FIRST above the middle of the scale, SECOND below it."""
        middle = (self.low + self.high) / 2
        return Outcome.TIE if abs(score - middle) <= _EVEN else Outcome.FIRST if score > middle else Outcome.SECOND


def rating_scale(low: int, high: int, rubric: Mapping[str, str], *, letters: bool = False) -> Scale:
    """The scale of a rating; `rubric` says what scores mean, `letters` names the rungs A, B, ... from the lowest on.

    Raises:
        UsageError: fewer than two scores, or more than there are letters.
    """
    count = high - low + 1
    if not 2 <= count <= len(ascii_uppercase):
        raise UsageError(
            f"a scale from {low} to {high} does not have 2 to {len(ascii_uppercase)} scores",
            hint="set judge.scale: {low: 1, high: 5}",
        )
    scores = [str(score) for score in range(low, high + 1)]
    told = {str(name): line.strip() for name, line in rubric.items()}
    labels = tuple(ascii_uppercase[:count]) if letters else tuple(scores)
    return Scale(low, high, labels, tuple(told.get(score, "") for score in scores), "letter" if letters else "number")


def yes_or_no(*, letters: bool = False) -> Scale:
    """No and Yes as a scale from 0 to 1; as N and Y with `letters`."""
    labels = ("N", "Y") if letters else ("No", "Yes")
    return Scale(0, 1, labels, ("", ""), "letter" if letters else "word")
