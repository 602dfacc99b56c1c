"""What a principles file says, as frozen records: principles, the prompts they apply to, their questions.

Knows no file format, no judge and no draw: `constitution.load` makes these records, `constitution.select`
chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from tenet.errors import UsageError
from tenet.ids import Json, digest
from tenet.yamlfile import suggest

COMPARE_QUESTION: Final = "Which response follows this principle better?"
CRITIQUE_QUESTION: Final = "Does the response follow this principle?"
REVISE_INSTRUCTION: Final = "Rewrite the response so that it follows this principle and keeps its topic."


class Tier(StrEnum):
    """How a principle counts: a violated rule vetoes, a principle is weighed."""

    RULE = "rule"
    PRINCIPLE = "principle"


class Status(StrEnum):
    """Whether judges ask a principle. DRAFT ones are tested but not asked; RETIRED ones are kept for the record."""

    ACTIVE = "active"
    DRAFT = "draft"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Condition:
    """Which prompts: those with one of `any_tags`, with all of `all_tags`, and with `pattern` found in their text.

    What is empty is no condition.
    """

    any_tags: tuple[str, ...] = ()
    all_tags: tuple[str, ...] = ()
    pattern: str = ""

    def as_json(self) -> Json:
        """Return what goes into a digest; the order of tags does not count."""
        return {"any": sorted(self.any_tags), "all": sorted(self.all_tags), "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class Example:
    """A response to a prompt that follows a principle, or goes against it."""

    prompt: str
    response: str


@dataclass(frozen=True, slots=True)
class PrincipleTest:
    """A pair with the verdict required; where not `applies`, a prompt that must not be asked about, without a pair."""

    prompt: str
    better: str = ""
    worse: str = ""
    tags: tuple[str, ...] = ()
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Silence:
    """A lint rule that a file switches off, and why."""

    rule: str
    reason: str


@dataclass(frozen=True)
class Principle:
    """One behaviour that responses are judged by.

    `applies_when` holds for a prompt where one of its conditions does, and always where it is empty. `overrides_for`
    is the `text_digest` of the text that the overrides of its questions were written for. `line` counts from 1 in
    `path`; two principles that say the same are equal wherever they stand.
    """

    id: str
    text: str
    compare: str | None = None
    critique: str | None = None
    revise: str | None = None
    weight: float = 1.0
    tier: Tier = Tier.PRINCIPLE
    applies_when: tuple[Condition, ...] = ()
    examples: tuple[Example, ...] = ()
    counterexamples: tuple[Example, ...] = ()
    yields_to: tuple[str, ...] = ()
    tests: tuple[PrincipleTest, ...] = ()
    source: str = ""
    status: Status = Status.ACTIVE
    overrides_for: str = ""
    lint: tuple[Silence, ...] = ()
    line: int = field(default=1, compare=False)
    path: Path | None = field(default=None, compare=False)

    @property
    def text_digest(self) -> str:
        """The first 12 hex digits of the SHA-256 of the text alone."""
        return digest(self.text)[:12]

    @property
    def compare_question(self) -> str:
        """What a judge of two responses is asked."""
        return self.compare or COMPARE_QUESTION

    @property
    def critique_question(self) -> str:
        """What a judge of one response is asked; yes means that it follows the principle."""
        return self.critique or CRITIQUE_QUESTION

    @property
    def revise_instruction(self) -> str:
        """What a model that rewrites a response is told."""
        return self.revise or REVISE_INSTRUCTION

    @cached_property
    def compare_digest(self) -> str:
        """The first 12 hex digits of the SHA-256 of what a judge of two responses sees: the text and its question."""
        return digest([self.text, self.compare_question])[:12]

    @cached_property
    def critique_digest(self) -> str:
        """The same of what a critic sees."""
        return digest([self.text, self.critique_question])[:12]

    @cached_property
    def revise_digest(self) -> str:
        """The same of what a model that rewrites a response sees."""
        return digest([self.text, self.revise_instruction])[:12]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what a judge sees of this principle: its text and its three questions."""
        return digest([self.text, self.compare_question, self.critique_question, self.revise_instruction])

    def as_json(self) -> Json:
        """Return all that can change a label: what judges see, and what decides when and how much it counts."""
        return {
            "id": self.id,
            "seen": self.digest,
            "weight": self.weight,
            "tier": self.tier.value,
            "applies_when": [condition.as_json() for condition in self.applies_when],
            "yields_to": sorted(self.yields_to),
        }


@dataclass(frozen=True)
class Constitution:
    """A principles file with all that it includes, in order. `path` is the file that was loaded."""

    name: str
    version: str
    description: str
    licence: str
    principles: tuple[Principle, ...]
    path: Path | None = field(default=None, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that can change a label: the active principles in order, without names, tests and examples."""
        return digest([principle.as_json() for principle in self.active])

    @cached_property
    def active(self) -> tuple[Principle, ...]:
        """The principles that judges ask."""
        return tuple(principle for principle in self.principles if principle.status is Status.ACTIVE)

    def get(self, id: str) -> Principle:  # noqa: A002
        """Return the principle of this id, whatever its status.

        Raises:
            UsageError: there is none.
        """
        for principle in self.principles:
            if principle.id == id:
                return principle
        known = [principle.id for principle in self.principles]
        hint = suggest(id, known) or f"it holds {', '.join(known)}"
        raise UsageError(f'{self.name} has no principle "{id}"', hint=hint)
