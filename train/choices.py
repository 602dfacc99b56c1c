"""The values that settings of a training may take: names of number formats, losses and schedules, ranges, adapters. Knows no training."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from tenet.config import AtLeast, Between, MoreThan, Shape

Count = Annotated[int, AtLeast(1)]
Share = Annotated[float, Between(0, 0.99)]
Positive = Annotated[float, MoreThan(0)]
NotNegative = Annotated[float, AtLeast(0)]
Name = Annotated[str, Shape(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "letters, digits, dots, dashes and underscores")]
Schedule = Literal["linear", "cosine", "constant", "constant_with_warmup"]


class Method(StrEnum):
    """What is trained, and on what."""

    SFT = "sft"
    REWARD = "reward"
    DPO = "dpo"
    KTO = "kto"
    ONLINE_DPO = "online-dpo"
    PPO = "ppo"
    RLOO = "rloo"


class Device(StrEnum):
    """Where to train; AUTO takes an accelerator if there is one."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


class Precision(StrEnum):
    """Number format of the forward pass; AUTO is bfloat16 on a GPU that has it, else float32."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class PairLoss(StrEnum):
    """The loss of DPO. What each learns of a probability is derived in `train.losses`."""

    SIGMOID = "sigmoid"
    IPO = "ipo"
    HINGE = "hinge"


class Labels(StrEnum):
    """SOFT learns `p_chosen`; HARD only which side of 0.5 it is on, and leaves ties out."""

    SOFT = "soft"
    HARD = "hard"


class Margin(StrEnum):
    """What is subtracted from a pair's gap: nothing, or what the judge wrote into `judge_margin`."""

    NONE = "none"
    JUDGE = "judge"


class SaveDtype(StrEnum):
    """Number format of the saved weights; AUTO is that of the model the training began with."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True)
class LoraConfig:
    """Train low-rank adapters, not all weights. With `quantise` (which needs bitsandbytes) they are merged into the unquantised model in
    the end.
    """

    rank: Count = 16
    """Of the adapters' matrices."""
    alpha: Positive = 32.0
    """The adapters' output is scaled by this over `rank`."""
    dropout: Share = 0.0
    """Share of the adapters' inputs left out in each step."""
    target_modules: tuple[str, ...] = ("all-linear",)
    """The modules that get adapters, by name."""
    merge: bool = True
    """Write an ordinary model in the end; `false` writes the adapters alone."""
    quantise: Literal["4bit", "8bit"] | None = None
    """Keep the frozen weights in so many bits meanwhile (QLoRA; needs a GPU)."""
