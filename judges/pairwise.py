"""Asks a model which of two responses follows a principle better, and reads one token's log-probabilities.

Where the engine gives only the letter that the model wrote, the judgement is a vote: an outcome without a probability.
One question shows one order; callers ask both (`generate.schedule` does). The layout is fixed: prompt and
responses first, the principle with its question last, so that questions about the same pair share all but
their tails in a prefix cache, and an edited principle changes only its own keys. Only the whole-constitution
mode puts principles in front, where the prompts that they apply to share them. Knows no run folder, and
nothing of what becomes of a judgement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import ClassVar, Final

from constitution.model import Constitution, Principle, Tier
from constitution.select import applying, draw
from engines.base import Engine, LabelRead, Request, TokenIds
from engines.prompting import Span, Template
from judges.asks import Ask, Questionnaire, answered, conversation, load_template
from judges.labels import LabelVerdict, read_verdict, read_vote
from tenet.errors import JudgeUnfit
from tenet.ids import Json, digest
from tenet.records import Judgement, Outcome, Prompt, Sample

LABELS: Final = ("A", "B")
_RULE_NOTE: Final = " (A rule: it decides before the others.)"


class Mode(StrEnum):
    """What a prompt's pairs are judged by: one principle drawn for it, each that applies, or all at once."""

    SAMPLED = "sampled"
    EACH = "each"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairAsk(Ask):
    """A question about two responses, the first of which is shown first.

    `principle_digest` is what the judgement will carry under that name.
    """

    first_id: str
    second_id: str
    principle_digest: str


