"""The nouns that everything else speaks of: frozen records with ids that come from their content.

Knows no model, no file and no principle's text. Fields hold plain values only (strings, numbers, booleans, None, enums, tuples of
these and `Message`), so that every record goes into SQLite, Parquet and JSON and comes back equal (`tenet.runs.codec`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from tenet.ids import content_id


class Outcome(StrEnum):
    """How an attempt to get an opinion ended. Only the first three are opinions."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"
    LOW_MASS = "low_mass"
    UNPARSED = "unparsed"
    REFUSED = "refused"
    ERROR = "error"

    @property
    def is_opinion(self) -> bool:
        """True for FIRST, SECOND and TIE; whatever else happened is never counted as a vote."""
        return self in (Outcome.FIRST, Outcome.SECOND, Outcome.TIE)

    def flipped(self) -> Outcome:
        """The same outcome with the two responses exchanged."""
        return {Outcome.FIRST: Outcome.SECOND, Outcome.SECOND: Outcome.FIRST}.get(self, self)


class Verdict(StrEnum):
    """What a critique concludes about one response under one principle."""

    YES = "yes"
    NO = "no"
    UNPARSED = "unparsed"
    ERROR = "error"


class Finish(StrEnum):
    """Why a generation ended. ERROR texts are kept for the record and never used."""

    STOP = "stop"
    LENGTH = "length"
    GIVEN = "given"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is system, user, assistant or tool."""

    role: str
    content: str


def prompt_id(messages: Iterable[Message]) -> str:
    """The id of a prompt: its turns and nothing else, so the same prompt from two files is one prompt."""
    return content_id("prompt", [[message.role, message.content] for message in messages])


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a policy answers: the turns so far, ending with a user's turn. `source` says where it was read (file:line)."""

    id: str
    messages: tuple[Message, ...]
    tags: tuple[str, ...] = ()
    source: str = ""

    @classmethod
    def of(cls, messages: Iterable[Message], *, tags: Iterable[str] = (), source: str = "") -> Prompt:
        """Make a prompt with its content id."""
        turns = tuple(messages)
        return cls(prompt_id(turns), turns, tuple(tags), source)

    @property
    def text(self) -> str:
        """The turns as one plain text: a lone user turn as it stands, else one paragraph a turn with its role named."""
        if len(self.messages) == 1 and self.messages[0].role == "user":
            return self.messages[0].content
        return "\n\n".join(f"{turn.role.capitalize()}: {turn.content}" for turn in self.messages)


@dataclass(frozen=True, slots=True)
class Sample:
    """One response of a policy to a prompt. `index` counts the samples of one prompt and policy from 0; token counts may be unknown,
    here and in the other records.
    """

    id: str
    prompt_id: str
    index: int
    text: str
    policy: str
    finish: Finish
    seed: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reason: str = ""
    cached_tokens: int | None = None

    @property
    def usable(self) -> bool:
        """False for failed and empty samples, which are kept for the record and never judged."""
        return self.finish is not Finish.ERROR and bool(self.text.strip())


def _version(principle: str, digest: str | None) -> str | None:
    """A principle with its wording, as `ID@DIGEST`; None where the wording is not known."""
    return None if digest is None else f"{principle}@{digest}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One opinion about an ordered pair of responses to a prompt, of a model, a person, or one principle asked alone.

    `p_first` is P(the response shown first is better) in [0, 1]; `label_mass` is P(A) + P(B) before they are renormalised. Both are
    None where the outcome is no opinion or the judge gives none: an opinion without `p_first` is a vote. `principle` is the id asked
    about; None when all were asked at once. `principle_digest` names the wording that the judge saw
    (`constitution.model.Principle.compare_digest`; of all at once the digest of their list), None where it is not known.

    `critique` and `thinking` are what the judge wrote before its verdict, of A (shown first) and B; `cut` says that the text ended at its
    limit of tokens.
    """

    id: str
    prompt_id: str
    first_id: str
    second_id: str
    judge: str
    outcome: Outcome
    p_first: float | None = None
    label_mass: float | None = None
    principle: str | None = None
    weight: float = 1.0
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    reason: str = ""
    completion_tokens: int | None = None
    principle_digest: str | None = None
    critique: str = ""
    thinking: str = ""
    cut: bool = False

    @property
    def version(self) -> str | None:
        """The principle with its wording, as `ID@DIGEST` (`@DIGEST` for all at once); None where the wording is not known."""
        return _version(self.principle or "", self.principle_digest)

    @property
    def is_vote(self) -> bool:
        """True for an opinion without a probability: a person's, or that of a judge which only wrote a letter."""
        return self.outcome.is_opinion and self.p_first is None

    def flipped(self) -> Judgement:
        """The same opinion told of the pair in the other order. What the judge would say if asked in that order is another matter."""
        p = None if self.p_first is None else 1.0 - self.p_first
        return replace(
            self, first_id=self.second_id, second_id=self.first_id, outcome=self.outcome.flipped(), p_first=p
        )


@dataclass(frozen=True, slots=True)
class Rating:
    """One opinion about one response: `score` on the scale [`low`, `high`], an expectation and so rarely whole.

    `outcome` is FIRST above the middle of the scale, SECOND below it. `distribution` holds the probability of each rung, the lowest
    first; it is empty where the judge gives none. `label_mass` is what all rungs held before they were renormalised. `principle_digest`
    names the wording that the judge saw (`constitution.model.Principle.critique_digest`), None where it is not known.
    """

    id: str
    prompt_id: str
    sample_id: str
    judge: str
    outcome: Outcome
    score: float | None = None
    low: float = 1.0
    high: float = 5.0
    principle: str | None = None
    reason: str = ""
    distribution: tuple[float, ...] = ()
    label_mass: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    principle_digest: str | None = None

    @property
    def version(self) -> str | None:
        """The principle with its wording, as `ID@DIGEST`; None where the wording is not known."""
        return _version(self.principle or "", self.principle_digest)


