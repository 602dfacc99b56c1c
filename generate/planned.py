"""What the parts of a plan share: a line of it, what is settled of a stage, and what it knows of responses. Counts nothing by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic

from generate.amounts import LEAST_PROMPTS, NOTHING, Amount, loosened, predicted
from generate.others import OnLoan
from tenet.ids import Json
from tenet.records import Finish, Prompt, Sample
from tenet.runs.codec import R


@dataclass(frozen=True)
class Line:
    """One step: calls in all, those that other runs have answered already (`reused`), those still owed, and the tokens of those owed.

    `cached_tokens` are the prompt tokens that a prefix cache should spare, `shared_tokens` those of them that every prompt of the step
    begins with.
    """

    stage: str
    note: str = ""
    calls: Amount = NOTHING
    reused: Amount = NOTHING
    owed: Amount = NOTHING
    prompt_tokens: Amount = NOTHING
    cached_tokens: Amount = NOTHING
    completion_tokens: Amount = NOTHING
    shared_tokens: float = 0.0

    def scaled(self, factor: float) -> Line:
        """The line of so many times as many prompts."""
        return replace(
            self, calls=self.calls.scaled(factor), reused=self.reused.scaled(factor), owed=self.owed.scaled(factor),
            prompt_tokens=self.prompt_tokens.scaled(factor), cached_tokens=self.cached_tokens.scaled(factor),
            completion_tokens=self.completion_tokens.scaled(factor), shared_tokens=self.shared_tokens * factor,
        )  # fmt: skip

    def as_json(self) -> dict[str, Json]:
        """For `--json` and files."""
        amounts = ("calls", "reused", "owed", "prompt_tokens", "cached_tokens", "completion_tokens")
        return {
            "stage": self.stage, "model": self.note, "shared_tokens": round(self.shared_tokens),
            **{name: getattr(self, name).as_json() for name in amounts},
        }  # fmt: skip


def sum_of(lines: Sequence[Line]) -> Line:
    """Several models' lines of one step as one.

    Raises:
        IndexError: there is no line.
    """
    whole = lines[0]
    for one in lines[1:]:
        whole = Line(
            whole.stage, "", whole.calls + one.calls, whole.reused + one.reused, whole.owed + one.owed,
            whole.prompt_tokens + one.prompt_tokens, whole.cached_tokens + one.cached_tokens,
            whole.completion_tokens + one.completion_tokens, whole.shared_tokens + one.shared_tokens,
        )  # fmt: skip
    return whole


@dataclass
class Held(Generic[R]):
    """What is settled of a stage: rows of the run's `own` by key, and those that other runs will lend."""

    own: dict[str, R | None]
    lent: OnLoan[R]

    def __contains__(self, key: str) -> bool:
        return key in self.own or key in self.lent

    def get(self, key: str) -> R | None:
        """The record of a key; None where it was given up without one, or is owed."""
        return self.own[key] if key in self.own else self.lent.get(key)


@dataclass
class Seen:
    """What the plan knows of responses: samples by prompt, which prompts have all of theirs, and lengths in the judge's tokens."""

    samples: Mapping[str, Sequence[Sample]]
    complete: Mapping[str, Sequence[Sample]]
    total: int
    most: int
    lengths: dict[str, list[int]] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether others can be predicted from the prompts that are drawn."""
        return len(self.complete) >= LEAST_PROMPTS

    @property
    def mean(self) -> float:
        """The mean length of a comparable response; 0 where there is none."""
        known = [length for lengths in self.lengths.values() for length in lengths]
        return sum(known) / len(known) if known else 0.0


def written(known: Sequence[float], owed: Sequence[float], most: int) -> Amount:
    """Tokens of completions not drawn yet, `owed[i]` of them of the i-th prompt to come: predicted from the `known` means of
    prompts, or between nothing and `most` each.
    """
    import numpy as np

    ceiling = most * sum(owed)
    if not owed or len(known) < LEAST_PROMPTS:
        return Amount.bounds(0, ceiling)
    weights, seen = np.array(owed, float)[:, None], np.array(known, float)[:, None]
    return loosened(predicted(weights, seen), len(known), 0.0, ceiling).within(0, ceiling)


def blank_sample(prompt: Prompt, index: int) -> Sample:
    """A response of no tokens."""
    return Sample(f"blank-{index}", prompt.id, index, "", "", Finish.GIVEN)
