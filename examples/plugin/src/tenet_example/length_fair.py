"""A judge that takes off what a response gains by being longer: the log-odds of each answer, less so much for each doubling of length.

How much that is, is a measurement: `tenet card` shows a judge's length bias against people's. Knows nothing of why a response is long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from judges.pairwise import Mode, PairAsk, PairwiseJudge, Question
from judges.plugin import JudgeKind
from judges.probability import log_odds, sigmoid
from tenet.config import AtLeast
from tenet.records import Judgement, Outcome, Prompt, Sample

if TYPE_CHECKING:
    from constitution.model import Constitution
    from engines.base import Engine, LabelRead
    from tenet.ids import Json
    from tenet.judgeconfig import JudgeConfig


@dataclass(frozen=True)
class LengthFairSettings:
    """`per_doubling` is what a response of twice the length is held to gain, in log-odds."""

    per_doubling: Annotated[float, AtLeast(0)] = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthAsk(PairAsk):
    """A question about two responses; `doublings` is how often the second's length doubles up to the first's."""

    doublings: float


class LengthFairJudge(PairwiseJudge):
    """Asks as a pairwise judge does, and corrects the answer."""

    kind: ClassVar[str] = "length-fair"

    def __init__(
        self,
        engine: Engine,
        constitution: Constitution,
        mode: Mode | str = Mode.SAMPLED,
        *,
        seed: int = 0,
        min_label_mass: float = 0.5,
        per_doubling: float = 0.3,
    ) -> None:
        self.per_doubling = per_doubling  # before the parent asks for the parameters
        super().__init__(engine, constitution, mode, seed=seed, min_label_mass=min_label_mass)

    def under(self, constitution: Constitution) -> LengthFairJudge:
        """The same judge of other principles."""
        return LengthFairJudge(
            self.engine, constitution, self.mode, seed=self.seed, min_label_mass=self.min_label_mass,
            per_doubling=self.per_doubling,
        )  # fmt: skip

    def _parameters(self) -> dict[str, Json]:
        """What changes an answer goes into the keys of questions, so that another setting asks anew."""
        return {**super()._parameters(), "per_doubling": self.per_doubling}

    def _ask(self, prompt: Prompt, first: Sample, second: Sample, question: Question) -> PairAsk:
        ask = super()._ask(prompt, first, second, question)
        told = {field.name: getattr(ask, field.name) for field in fields(ask)}
        lengths = [max(1, len(sample.text.split())) for sample in (first, second)]
        return LengthAsk(**told, doublings=math.log2(lengths[0] / lengths[1]))

    def _judgement(self, ask: PairAsk, read: LabelRead) -> Judgement:
        found = super()._judgement(ask, read)
        if found.p_first is None or not isinstance(ask, LengthAsk):
            return found  # no opinion, or a vote without a probability
        p = sigmoid(log_odds(found.p_first) - self.per_doubling * ask.doublings)
        return replace(
            found, p_first=p, outcome=Outcome.TIE if p == 0.5 else Outcome.FIRST if p > 0.5 else Outcome.SECOND
        )


def make(
    engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int, settings: LengthFairSettings
) -> LengthFairJudge:
    """Make the judge that run.yaml describes."""
    return LengthFairJudge(
        engine, constitution, config.principles, seed=seed, min_label_mass=config.min_label_mass,
        per_doubling=settings.per_doubling,
    )  # fmt: skip


LENGTH_FAIR = JudgeKind(LengthFairSettings, make)
