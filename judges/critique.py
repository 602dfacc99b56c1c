"""Has a model criticise one response under one principle, and say whether the principle is followed.

Knows no run folder. The text is kept whatever comes of the verdict: a critique whose verdict cannot be read
is UNPARSED, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from constitution.model import Principle
from engines.base import Completion, Engine, SamplingParams
from judges.asks import Ask, Questionnaire, answered, conversation, load_template
from judges.verdicts import parse_critique
from tenet.errors import JudgeUnfit
from tenet.ids import Json
from tenet.records import Critique, Finish, Prompt, Sample, Verdict

CRITIQUE_PARAMS: Final = SamplingParams(max_tokens=256, temperature=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiqueAsk(Ask):
    """A question about one response."""

    sample_id: str
    principle_id: str
    principle_digest: str


class CritiqueJudge:
    """A model as a critic of single responses.

    Raises:
        JudgeUnfit: the engine does not generate text.
    """

    def __init__(self, engine: Engine, *, params: SamplingParams = CRITIQUE_PARAMS) -> None:
        self.engine = engine
        self.params = params
        self.name = engine.info.model
        require_generation(engine)
        self._questions = Questionnaire(engine, load_template("critique"), "critique", params.as_json())

    @property
    def fingerprint(self) -> dict[str, Json]:
        """What identifies this critic in a run."""
        return {
            "kind": "critique",
            "model": self.engine.info.as_json(),
            "template": self._questions.template.digest,
            "parameters": self.params.as_json(),
        }

    def asks(self, prompt: Prompt, sample: Sample, principle: Principle) -> list[CritiqueAsk]:
        """Make the question (a list of one) about a response under a principle."""
        tokens = self._questions.tokens(
            prompt=conversation(prompt),
            response=sample.text.strip(),
            principle=principle.text,
            question=principle.critique_question,
        )
        ask = CritiqueAsk(
            key=self._questions.key((prompt.id, sample.id, principle.id), tokens),
            prompt_id=prompt.id,
            principle=principle.id,
            tokens=tokens,
            problem=self._questions.problem(tokens),
            sample_id=sample.id,
            principle_id=principle.id,
            principle_digest=principle.critique_digest,
        )
        return [ask]

    def critique(self, asks: Sequence[CritiqueAsk]) -> list[Critique]:
        """Answer questions in one call to the engine, in order. What goes wrong with one is its verdict.

        Raises:
            EngineError: the engine itself has failed.
        """
        return [
            self._record(ask, answer)
            for ask, answer in zip(asks, complete(self.engine, asks, self.params), strict=True)
        ]

    def stream(self, asks: Iterable[CritiqueAsk]) -> Iterator[Critique]:
        """Answer questions as the engine has room for them, in the order in which the answers come.

        Raises:
            EngineError: the engine itself has failed.
        """
        for ask, answer in answered(asks, partial(self.engine.stream_completions, params=self.params)):
            yield self._record(ask, answer)

    def _record(self, ask: CritiqueAsk, answer: Completion | None) -> Critique:
        text, verdict, reason = "", Verdict.ERROR, ask.problem
        if answer is not None and answer.finish is Finish.ERROR:
            reason = answer.error
        elif answer is not None:
            parsed = parse_critique(answer.text)
            text, verdict, reason = parsed.text, parsed.verdict, parsed.reason
            if verdict is Verdict.UNPARSED and answer.finish is Finish.LENGTH:
                reason = f"cut off at {answer.usage.completion_tokens} tokens before a verdict"
        return Critique(
            id=ask.record_id,
            prompt_id=ask.prompt_id,
            sample_id=ask.sample_id,
            judge=self.name,
            principle=ask.principle_id,
            text=text,
            verdict=verdict,
            reason=reason,
            prompt_tokens=answer.usage.prompt_tokens if answer else None,
            completion_tokens=answer.usage.completion_tokens if answer else None,
            cached_tokens=answer.usage.cached_tokens if answer else None,
            principle_digest=ask.principle_digest,
        )


def require_generation(engine: Engine) -> None:
    """Check that an engine generates text.

    Raises:
        JudgeUnfit: it does not.
    """
    if not engine.capabilities.generates:
        raise JudgeUnfit(
            f"the engine {engine.info.engine} does not generate text: it cannot write critiques or revisions",
            hint="set critique: none and leave out revise, or use engine: vllm or engine: transformers",
        )


def complete(engine: Engine, asks: Sequence[Ask], params: SamplingParams) -> list[Completion | None]:
    """Complete the questions that can be sent, in one call; None stands for those that cannot."""
    sent = [ask for ask in asks if not ask.problem]
    answers = iter(engine.generate([ask.request for ask in sent], params) if sent else [])
    return [None if ask.problem else next(answers) for ask in asks]
