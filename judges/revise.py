"""Has a model rewrite a response by a critique, over several rounds.

A round is a critique and a revision; the next one criticises the revision (`as_sample`) and revises that. The
method is the supervised phase of Constitutional AI (Bai et al. 2022, section 3). Knows no run folder. A
revision is stripped of outer white space and of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from constitution.model import Principle
from engines.base import Completion, Engine, SamplingParams
from judges.asks import Ask, Questionnaire, answered, conversation, load_template
from judges.critique import complete, require_generation
from tenet.ids import Json
from tenet.records import Critique, Finish, Prompt, Revision, Sample

REVISE_PARAMS: Final = SamplingParams(max_tokens=512, temperature=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseAsk(Ask):
    """A request to rewrite one response. `round` counts from 1."""

    parent_id: str
    critique_id: str
    principle_id: str
    principle_digest: str
    round: int


class Reviser:
    """A model as an editor of single responses.

    Raises:
        JudgeUnfit: the engine does not generate text.
    """

    def __init__(self, engine: Engine, *, params: SamplingParams = REVISE_PARAMS) -> None:
        self.engine = engine
        self.params = params
        self.name = engine.info.model
        require_generation(engine)
        self._questions = Questionnaire(engine, load_template("revise"), "revise", params.as_json())

    @property
    def fingerprint(self) -> dict[str, Json]:
        """What identifies this editor in a run."""
        return {
            "kind": "revise",
            "model": self.engine.info.as_json(),
            "template": self._questions.template.digest,
            "parameters": self.params.as_json(),
        }

    def asks(
        self, prompt: Prompt, response: Sample | Revision, principle: Principle, critique: Critique
    ) -> list[ReviseAsk]:
        """Make the request (a list of one) to rewrite a response; the round follows from the response."""
        tokens = self._questions.tokens(
            prompt=conversation(prompt),
            response=response.text.strip(),
            critique=critique.text.strip(),
            principle=principle.text,
            question=principle.revise_instruction,
        )
        round_ = response.round + 1 if isinstance(response, Revision) else 1
        ask = ReviseAsk(
            key=self._questions.key((prompt.id, response.id, critique.id, principle.id, round_), tokens),
            prompt_id=prompt.id,
            principle=principle.id,
            tokens=tokens,
            problem=self._questions.problem(tokens),
            parent_id=response.id,
            critique_id=critique.id,
            principle_id=principle.id,
            principle_digest=principle.revise_digest,
            round=round_,
        )
        return [ask]

    def revise(self, asks: Sequence[ReviseAsk]) -> list[Revision]:
        """Answer requests in one call to the engine, in order.

        What goes wrong with one is its finish and reason.

        Raises:
            EngineError: the engine itself has failed.
        """
        return [
            self._record(ask, answer)
            for ask, answer in zip(asks, complete(self.engine, asks, self.params), strict=True)
        ]

    def stream(self, asks: Iterable[ReviseAsk]) -> Iterator[Revision]:
        """Answer requests as the engine has room for them, in the order in which the answers come.

        Raises:
            EngineError: the engine itself has failed.
        """
        for ask, answer in answered(asks, partial(self.engine.stream_completions, params=self.params)):
            yield self._record(ask, answer)

    def _record(self, ask: ReviseAsk, answer: Completion | None) -> Revision:
        text, finish, reason = "", Finish.ERROR, ask.problem
        if answer is not None and answer.finish is Finish.ERROR:
            reason = answer.error
        elif answer is not None and not answer.text.strip():
            reason = "the revision is empty"
        elif answer is not None:
            text, finish, reason = answer.text.strip(), answer.finish, ""
            if finish is Finish.LENGTH:
                reason = f"cut off at {answer.usage.completion_tokens} tokens"
        return Revision(
            id=ask.record_id,
            prompt_id=ask.prompt_id,
            parent_id=ask.parent_id,
            critique_id=ask.critique_id,
            principle=ask.principle_id,
            round=ask.round,
            text=text,
            model=self.name,
            finish=finish,
            reason=reason,
            prompt_tokens=answer.usage.prompt_tokens if answer else None,
            completion_tokens=answer.usage.completion_tokens if answer else None,
            cached_tokens=answer.usage.cached_tokens if answer else None,
            principle_digest=ask.principle_digest,
        )


def as_sample(revision: Revision, original: Sample) -> Sample:
    """See a revision as a sample, to be criticised or judged like one; its policy is the reviser."""
    return replace(
        original,
        id=revision.id,
        text=revision.text,
        policy=revision.model,
        finish=revision.finish,
        prompt_tokens=None,
        completion_tokens=None,
        cached_tokens=None,
        reason=revision.reason,
    )
