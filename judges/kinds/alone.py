"""Has a model judge one response under one principle, and reads one token's log-probabilities: a rating, or a yes or no.

The answer is the probability of every rung of a scale (`judges.kinds.scale`) and its expectation; two responses are compared by these
afterwards (`judges.kinds.rated`), so N responses take N questions and not N(N - 1). No response is seen beside another, and nothing is
shown first: there is no order to be consistent over, and no position bias. Knows no run folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import ClassVar, Literal

from constitution.model import Constitution, Principle
from engines.base import Engine, LabelRead
from engines.spans import trusted
from judges.asks import Ask, Questionnaire, answered, conversation, load_template
from judges.kinds.byprompt import RATINGS, PromptJudge, commonest
from judges.kinds.scale import Read, Scale
from judges.pairwise import Mode
from tenet.errors import JudgeUnfit
from tenet.ids import Json
from tenet.records import Outcome, Prompt, Rating, Sample

TEMPLATES = {"rating": "rating", "propositions": "proposition"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneAsk(Ask):
    """A question about one response under one principle."""

    sample_id: str
    principle_digest: str


class AloneJudge(PromptJudge[AloneAsk, Rating]):
    """A model as a judge of single responses on `scale`, of kind `rating` or `propositions`.

    `min_label_mass` is the least that all labels of the scale together must hold.

    Raises:
        JudgeUnfit: the engine reads no labels, a label is no single token for it, or the mode is `whole`.
    """

    stage: ClassVar[str] = RATINGS
    record_type = Rating

    def __init__(
        self, engine: Engine, constitution: Constitution, mode: Mode | str, kind: Literal["rating", "propositions"],
        scale: Scale, *, seed: int = 0, min_label_mass: float = 0.5,
    ) -> None:  # fmt: skip
        self.kind = kind
        super().__init__(engine, constitution, mode, seed=seed)
        if not engine.capabilities.label_logprobs:
            raise JudgeUnfit(
                f"the engine {engine.info.engine} does not read the log-probabilities of labels, which kind {kind} needs",
                hint="judge with engine: vllm or engine: transformers",
            )
        self.scale = scale
        self.min_label_mass = min_label_mass
        self.labels = _tokens(engine, scale)
        self._questions = Questionnaire(engine, load_template(TEMPLATES[kind]), kind, self._parameters())

    def asks(self, prompt: Prompt, samples: Sequence[Sample]) -> list[AloneAsk]:
        """Make one question a sample and principle, those about a sample together; none where there is nothing to compare it with."""
        chosen = self._chosen(prompt) if len(samples) > 1 else ()
        return [self._ask(prompt, sample, principle) for sample in samples for principle in chosen]

    def stream(self, asks: Iterable[AloneAsk]) -> Iterator[Rating]:
        """See `PromptJudge.stream`."""
        for ask, read in answered(asks, partial(self.engine.stream_labels, labels=self.labels)):
            yield self._record(ask, read)

    def _ask(self, prompt: Prompt, sample: Sample, principle: Principle) -> AloneAsk:
        more = {"scale": [trusted(self.scale.told)]} if self.kind == "rating" else {}
        tokens = self._questions.tokens(
            prompt=conversation(prompt),
            response=sample.text.strip(),
            principle=principle.text,
            question=principle.critique_question,
            labels=[trusted(self.scale.named(falling=self.kind == "propositions"))],
            **more,
        )
        return AloneAsk(
            key=self._questions.key((prompt.id, sample.id, principle.id), tokens),
            prompt_id=prompt.id,
            principle=principle.id,
            tokens=tokens,
            problem=self._questions.problem(tokens),
            sample_id=sample.id,
            principle_digest=self._wording(principle),
        )

    def _record(self, ask: AloneAsk, answer: LabelRead | None) -> Rating:
        if answer is None or answer.error:
            read = Read(Outcome.ERROR, reason=ask.problem if answer is None else answer.error)
        elif answer.kind == "text":
            read = self.scale.read_written(answer.logprobs)
        else:
            read = self.scale.read(answer.logprobs, self.min_label_mass)
        return Rating(
            id=ask.record_id,
            prompt_id=ask.prompt_id,
            sample_id=ask.sample_id,
            judge=self.name,
            outcome=read.outcome,
            score=read.score,
            low=float(self.scale.low),
            high=float(self.scale.high),
            principle=ask.principle,
            reason=read.reason,
            distribution=read.distribution,
            label_mass=read.mass,
            prompt_tokens=answer.usage.prompt_tokens if answer else None,
            completion_tokens=answer.usage.completion_tokens if answer else None,
            cached_tokens=answer.usage.cached_tokens if answer else None,
            principle_digest=ask.principle_digest,
        )

    def _asking(self) -> dict[str, Json]:
        return {"template": self._questions.template.digest, "parameters": self._parameters()}

    def _parameters(self) -> dict[str, Json]:
        return {
            "scale": self.scale.as_json(),
            "tokens": [list(ids) for ids in self.labels],
            "min_label_mass": self.min_label_mass,
        }

    def _wording(self, principle: Principle) -> str:
        return principle.critique_digest

    def _checked(self, found: Sequence[Rating]) -> str:
        failed = [one.reason for one in found if one.outcome is Outcome.ERROR]
        if 2 * len(failed) >= len(found):
            raise JudgeUnfit(
                f"the judge failed on {len(failed)} of {len(found)} questions; most often: {commonest(failed)}",
                hint="mend what the reason names, then run the same command",
            )
        masses = [one.label_mass for one in found if one.label_mass is not None]
        if not masses:
            return f"pre-flight: {len(found)} questions answered by text, without a probability"
        if (middle := median(masses)) < self.min_label_mass:
            raise JudgeUnfit(
                f"{self.name} does not answer with one {self.scale.named()}: their probabilities sum to {middle:.3g} "
                f"(median of {len(masses)} questions); {self.min_label_mass:g} is needed",
                hint='set judge.prefill: "Answer: " or another opening after which the label must follow, set judge.letters: true, or '
                "use a model tuned to follow instructions; for one that thinks first judge.chat_template_kwargs: {enable_thinking: false}",
            )
        low = sum(one.outcome is Outcome.LOW_MASS for one in found)
        text = f"pre-flight: label mass {middle:.3f} (median), {min(masses):.3f} (least) over {len(found)} questions"
        return "; ".join([text, *([f"{low} low"] if low else []), *([f"{len(failed)} failed"] if failed else [])])


def _tokens(engine: Engine, scale: Scale) -> tuple[tuple[int, ...], ...]:
    """The tokens of a scale's labels.

    Raises:
        JudgeUnfit: a label is no single token, or shares one with another.
    """
    try:
        return engine.tokenizer.label_set(scale.labels)
    except JudgeUnfit as error:
        cure = (
            "use another judge model" if scale.word == "letter" else "set judge.letters: true, or use a shorter scale"
        )
        raise JudgeUnfit(f"the scale cannot be read: {error.message}", hint=cure) from error
