"""The kinds of judges by name.

To add one, write its module and a line here; `judge.kind` in run.yaml names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from judges.critique_first import COMPARING_PARAMS, CritiqueFirstJudge
from judges.pairwise import PairAsk, PairwiseJudge
from judges.reasoning import THINKING_PARAMS, Markers, ReasoningJudge
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Judgement, Prompt, Sample

if TYPE_CHECKING:
    from constitution.model import Constitution
    from engines.base import Engine
    from tenet.runconfig import JudgeConfig


class PairJudge(Protocol):
    """Whatever makes questions about ordered pairs and answers them."""

    @property
    def fingerprint(self) -> dict[str, Json]:
        """What identifies the judge in a run."""
        ...

    def principles(self, prompt: Prompt) -> tuple[str, ...]:
        """Name the principles that a prompt's pairs are judged by; empty where nothing is asked."""
        ...

    def asks(self, prompt: Prompt, first: Sample, second: Sample) -> list[PairAsk]:
        """Make the questions about one pair in one order."""
        ...

    def judge(self, asks: Sequence[PairAsk]) -> list[Judgement]:
        """Answer questions in order."""
        ...


Maker = Callable[["Engine", "Constitution", "JudgeConfig", int], PairwiseJudge]


def _pairwise(engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int) -> PairwiseJudge:
    return PairwiseJudge(engine, constitution, config.principles, seed=seed, min_label_mass=config.min_label_mass)


def _critique_first(engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int) -> PairwiseJudge:
    told, params = config.critique, COMPARING_PARAMS
    if told is not None:
        params = replace(params, max_tokens=told.max_tokens, temperature=told.temperature)
    return CritiqueFirstJudge(
        engine, constitution, config.principles, params=params, seed=seed, min_label_mass=config.min_label_mass,
        clamp=config.clamp,
    )  # fmt: skip


def _reasoning(engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int) -> PairwiseJudge:
    told, params, markers = config.thinking, THINKING_PARAMS, Markers()
    if told is not None:
        params = replace(params, max_tokens=told.budget, temperature=told.temperature, top_p=told.top_p)
        markers = Markers(told.open, told.close)
    return ReasoningJudge(
        engine, constitution, config.principles, params=params, markers=markers, seed=seed,
        min_label_mass=config.min_label_mass, clamp=config.clamp,
    )  # fmt: skip


JUDGES: Final[dict[str, Maker]] = {
    "pairwise": _pairwise,
    "critique-first": _critique_first,
    "reasoning": _reasoning,
}


def create_judge(engine: Engine, constitution: Constitution, config: JudgeConfig, *, seed: int) -> PairwiseJudge:
    """Make the judge that a configuration names, on an engine that runs.

    Raises:
        UsageError: no judge of this kind.
        JudgeUnfit: the engine or its tokenizer cannot give the verdicts.
    """
    if config.kind not in JUDGES:
        raise UsageError(f"judge.kind: {config.kind!r} is none of {', '.join(JUDGES)}")
    return JUDGES[config.kind](engine, constitution, config, seed)
