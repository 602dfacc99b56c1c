"""Which judge judges, and by which principles: what an evaluation, online DPO and PPO are told. Knows no engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from tenet.config import Between, ModelRef
from tenet.ids import Json

EngineName = Literal["transformers", "vllm", "recorded", "scripted"]


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """A judge and the principles that it judges by (a file, or a shipped one's name), whatever hosts it."""

    model: ModelRef
    principles: ModelRef
    mode: Literal["sampled", "each", "whole"] = "each"
    min_label_mass: Annotated[float, Between(0, 1)] = 0.5
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    prefill: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JudgedBy(_Judged):
    """A judge of pairs in this process."""

    engine: EngineName = "transformers"


@dataclass(frozen=True, kw_only=True)
class JudgeReward(_Judged):
    """A judge whose probability is the reward.

    A judge of pairs says how probably a response is better than a reference to the same prompt: the one in the data's column
    `reference`, or else what the model answered before the training. Kinds rating and propositions need none.
    """

    engine: Literal["transformers", "vllm", "vllm-server", "http", "recorded", "scripted"] = "transformers"
    base_url: tuple[str, ...] = ()
    kind: Literal["pairwise", "rating", "propositions"] = "pairwise"
    against: Literal["initial", "reference"] = "initial"


@dataclass(frozen=True, kw_only=True)
class FunctionReward:
    """A Python function `module:function` of prompt and response, or `pocket`; of several values take `attribute`."""

    function: str
    attribute: str | None = None