class PairwiseJudge:
    """A model as a judge of pairs by a constitution.

    `min_label_mass` is the least P(A) + P(B) that counts as an answer. `written` is the most that it writes before its
    verdict: nothing here, something with the kinds that are made of this one.

    Raises:
        JudgeUnfit: the engine reads no label log-probabilities, or a label is no single token for it.
    """

    kind: ClassVar[str] = "pairwise"
    template: ClassVar[str] = "pairwise"
    written: int = 0

    def __init__(
        self,
        engine: Engine,
        constitution: Constitution,
        mode: Mode | str = Mode.SAMPLED,
        *,
        seed: int = 0,
        min_label_mass: float = 0.5,
    ) -> None:
        if not engine.capabilities.label_logprobs:
            raise JudgeUnfit(
                f"the engine {engine.info.engine} does not read the log-probabilities of labels",
                hint="judge with engine: vllm or engine: transformers",
            )
        self.engine = engine
        self.constitution = constitution
        self.mode = Mode(mode)
        self.seed = seed
        self.min_label_mass = min_label_mass
        self.name = engine.info.model
        self.labels = self._label_tokens()
        self._questions = Questionnaire(engine, self._template(self.template), self.kind, self._parameters())
        self._asked: tuple[Prompt | None, tuple[Question, ...]] = (None, ())

    @property
    def fingerprint(self) -> dict[str, Json]:
        """What identifies this judge in a run: its model, template, labels and manner of asking."""
        return {
            "kind": self.kind,
            "mode": self.mode.value,
            "seed": self.seed,
            "model": self.engine.info.as_json(),
            "template": self._questions.template.digest,
            "parameters": self._parameters(),
        }

    def under(self, constitution: Constitution) -> PairwiseJudge:
        """The same judge of other principles."""
        return PairwiseJudge(
            self.engine, constitution, self.mode, seed=self.seed, min_label_mass=self.min_label_mass
        )  # fmt: skip

    @property
    def requests(self) -> int:
        """How many requests to the engine a question takes."""
        return 1

    def overhead(self, subject: str | None) -> int:  # noqa: ARG002 - the same of all
        """Tokens that stand between a question with what was written after it and the verdict; `subject` as in `subjects`."""
        return 0

    def need(self, ask: PairAsk) -> tuple[int, int]:
        """The most tokens that an answer may have read and written."""
        return (0, 0) if ask.problem else self.most(len(ask.tokens), ask.principle)

    def most(self, tokens: int, subject: str | None) -> tuple[int, int]:  # noqa: ARG002 - the same of all
        """The most tokens that the answer to a question of so many tokens may have read and written."""
        return tokens, 1

    def before_verdict(self, ask: PairAsk) -> Request:
        """What the model reads right before its verdict."""
        return ask.request

    def principles(self, prompt: Prompt) -> tuple[str, ...]:
        """Name the principles that this prompt's pairs are judged by.

        Empty where none applies: then nothing is asked.
        """
        if self.mode is Mode.SAMPLED:
            drawn = draw(self.constitution, prompt, self.seed)
            return () if drawn is None else (drawn.id,)
        return tuple(principle.id for principle in applying(self.constitution, prompt))

    def subjects(self, prompt: Prompt) -> tuple[str | None, ...]:
        """What each question of `asks` is about, in its order: a principle, or None for the whole constitution."""
        return tuple(question.principle for question in self._questions_of(prompt))

    def wordings(self, prompt: Prompt) -> Mapping[str | None, str]:
        """The digest of each question's wording, by what it is about: where these are equal, equal things are asked of a pair."""
        return {question.principle: question.digest for question in self._questions_of(prompt)}

    def asks(
        self, prompt: Prompt, first: Sample, second: Sample, only: Collection[str | None] | None = None
    ) -> list[PairAsk]:
        """Make the questions about one pair in one order.

        There is one a principle with `each`, else one; none where no principle applies. `only` leaves out
        what `subjects` has and it has not.
        """
        asked = [one for one in self._questions_of(prompt) if only is None or one.principle in only]
        return [self._ask(prompt, first, second, question) for question in asked]

    def asks_under(self, prompt: Prompt, first: Sample, second: Sample, principles: Collection[str]) -> list[PairAsk]:
        """Make the questions about one pair in one order under certain principles, and under these alone with `sampled`.

        With `each` and `whole` they are those of `asks`, for there nothing is drawn that could leave one out.
        """
        if self.mode is not Mode.SAMPLED:
            return self.asks(prompt, first, second)
        chosen = [principle for principle in self.constitution.active if principle.id in principles]
        return [self._ask(prompt, first, second, question_of(principle)) for principle in chosen]

    def judge(self, asks: Sequence[PairAsk]) -> list[Judgement]:
        """Answer questions in one call to the engine, in order. What goes wrong with one is its outcome.

        Raises:
            EngineError: the engine itself has failed.
        """
        sent = [ask for ask in asks if not ask.problem]
        reads = iter(self.engine.read_labels([ask.request for ask in sent], self.labels) if sent else [])
        return [self._unasked(ask) if ask.problem else self._judgement(ask, next(reads)) for ask in asks]

    def stream(self, asks: Iterable[PairAsk]) -> Iterator[Judgement]:
        """Answer questions as the engine has room for them, in the order in which the answers come.

        Raises:
            EngineError: the engine itself has failed.
        """
        for ask, read in answered(asks, partial(self.engine.stream_labels, labels=self.labels)):
            yield self._unasked(ask) if read is None else self._judgement(ask, read)

    def _template(self, name: str) -> Template:
        return load_template(f"{name}-whole" if self.mode is Mode.WHOLE else name)

    def _label_tokens(self) -> tuple[TokenIds, ...]:
        return self.engine.tokenizer.label_set(LABELS)

    def _made(self, ask: PairAsk, shown: Sequence[Span], question: Question) -> PairAsk:  # noqa: ARG002 - for kinds that go on
        """The question as this kind of judge asks it; `shown` is what `ask.tokens` show."""
        return ask

    def _parameters(self) -> dict[str, Json]:
        return {"labels": [list(ids) for ids in self.labels], "min_label_mass": self.min_label_mass}

    def _questions_of(self, prompt: Prompt) -> tuple[Question, ...]:
        if self._asked[0] is not prompt:
            self._asked = (prompt, self._make(prompt))
        return self._asked[1]

    def _make(self, prompt: Prompt) -> tuple[Question, ...]:
        ids = self.principles(prompt)
        chosen = [principle for principle in self.constitution.active if principle.id in ids]
        if self.mode is Mode.WHOLE:
            shown = listed(chosen)
            return (Question(None, digest(shown)[:12], {"principles": shown}),) if chosen else ()
        return tuple(map(question_of, chosen))

    def _ask(self, prompt: Prompt, first: Sample, second: Sample, question: Question) -> PairAsk:
        shown = self._questions.template.fill(
            prompt=conversation(prompt),
            response_a=first.text.strip(),
            response_b=second.text.strip(),
            **question.fields,
        )
        tokens = self._questions.opened(shown)
        ask = PairAsk(
            key=self._questions.key((prompt.id, first.id, second.id, question.principle or ""), tokens),
            prompt_id=prompt.id,
            principle=question.principle,
            tokens=tokens,
            problem=self._questions.problem(tokens),
            first_id=first.id,
            second_id=second.id,
            principle_digest=question.digest,
        )
        return self._made(ask, shown, question)

    def _unasked(self, ask: PairAsk) -> Judgement:
        return self._record(ask, LabelVerdict(Outcome.ERROR, reason=ask.problem), None)

    def _judgement(self, ask: PairAsk, read: LabelRead) -> Judgement:
        if read.error:
            return self._record(ask, LabelVerdict(Outcome.ERROR, reason=read.error), read)
        verdict = read_vote(read.logprobs) if read.kind == "text" else read_verdict(read.logprobs, self.min_label_mass)
        return self._record(ask, verdict, read)

    def _record(self, ask: PairAsk, verdict: LabelVerdict, read: LabelRead | None) -> Judgement:
        return Judgement(
            id=ask.record_id,
            prompt_id=ask.prompt_id,
            first_id=ask.first_id,
            second_id=ask.second_id,
            judge=self.name,
            outcome=verdict.outcome,
            p_first=verdict.p_first,
            label_mass=verdict.mass,
            principle=ask.principle,
            prompt_tokens=read.usage.prompt_tokens if read else None,
            cached_tokens=read.usage.cached_tokens if read else None,
            reason=verdict.reason,
            completion_tokens=read.usage.completion_tokens if read else None,
            principle_digest=ask.principle_digest,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """The fields of a template that do not depend on the pair."""

    principle: str | None
    digest: str
    fields: dict[str, str]


def question_of(principle: Principle) -> Question:
    """What is asked about a principle of any pair."""
    fields = {"principle": principle.text, "question": principle.compare_question}
    return Question(principle.id, principle.compare_digest, fields)


def listed(principles: Sequence[Principle]) -> str:
    """Write principles as a list, one a line; rules come first and say that they are rules."""
    ordered = sorted(principles, key=lambda principle: principle.tier is not Tier.RULE)
    return "\n".join(f"- {p.text.strip()}{_RULE_NOTE if p.tier is Tier.RULE else ''}" for p in ordered)
