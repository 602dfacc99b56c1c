"""Which judge judges, and by which principles: what an evaluation and online DPO are told. Knows no engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from tenet.config import Between, ModelRef
from tenet.ids import Json

EngineName = Literal["transformers", "vllm", "recorded", "scripted"]


@dataclass(frozen=True, kw_only=True)
class JudgedBy:
    """A judge, and the principles that it judges by."""

    model: ModelRef
    principles: ModelRef
    engine: EngineName = "transformers"
    mode: Literal["sampled", "each", "whole"] = "each"
    min_label_mass: Annotated[float, Between(0, 1)] = 0.5
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    prefill: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)
