"""What judges share that are asked about a prompt's responses by themselves: which principles, in which words, and what they answer.

A pairwise judge is asked about pairs, which a schedule names one after the other; these get a prompt with its comparable responses
and make all their questions at once. Their answers are records of a stage of their own. Knows no run folder and no kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import ClassVar, Final, Generic, TypeVar

from constitution.model import Constitution, Principle
from constitution.select import applying, draw
from engines.base import Engine, SamplingParams
from judges.asks import Ask
from judges.pairwise import Mode
from tenet.errors import JudgeUnfit
from tenet.ids import Json
from tenet.records import Listing, Prompt, Rating, Sample

A = TypeVar("A", bound=Ask)
R = TypeVar("R", Rating, Listing)

RATINGS: Final = "ratings"
LISTINGS: Final = "listings"
PROMPTS_ASKED: Final = 20
"""How many prompts a pre-flight asks about."""


class PromptJudge(ABC, Generic[A, R]):
    """A judge of a prompt's responses by a constitution, each principle asked alone.

    `stage` and `record_type` name what its answers become; `params` are how it writes, None where one token's log-probabilities are read.

    Raises:
        UsageError: the mode is `whole`, which this judge cannot be asked in.
    """

    kind: str
    stage: ClassVar[str]
    record_type: type[R]
    params: SamplingParams | None = None

    def __init__(self, engine: Engine, constitution: Constitution, mode: Mode | str, *, seed: int = 0) -> None:
        self.engine = engine
        self.constitution = constitution
        self.mode = Mode(mode)
        self.seed = seed
        self.name = engine.info.model
        if self.mode is Mode.WHOLE:
            raise JudgeUnfit(
                f"a judge of kind {self.kind} is asked about one principle at a time", hint="set judge.principles: each"
            )

    @property
    def fingerprint(self) -> dict[str, Json]:
        """What identifies this judge in a run."""
        return {
            "kind": self.kind,
            "mode": self.mode.value,
            "seed": self.seed,
            "model": self.engine.info.as_json(),
            **self._asking(),
        }

    def principles(self, prompt: Prompt) -> tuple[str, ...]:
        """Name the principles that this prompt's responses are judged by; empty where none applies."""
        return tuple(principle.id for principle in self._chosen(prompt))

    def wordings(self, prompt: Prompt) -> Mapping[str | None, str]:
        """The digest of each question's wording, by principle: where these are equal, equal things are asked of a response."""
        return {principle.id: self._wording(principle) for principle in self._chosen(prompt)}

    @abstractmethod
    def asks(self, prompt: Prompt, samples: Sequence[Sample]) -> list[A]:
        """Make all questions about a prompt's comparable samples."""

    @abstractmethod
    def stream(self, asks: Iterable[A]) -> Iterator[R]:
        """Answer questions as the engine has room for them, in the order in which the answers come.

        Raises:
            EngineError: the engine itself has failed.
        """

    def preflight(self, cases: Iterable[tuple[Prompt, Sequence[Sample]]]) -> tuple[str, Sequence[R]]:
        """Ask about the first prompts that have a question; a line for people, and the answers.

        Raises:
            JudgeUnfit: the judge does not answer as it is asked to; the text says what it gave instead, and what to change.
            EngineError: the engine itself has failed.
        """
        asked = self.first_asks(cases)
        found = list(self.stream(ask for asks in asked for ask in asks))
        if not found:
            return f"pre-flight: nothing to ask a judge of kind {self.kind}", found
        return self._checked(found), found

    def first_asks(self, cases: Iterable[tuple[Prompt, Sequence[Sample]]]) -> list[list[A]]:
        """What a pre-flight asks, prompt by prompt."""
        return list(islice((asks for asks in (self.asks(*case) for case in cases) if asks), PROMPTS_ASKED))

    @abstractmethod
    def _asking(self) -> dict[str, Json]:
        """What else changes an answer: templates, labels, sampling."""

    @abstractmethod
    def _wording(self, principle: Principle) -> str:
        """The digest of what the judge sees of a principle."""

    @abstractmethod
    def _checked(self, found: Sequence[R]) -> str:
        """A line about a pre-flight's answers.

        Raises:
            JudgeUnfit: they will not do.
        """

    def _chosen(self, prompt: Prompt) -> Sequence[Principle]:
        if self.mode is Mode.SAMPLED:
            drawn = draw(self.constitution, prompt, self.seed)
            return () if drawn is None else (drawn,)
        return tuple(applying(self.constitution, prompt))


def commonest(reasons: Sequence[str]) -> str:
    """The reason that is given most often, the first by name among equals."""
    return max(sorted(set(reasons)), key=reasons.count)
