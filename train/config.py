"""What a training can be told, as frozen dataclasses: the keys of train.yaml. Imports nothing heavy, reads no file.

`tenet.config` fills these and reports all that is wrong at once. A knob is here because two people needed it;
everything else is TRL's default.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from tenet.config import AtLeast, Between, Complaint, ModelRef, MoreThan, Shape, as_json, make_config
from tenet.ids import Json

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


class SaveDtype(StrEnum):
    """Number format of the saved weights; AUTO is that of the model the training began with."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True)
class LoraConfig:
    """Train low-rank adapters, not all weights. `merge` writes an ordinary model, as every engine wants."""

    rank: Count = 16
    alpha: Positive = 32.0
    dropout: Share = 0.0
    target_modules: tuple[str, ...] = ("all-linear",)
    merge: bool = True


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What all methods share.

    `data` is a run's folder, a dataset folder, a file or a hub id. Without an `eval_split` the split test, validation
    or eval is taken if there is one, else `eval_share` of the prompts is held out. Rows that cannot be learnt from are
    left out and counted; more than `max_dropped` of them stop the training. `epochs` counts passes over the rows,
    `max_steps` overrides it; `batch_size` is rows per device and step, `accumulate` the steps of one update. `out` is
    meant from the current folder; without it, train/NAME.
    """

    model: ModelRef = field(metadata={"example": "org/policy-model"})
    data: ModelRef = field(metadata={"example": "runs/support"})
    out: str | None = None
    name: Name | None = None
    seed: Annotated[int, AtLeast(0)] = 0
    split: str = "train"
    eval_split: str | None = None
    eval_share: Share = 0.05
    limit: Count | None = None
    max_dropped: Share = 0.05
    max_length: Count = 1024
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    epochs: Positive = 1.0
    max_steps: Count | None = None
    batch_size: Count = 8
    accumulate: Count = 1
    learning_rate: Positive = 2e-5
    schedule: Schedule = "linear"
    warmup: Share = 0.05
    weight_decay: NotNegative = 0.0
    max_grad_norm: NotNegative = 1.0
    log_every: Count = 10
    eval_every: Count | None = None
    save_every: Count | None = None
    keep_checkpoints: Count = 2
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    gradient_checkpointing: bool | None = None
    lora: LoraConfig | None = None
    save_dtype: SaveDtype = SaveDtype.AUTO
    report_to: tuple[str, ...] = ()
    revision: str | None = None
    trust_remote_code: bool = False

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        if self.device is Device.CPU and self.precision is Precision.FP16:
            yield Complaint(("precision",), "fp16 needs a GPU", "on the CPU take fp32 or bf16")
        if self.eval_split is not None and self.eval_split == self.split:
            yield Complaint(("eval_split",), "is the split that is trained on", "leave it out to hold prompts out")


@dataclass(frozen=True, kw_only=True)
class SftConfig(TrainConfig):
    """Supervised fine-tuning on `messages`, on `prompt` and `completion`, or on `text`.

    Of conversations, only what the assistant says is learnt.
    """


@dataclass(frozen=True, kw_only=True)
class RewardConfig(TrainConfig):
    """A reward model by soft Bradley-Terry; `center` weighs a penalty that keeps rewards around 0."""

    learning_rate: Positive = 1e-4
    center: NotNegative = 0.01


@dataclass(frozen=True, kw_only=True)
class DpoConfig(TrainConfig):
    """A policy by DPO on soft labels.

    `beta` weighs the reference. With `precompute_reference` its log-probabilities are computed once, before training,
    and no second model stays in memory. `reference` is another model than `model` to stay near to.
    """

    learning_rate: Positive = 1e-6
    beta: Positive = 0.1
    precompute_reference: bool = True
    reference: ModelRef | None = None

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        yield from super().complaints()
        if self.reference is not None and self.lora is not None:
            yield Complaint(("reference",), "cannot go with lora", "with lora, the model itself is the reference")


@dataclass(frozen=True, kw_only=True)
class JudgeReward:
    """A judge whose probability is the reward, and the principles that it judges by (a file, or a shipped one's name).

    A judge of pairs says how probably a response is better than a reference to the same prompt: the one in the data's column
    `reference`, or else what the model answered before the training. Kinds rating and propositions need none.
    """

    model: ModelRef
    principles: ModelRef
    engine: Literal["transformers", "vllm", "vllm-server", "http", "recorded", "scripted"] = "transformers"
    base_url: tuple[str, ...] = ()
    kind: Literal["pairwise", "rating", "propositions"] = "pairwise"
    mode: Literal["sampled", "each", "whole"] = "each"
    against: Literal["initial", "reference"] = "initial"
    min_label_mass: Annotated[float, Between(0, 1)] = 0.5
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    prefill: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FunctionReward:
    """A Python function `module:function` of prompt and response, or `pocket`; of several values take `attribute`."""

    function: str
    attribute: str | None = None


@dataclass(frozen=True, kw_only=True)
class RlConfig(TrainConfig):
    """What the two methods share that learn from rewards for their own responses.

    The reward comes from `reward` (a reward model), from `judge` or from `oracle`, one of them; `watch` is measured and never
    learnt from. `rollout` responses are drawn at a time on each device, `samples` a prompt, of `max_tokens` at most; each
    rollout is learnt from `passes` times, in batches of `batch_size` x `accumulate`. A prompt and its response together may
    take `max_length`. `kl` weighs the distance to the model at the beginning, in nats; `missing_eos_penalty` is taken off
    the reward of a response that does not end by itself.
    """

    learning_rate: Positive = 1e-6
    schedule: Schedule = "constant_with_warmup"
    reward: ModelRef | None = None
    judge: JudgeReward | None = None
    oracle: FunctionReward | None = None
    watch: FunctionReward | None = None
    max_tokens: Count = 256
    temperature: Positive = 1.0
    samples: Annotated[int, AtLeast(2)] = 2
    rollout: Count = 64
    passes: Count = 1
    kl: NotNegative = 0.05
    clip: Positive = 0.2
    missing_eos_penalty: NotNegative = 1.0
    use_vllm: bool = False
    vllm_memory: Share = 0.3

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        yield from super().complaints()
        given = [name for name in ("reward", "judge", "oracle") if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"{' and '.join(given)} cannot go together" if given else "nothing says what is rewarded"
            yield Complaint((), said, "give one of reward, judge and oracle, as in --reward train/reward")
        if self.max_tokens >= self.max_length:
            yield Complaint(("max_tokens",), "leaves no room for a prompt", "raise max_length, or lower max_tokens")
        update = self.batch_size * self.accumulate
        if self.rollout % update or self.rollout % self.samples:
            message = f"must be a multiple of batch_size x accumulate ({update}) and of samples ({self.samples})"
            yield Complaint(("rollout",), message, f"for example {4 * update * self.samples}")
        if self.device is Device.CPU and self.use_vllm:
            hint = "leave use_vllm out: transformers draws the responses"
            yield Complaint(("use_vllm",), "vLLM on a CPU cannot take over the weights of a training", hint)


@dataclass(frozen=True, kw_only=True)
class PpoConfig(RlConfig):
    """A policy by PPO with a critic, which learns to foretell the reward and begins as the reward model.

    `critic` is another model to begin it with. `gamma` and `lam` are those of generalised advantage estimation,
    `value_weight` and `value_clip` of the critic's loss. With `kl_target` (nats a response) the weight of the KL is adapted
    after each rollout, by 2 % at most (`train.rl.maths.AdaptiveKl`).
    """

    passes: Count = 4
    critic: ModelRef | None = None
    gamma: Annotated[float, Between(0, 1)] = 1.0
    lam: Annotated[float, Between(0, 1)] = 0.95
    value_weight: NotNegative = 0.5
    value_clip: Positive = 0.2
    value_learning_rate: Positive | None = None
    kl_target: Positive | None = None

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        yield from super().complaints()
        if self.kl_target is not None and self.kl == 0:
            yield Complaint(("kl_target",), "has nothing to adapt, for kl is 0", "give kl a first value, such as 0.05")


@dataclass(frozen=True, kw_only=True)
class RlooConfig(RlConfig):
    """A policy by REINFORCE with the mean of the prompt's other responses as baseline; no critic."""

    samples: Annotated[int, AtLeast(2)] = 4


CONFIGS: dict[Method, type[TrainConfig]] = {
    Method.SFT: SftConfig,
    Method.REWARD: RewardConfig,
    Method.DPO: DpoConfig,
    Method.PPO: PpoConfig,
    Method.RLOO: RlooConfig,
}

PLACES = ("out", "name", "report_to", "keep_checkpoints", "log_every")
"""Keys that change where things go and not what is learnt."""


def method_of(config: TrainConfig) -> Method:
    """Name the method that a configuration is for."""
    return next(method for method, cls in CONFIGS.items() if isinstance(config, cls))


def out_of(config: TrainConfig) -> Path:
    """Name the folder that the training writes: `out`, or train/NAME (NAME: the method unless given)."""
    return Path(config.out) if config.out else Path("train") / (config.name or method_of(config).value)


def checked(config: TrainConfig) -> TrainConfig:
    """Hold a configuration that was made in Python to the rules for files; paths come out absolute.

    Raises:
        InvalidInput: with everything that is wrong, not the first alone.
    """
    return make_config(as_json(config), type(config))


def command_of(config: TrainConfig) -> str:
    """Give the command line that says the same, to resume a training that was called from Python."""
    words = ["tenet", "train", method_of(config).value]
    words += ["--model", config.model, "--data", config.data, "--out", str(out_of(config))]
    defaults = as_json(type(config)(model=config.model, data=config.data))
    for key, value in as_json(config).items():
        if key not in ("model", "data", "out", "name") and value != defaults[key]:
            words += _settings(key, value)
    return shlex.join(words)


def _settings(key: str, value: Json) -> list[str]:
    if isinstance(value, Mapping):
        return [word for inner, item in value.items() for word in _settings(f"{key}.{inner}", item)]
    if isinstance(value, (list, tuple)):
        return ["--set", f"{key}=[{', '.join(map(str, value))}]"]
    return ["--set", f"{key}={str(value).lower() if isinstance(value, bool) else value}"]
