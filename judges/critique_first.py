"""Compares two responses in writing before it says which is better: a critique, or chain of thought, before the verdict.

The critique is a turn of the model's own, the verdict is asked for in the turn after it, so it works wherever a conversation does, by
messages too. The critique is kept with the judgement. Whether it makes a judge better differs from model to model; `tenet calibrate --also`
tells it for one. Knows no run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Final

from constitution.model import Constitution
from engines.base import Completion, Engine, SamplingParams, TokenIds
from engines.prompting import Span, untrusted
from judges.chain import ChainJudge, Text
from judges.pairwise import Mode, PairAsk, Question, question_of
from tenet.ids import Json
from tenet.records import Finish

COMPARING_PARAMS: Final = SamplingParams(max_tokens=256, temperature=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiqueFirstAsk(PairAsk):
    """A question about two responses with the turn that shows them, and the one that asks for the verdict."""

    shown: tuple[Span, ...]
    closing: tuple[Span, ...]


class CritiqueFirstJudge(ChainJudge):
    """A model as a judge that compares two responses in writing first; see `judges.chain`.

    Raises:
        JudgeUnfit: see `ChainJudge`.
    """

    kind: ClassVar[str] = "critique-first"
    template: ClassVar[str] = "critique-first"

    def __init__(
        self,
        engine: Engine,
        constitution: Constitution,
        mode: Mode | str = Mode.SAMPLED,
        *,
        params: SamplingParams = COMPARING_PARAMS,
        seed: int = 0,
        min_label_mass: float = 0.5,
        clamp: Sequence[float] = (),
    ) -> None:
        self._overheads: dict[str | None, int] = {}
        super().__init__(
            engine, constitution, mode, params=params, seed=seed, min_label_mass=min_label_mass, clamp=clamp
        )

    def under(self, constitution: Constitution) -> CritiqueFirstJudge:
        """See `PairwiseJudge.under`."""
        return CritiqueFirstJudge(
            self.engine, constitution, self.mode, params=self.params, seed=self.seed,
            min_label_mass=self.min_label_mass, clamp=self.clamp,
        )  # fmt: skip

    def overhead(self, subject: str | None) -> int:
        """See `PairwiseJudge.overhead`: the turn that asks for the verdict."""
        if subject not in self._overheads:
            question = Question(None, "", {}) if subject is None else question_of(self.constitution.get(subject))
            first, closing = self._questions.opened(()), self._closing(question)
            self._overheads[subject] = len(self._questions.opened((), (), closing)) - len(first)
        return self._overheads[subject]

    def text_of(self, answer: Completion) -> Text:
        """The critique."""
        return Text(critique=answer.text.strip(), cut=answer.finish is Finish.LENGTH)

    def missing(self, text: Text) -> str:
        """A judge that writes nothing has been asked another question than those that do."""
        return "" if text.critique else "the judge wrote no critique"

    def verdict_tokens(self, ask: PairAsk, text: Text) -> TokenIds:
        """Three turns: the responses, the critique, the question."""
        assert isinstance(ask, CritiqueFirstAsk)
        return self._questions.opened(ask.shown, (untrusted(text.critique),), ask.closing)

    def _parameters(self) -> dict[str, Json]:
        return {**super()._parameters(), "verdict": self._template("verdict").digest}

    def _made(self, ask: PairAsk, shown: Sequence[Span], question: Question) -> PairAsk:
        told = {field.name: getattr(ask, field.name) for field in fields(ask)}
        told["problem"] = self._questions.problem(ask.tokens, self.written + self.overhead(question.principle))
        return CritiqueFirstAsk(**told, shown=tuple(shown), closing=self._closing(question))

    def _closing(self, question: Question) -> tuple[Span, ...]:
        template = self._template("verdict")
        return template.fill(**{name: question.fields[name] for name in template.fields})
