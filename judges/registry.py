"""The kinds of judges by name.

To add one, write its module and a line here; `judge.kind` in run.yaml names it. Plug-ins bring others (`judges.plugin`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from judges.critique_first import COMPARING_PARAMS, CritiqueFirstJudge
from judges.kinds.alone import AloneJudge
from judges.kinds.byprompt import PromptJudge
from judges.kinds.listwise import ListwiseJudge
from judges.kinds.scale import Scale, rating_scale, yes_or_no
from judges.pairwise import PairAsk, PairwiseJudge
from judges.plugin import JudgeKind
from judges.reasoning import THINKING_PARAMS, Markers, ReasoningJudge
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.plugins import Kind, find, names
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
PromptMaker = Callable[["Engine", "Constitution", "JudgeConfig", int], PromptJudge[Any, Any]]
AnyJudge = PairwiseJudge | PromptJudge[Any, Any]
"""A judge of pairs, or one of a prompt's responses by themselves."""


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


def _rating(engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int) -> AloneJudge:
    scale = rating_scale(config.scale.low, config.scale.high, config.scale.rubric, letters=config.letters)
    return _alone(engine, constitution, config, seed, "rating", scale)


def _propositions(engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int) -> AloneJudge:
    return _alone(engine, constitution, config, seed, "propositions", yes_or_no(letters=config.letters))


def _alone(
    engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int,
    kind: Literal["rating", "propositions"], scale: Scale,
) -> AloneJudge:  # fmt: skip
    mode, mass = config.principles, config.min_label_mass
    return AloneJudge(engine, constitution, mode, kind, scale, seed=seed, min_label_mass=mass)


def _listwise(engine: Engine, constitution: Constitution, config: JudgeConfig, seed: int) -> ListwiseJudge:
    return ListwiseJudge(engine, constitution, config.principles, seed=seed, orders=config.orders)


PROMPT_JUDGES: Final[dict[str, PromptMaker]] = {
    "rating": _rating,
    "listwise": _listwise,
    "propositions": _propositions,
}


def make_judge(engine: Engine, constitution: Constitution, config: JudgeConfig, *, seed: int) -> AnyJudge:
    """Make the judge that a configuration names, of whatever kind, on an engine that runs.

    Raises:
        UsageError: no judge of this kind, or several.
        JudgeUnfit: the engine or its tokenizer cannot give the verdicts.
        PluginBroken: the kind is a plug-in's, and cannot be used.
    """
    if config.kind in PROMPT_JUDGES:
        return PROMPT_JUDGES[config.kind](engine, constitution, config, seed)
    return judge_named(config.kind)(engine, constitution, config, seed)


def judge_named(kind: str) -> Maker:
    """What makes judges of pairs of a kind: Tenet's own, or a plug-in's.

    Raises:
        UsageError: no judge of this kind, or several.
        PluginBroken: it is a plug-in's, and cannot be used.
    """
    own = (*JUDGES, *PROMPT_JUDGES)
    plugin = find(Kind.JUDGES, kind, own)
    if plugin is not None:
        return JudgeKind.of(plugin).maker(plugin)
    if kind not in JUDGES:
        raise UsageError(f"judge.kind: {kind!r} is none of {', '.join((*own, *names(Kind.JUDGES)))}")
    return JUDGES[kind]


def create_judge(engine: Engine, constitution: Constitution, config: JudgeConfig, *, seed: int) -> PairwiseJudge:
    """Make the judge of pairs that a configuration names, for what asks about pairs.

    Raises:
        UsageError: no judge of this kind, or one that is not asked about pairs.
        JudgeUnfit: the engine or its tokenizer cannot give the verdicts.
    """
    require_pairs(config.kind, "this command")
    made = make_judge(engine, constitution, config, seed=seed)
    assert isinstance(made, PairwiseJudge)
    return made


def require_pairs(kind: str, what: str) -> None:
    """Refuse a judge that is not asked about pairs; `what` asks about them.

    Raises:
        UsageError: the kind is such a one.
    """
    if kind in PROMPT_JUDGES:
        raise UsageError(
            f"{what} asks a judge about pairs, and a judge of kind {kind} is not asked about pairs",
            hint="use a run with judge.kind: pairwise",
        )
