"""Anchors: what people say of a run's own pairs, one record a pair, to fit a judge on or to score it by.

Made from labels, whose responses are known by their texts; whoever calls finds their ids. Which prompts are for fitting
and which for testing follows from a prompt's id and the kept rule (`Split`) alone, so that labels that come later move
no prompt to the other side. Knows no judge and no probability of one.

A person counts once a pair, with the last label given. A tie is half a vote for either response. Labels that name a
principle are opinions about that principle and not about the pair as a whole; they are counted and left out, and so are
skips. The weight is the inverse of the chance with which the pair was drawn for labelling (Horvitz and Thompson 1952).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from judges.humans.labels import label_to_judgement
from tenet.errors import UsageError
from tenet.ids import Json, digest, unit_interval
from tenet.records import Choice, Judgement, Label, Outcome

TEST_SHARE: Final = 0.3
"""Share of the prompts that only score."""
SPLIT_FROM: Final = 200
"""Labelled prompts from which some are kept for testing alone; below, all are fitted on and scored by cross-fitting."""


class Side(StrEnum):
    """What an anchor may be used for."""

    FIT = "fit"
    TEST = "test"


class Unused(StrEnum):
    """Why a label is in no anchor."""

    NOT_HERE = "about responses that the run does not have"
    PRINCIPLE = "about one principle"
    SKIPPED = "skipped by the person"
    AGAIN = "given again by the same person"
    NOT_JUDGED = "about pairs that the judge gave no opinion of"


@dataclass(frozen=True, slots=True)
class Anchor:
    """What people say of one pair (a, b), `a_id` < `b_id`: votes for either response, ties, and the pair's weight by design."""

    prompt_id: str
    a_id: str
    b_id: str
    for_a: int
    for_b: int
    ties: int = 0
    weight: float = 1.0

    @property
    def people(self) -> int:
        """How many people gave an opinion."""
        return self.for_a + self.for_b + self.ties

    @property
    def share(self) -> float:
        """The share of people for a, a tie counting half: the soft target of a fit."""
        return (self.for_a + self.ties / 2) / self.people

    @property
    def majority(self) -> Choice:
        """The choice of more people than any other; a tie where none has more."""
        counts = {Choice.A: self.for_a, Choice.B: self.for_b, Choice.TIE: self.ties}
        best = max(counts.values())
        leading = [choice for choice, count in counts.items() if count == best]
        return leading[0] if len(leading) == 1 else Choice.TIE

    def as_json(self) -> list[Json]:
        """The anchor as a short row, for digests and files."""
        return [self.prompt_id, self.a_id, self.b_id, self.for_a, self.for_b, self.ties, self.weight]


@dataclass(frozen=True)
class Split:
    """The rule by which a prompt is for fitting or for testing; kept with the run, so that it never changes."""

    salt: str = "anchors"
    test_share: float = TEST_SHARE

    def side(self, prompt_id: str) -> Side:
        """The side of a prompt, by its id alone."""
        return Side.TEST if unit_interval(self.salt, prompt_id) < self.test_share else Side.FIT

    def as_json(self) -> dict[str, Json]:
        """For the run's file."""
        return {"salt": self.salt, "test_share": self.test_share}

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Split:
        """Read the rule back; what it does not name is as it is made today."""
        share = value.get("test_share", TEST_SHARE)
        return cls(str(value.get("salt", "anchors")), float(share) if isinstance(share, int | float) else TEST_SHARE)


@dataclass(frozen=True)
class Anchors:
    """The anchors of a run by prompt and pair, and how many labels were not used, by reason."""

    anchors: tuple[Anchor, ...]
    labels: int = 0
    unused: Mapping[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over all that a fit takes from them."""
        return digest([one.as_json() for one in self.anchors])

    @property
    def prompts(self) -> int:
        """How many prompts they are about."""
        return len({one.prompt_id for one in self.anchors})


def make_anchors(labels: Iterable[Label], sample_id: Callable[[str, str], str | None]) -> Anchors:
    """Gather labels by pair; `sample_id` finds a response's id from its prompt's id and its text, None where it is not known.

    Raises:
        UsageError: there are labels, and none is about a pair here.
    """
    votes: defaultdict[tuple[str, str, str], dict[str, Judgement]] = defaultdict(dict)
    unused: Counter[str] = Counter()
    total = 0
    for label in labels:
        total += 1
        told = label_to_judgement(label, sample_id)
        reason = _unused(label, told)
        if told is None or reason is not None:
            unused[(reason or Unused.NOT_HERE).value] += 1
            continue
        one = told if told.first_id < told.second_id else told.flipped()
        pair = votes[one.prompt_id, one.first_id, one.second_id]
        if one.judge in pair:
            unused[Unused.AGAIN.value] += 1
        pair[one.judge] = one
    if total and not votes:
        why = "; ".join(f"{count:,} {reason}" for reason, count in unused.items())
        raise UsageError(
            f"none of {total:,} labels is an opinion on a pair of this run: {why}",
            hint="labels are matched by the exact texts of prompt and responses: label pairs that this run holds",
        )
    found = tuple(_anchor(pair, list(by_person.values())) for pair, by_person in sorted(votes.items()))
    return Anchors(found, total, dict(unused))


def _unused(label: Label, told: Judgement | None) -> Unused | None:
    if label.principle is not None:
        return Unused.PRINCIPLE
    if told is None or told.first_id == told.second_id:
        return Unused.NOT_HERE
    return None if told.outcome.is_opinion else Unused.SKIPPED


def _anchor(pair: tuple[str, str, str], told: Sequence[Judgement]) -> Anchor:
    counts = Counter(one.outcome for one in told)
    weight = sum(one.weight for one in told) / len(told)
    return Anchor(*pair, counts[Outcome.FIRST], counts[Outcome.SECOND], counts[Outcome.TIE], weight)