@dataclass(frozen=True, slots=True)
class Listing:
    """One answer to a question about several responses at once: `shown` as the judge saw them, and its `ranking` of them, the best first.

    `ranking` is empty unless `outcome` is an opinion (FIRST where the response shown first is ranked best, else SECOND); `text` is what
    the judge wrote. `principle_digest` is the wording's `compare_digest`.
    """

    id: str
    prompt_id: str
    judge: str
    outcome: Outcome
    shown: tuple[str, ...]
    ranking: tuple[str, ...] = ()
    text: str = ""
    principle: str | None = None
    reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    principle_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Critique:
    """What a judge writes about one response under one principle, and whether it finds the principle followed.

    `principle_digest` names the wording that it saw (`constitution.model.Principle.critique_digest`), None where it is not known.
    """

    id: str
    prompt_id: str
    sample_id: str
    judge: str
    principle: str
    text: str
    verdict: Verdict
    reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    principle_digest: str | None = None

    @property
    def version(self) -> str | None:
        """The principle with its wording, as `ID@DIGEST`; None where the wording is not known."""
        return _version(self.principle, self.principle_digest)


@dataclass(frozen=True, slots=True)
class Revision:
    """A response rewritten to follow a principle. `round` counts from 1; `parent_id` is the sample or revision it was made from.

    `principle_digest` names the wording that the editor saw (`constitution.model.Principle.revise_digest`), None where it is not known.
    """

    id: str
    prompt_id: str
    parent_id: str
    critique_id: str
    principle: str
    round: int
    text: str
    model: str
    finish: Finish
    reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    principle_digest: str | None = None

    @property
    def version(self) -> str | None:
        """The principle with its wording, as `ID@DIGEST`; None where the wording is not known."""
        return _version(self.principle, self.principle_digest)

    @property
    def usable(self) -> bool:
        """False for what failed, is empty or was cut off: half an answer is nothing to imitate, nor to revise once more."""
        return self.finish not in (Finish.ERROR, Finish.LENGTH) and bool(self.text.strip())


@dataclass(frozen=True, slots=True)
class Preference:
    """What the judgements of one unordered pair come to. `a_id` < `b_id`.

    `p_a` is P(a is better): per principle the mean over both orders, then combined over principles. `p_shown_a` and `p_shown_b` are
    P(a is better) when a, and when b, was shown first; None where that order gave no opinion. `flipped` says that the two orders
    named different winners. `principles` are the ids asked about ("" alone for the whole constitution), `principle_versions` their
    wordings (`Judgement.version`) as far as they are known.
    """

    prompt_id: str
    a_id: str
    b_id: str
    p_a: float
    p_shown_a: float | None
    p_shown_b: float | None
    flipped: bool
    judgements: int
    principles: tuple[str, ...]
    principle_versions: tuple[str, ...] = ()

    def flip(self) -> Preference:
        """The same preference told of (b, a). Breaks `a_id` < `b_id`; for callers that orient by winner."""

        def other(p: float | None) -> float | None:
            return None if p is None else 1.0 - p

        return replace(
            self,
            a_id=self.b_id,
            b_id=self.a_id,
            p_a=1.0 - self.p_a,
            p_shown_a=other(self.p_shown_b),
            p_shown_b=other(self.p_shown_a),
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """The samples of one prompt in falling order of `scores` (log-odds; their mean is 0)."""

    prompt_id: str
    sample_ids: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """A row to train on: two responses, oriented so that `p_chosen` >= 0.5.

    `p_chosen` is P(chosen is better); `weight` is design (1 unless pairs of a prompt share it), never reliability; `judge_margin` is
    the difference of the two scores in log-odds. `source` is ai, human, blend or revision. `principles` and `principle_versions` as in
    `Preference`.
    """

    id: str
    prompt_id: str
    chosen_id: str
    rejected_id: str
    p_chosen: float
    weight: float
    score_chosen: float
    score_rejected: float
    source: str
    principles: tuple[str, ...] = ()
    flipped: bool = False
    judgements: int = 0
    principle_versions: tuple[str, ...] = ()

    @property
    def judge_margin(self) -> float:
        """Score of the chosen response minus that of the rejected one, in log-odds."""
        return self.score_chosen - self.score_rejected


class Choice(StrEnum):
    """What a person said of two responses."""

    A = "a"
    B = "b"
    TIE = "tie"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Label:
    """One opinion of a person, whatever file it came from. `strength` runs from 0 (barely) to 1 (clearly), None if not asked.

    `shown_first` is a or b, None if unknown. `inclusion_probability` is the chance with which this pair was drawn for labelling.
    `response_a_id` and `response_b_id` name the two samples of a run, where texts alone do not (two rows with the same texts).
    `comment` is what the person wrote beside the choice, None where nothing was.
    `ranking` names the ranking that the pair was taken from: pairs of one ranking are one piece of work and not independent opinions.
    """

    id: str
    prompt: tuple[Message, ...]
    response_a: str
    response_b: str
    preference: Choice
    annotator: str
    strength: float | None = None
    shown_first: Choice | None = None
    principle: str | None = None
    time: str | None = None
    inclusion_probability: float = 1.0
    source: str = ""
    response_a_id: str | None = None
    response_b_id: str | None = None
    comment: str | None = None
    ranking: str | None = None
