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
    """The judge: a folder or a hub id."""
    principles: ModelRef
    """What it judges by: a file, or a shipped one's name."""
    mode: Literal["sampled", "each", "whole"] = "each"
    """One principle for each prompt; every one on its own; or all in one question."""
    min_label_mass: Annotated[float, Between(0, 1)] = 0.5
    """An answer with less probability on its labels is no vote."""
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    """For the chat template; models that think must not."""
    prefill: str = ""
    """Opens the judge's answer."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """Settings of the engine."""


@dataclass(frozen=True, kw_only=True)
class JudgedBy(_Judged):
    """A judge of pairs in this process."""

    engine: EngineName = "transformers"
    """The host of the judge."""


@dataclass(frozen=True, kw_only=True)
class JudgeReward(_Judged):
    """A judge whose probability is the reward.

    A judge of pairs says how probably a response is better than a reference to the same prompt: the one in the data's column
    `reference`, or else what the model answered before the training. Kinds rating and propositions need none.
    """

    engine: Literal["transformers", "vllm", "vllm-server", "http", "recorded", "scripted"] = "transformers"
    """The host of the judge."""
    base_url: tuple[str, ...] = ()
    """With `http`: the server's address; several are a list."""
    kind: Literal["pairwise", "rating", "propositions"] = "pairwise"
    """How it is asked."""
    against: Literal["initial", "reference"] = "initial"
    """With `pairwise`: what a response is compared with."""


@dataclass(frozen=True, kw_only=True)
class FunctionReward:
    """A Python function `module:function` of prompt and response, or `pocket`; of several values take `attribute`."""

    function: str
    """`module:function`, or `pocket`."""
    attribute: str | None = None
    """The one of its values to take, where it gives several."""
