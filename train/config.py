"""What a training can be told, as frozen dataclasses: the keys of train.yaml. Imports nothing heavy, reads no file.

`tenet.config` fills these and reports all that is wrong at once. A knob is here because two people needed it;
everything else is TRL's default.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from tenet.config import AtLeast, Between, Complaint, ModelRef, as_json, make_config
from tenet.ids import Json
from train.choices import (
    Count,
    Device,
    Labels,
    LoraConfig,
    Margin,
    Method,
    Name,
    NotNegative,
    PairLoss,
    Positive,
    Precision,
    SaveDtype,
    Schedule,
    Share,
)
from train.judged import FunctionReward, JudgedBy, JudgeReward

__all__ = [
    "CONFIGS",
    "PLACES",
    "Device",
    "DpoConfig",
    "KtoConfig",
    "Labels",
    "LoraConfig",
    "Margin",
    "Method",
    "OnlineDpoConfig",
    "PairConfig",
    "PairLoss",
    "PpoConfig",
    "Precision",
    "RewardConfig",
    "RlConfig",
    "RlooConfig",
    "SaveDtype",
    "SftConfig",
    "TrainConfig",
    "checked",
    "command_of",
    "method_of",
    "out_of",
    "trainer_of",
]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What all methods share.

    Without an `eval_split` the split test, validation or eval is taken if there is one, else `eval_share` of the prompts is
    held out. Rows that cannot be learnt from are left out and counted; more than `max_dropped` of them stop the training.
    `out` is meant from the current folder.
    """

    TRAINER: ClassVar[str] = ""
    """The name of the plug-in's trainer that this configures; empty for Tenet's own."""

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
    """The longest row, in tokens; what is longer is left out or cut, and counted."""
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    pad_token: str | None = None
    epochs: Positive = 1.0
    max_steps: Count | None = None
    batch_size: Count = 8
    accumulate: Count = 1
    learning_rate: Positive = 2e-5
    """The highest of the schedule."""
    schedule: Schedule = "linear"
    """How the learning rate goes on after its rise."""
    warmup: Share = 0.05
    weight_decay: NotNegative = 0.0
    max_grad_norm: NotNegative = 1.0
    log_every: Count = 10
    eval_every: Count | None = None
    save_every: Count | None = None
    keep_checkpoints: Count = 2
    device: Device = Device.AUTO
    """Where to train; `auto` takes an accelerator if there is one."""
    precision: Precision = Precision.AUTO
    """Number format of the forward pass; `auto` is bfloat16 on a GPU that has it, else float32."""
    gradient_checkpointing: bool | None = None
    lora: LoraConfig | None = None
    save_dtype: SaveDtype = SaveDtype.AUTO
    """Number format of the saved weights; `auto` is that of the model the training began with."""
    report_to: tuple[str, ...] = ()
    revision: str | None = None
    trust_remote_code: bool = False

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        if self.device is Device.CPU and self.precision in (Precision.FP16, Precision.BF16):
            yield Complaint(("precision",), f"{self.precision.value} needs a GPU", "on the CPU take fp32")
        if self.device is Device.CPU and self.lora is not None and self.lora.quantise is not None:
            yield Complaint(("lora", "quantise"), "needs a GPU", "on the CPU leave it out")
        if self.eval_split is not None and self.eval_split == self.split:
            yield Complaint(("eval_split",), "is the split that is trained on", "leave it out to hold prompts out")


@dataclass(frozen=True, kw_only=True)
class SftConfig(TrainConfig):
    """Supervised fine-tuning on `messages`, on `prompt` and `completion`, or on `text`.

    Of conversations, only what the assistant says is learnt. `packing` and `padding_free` need a GPU with FlashAttention.
    """

    packing: bool = False
    """Fill sequences of `max_length` with whole demonstrations."""
    padding_free: bool = False
    """Join the demonstrations of a batch, so that nothing is padded."""


@dataclass(frozen=True, kw_only=True)
class PairConfig(TrainConfig):
    """What the trainings on pairs share. Held-out rows are measured against their `p_chosen` whatever `labels` says."""

    INSTEAD: ClassVar[Mapping[str, str]] = {
        "label_smoothing": "p_chosen says it for each pair: a label smoothing of e is p_chosen = 1 - e in the data",
    }

    labels: Labels = Labels.SOFT
    """Learn `p_chosen`, or only which side of 0.5 it is on."""

    @property
    def learns_log_odds(self) -> bool:
        """Whether gaps settle at logit(p_chosen), so that the labels' entropy is the least loss possible."""
        return self.labels is Labels.SOFT


@dataclass(frozen=True, kw_only=True)
class RewardConfig(PairConfig):
    """A reward model by soft Bradley-Terry.

    `margin: judge` asks for a gap beyond the column `judge_margin`. It knows what a soft label knows, so it takes
    hard ones (`train.losses.margin_loss`).
    """

    INSTEAD: ClassVar[Mapping[str, str]] = {
        **PairConfig.INSTEAD,
        "loss": "a reward is log-odds only by the logistic loss, so there is no other here (tenet train dpo has three)",
    }

    learning_rate: Positive = 1e-4
    center: NotNegative = 0.01
    """Weight of the penalty that keeps rewards around 0."""
    margin: Margin = Margin.NONE
    """What is subtracted from a pair's gap: nothing, or the column `judge_margin`."""

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        yield from super().complaints()
        if self.margin is Margin.JUDGE and self.labels is Labels.SOFT:
            yield Complaint(
                ("margin",),
                "with soft labels would count the judge's confidence twice",
                "labels: hard to learn from order and margin, or margin: none to learn from p_chosen",
            )


@dataclass(frozen=True, kw_only=True)
class DpoConfig(PairConfig):
    """A policy by DPO on soft labels. Only the loss sigmoid learns p_chosen as log-odds."""

    INSTEAD: ClassVar[Mapping[str, str]] = {
        **PairConfig.INSTEAD,
        "loss_type": "the key here is loss: sigmoid, ipo or hinge",
        "margin": "margins are for reward models; loss: ipo asks a policy for a gap that follows p_chosen",
    }

    learning_rate: Positive = 1e-6
    loss: PairLoss = PairLoss.SIGMOID
    """What is minimised of a pair's gap (docs/training.md)."""
    beta: Positive = 0.1
    """How close to stay to the reference: higher is closer."""
    precompute_reference: bool = True
    """Compute the reference's log-probabilities once, so that no second model stays in memory."""
    reference: ModelRef | None = None
    """Another model than `model` to stay close to."""

    @property
    def learns_log_odds(self) -> bool:
        """Whether gaps settle at logit(p_chosen), so that the labels' entropy is the least loss possible."""
        return super().learns_log_odds and self.loss is PairLoss.SIGMOID

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        yield from super().complaints()
        if self.reference is not None and self.lora is not None:
            yield Complaint(("reference",), "cannot go with lora", "with lora, the model itself is the reference")


@dataclass(frozen=True, kw_only=True)
class KtoConfig(TrainConfig):
    """A policy by KTO: on responses that are good or not, or on pairs, whose sides become such rows.

    Batches hold at least two rows, for KTO estimates its baseline on the prompts and completions of the batch, mismatched.
    """

    learning_rate: Positive = 1e-6
    batch_size: Annotated[int, AtLeast(2)] = 8
    beta: Positive = 0.1
    """How close to stay to the model at the beginning: higher is closer."""
    desirable: Positive = 1.0
    """Weight of the rows that are good."""
    undesirable: Positive = 1.0
    """Weight of the rows that are not."""
    precompute_reference: bool = True
    """Compute the reference's log-probabilities once, so that no second model stays in memory."""


@dataclass(frozen=True, kw_only=True)
class OnlineDpoConfig(TrainConfig):
    """A policy by online DPO: two responses to each prompt, drawn as it learns; a judge or a reward model prefers one.

    Exactly one of `judge` and `reward` is given. `max_length` is prompt and response together.
    """

    learning_rate: Positive = 5e-7
    eval_share: Share = 0.0
    beta: Positive = 0.1
    """How close to stay to the model at the beginning: higher is closer."""
    judge: JudgedBy | None = None
    """The judge that prefers one of two answers."""
    reward: ModelRef | None = None
    """Or the reward model that does."""
    max_tokens: Count = 64
    """The longest answer, in tokens."""
    temperature: Positive = 0.9
    """Of the answers' draw."""
    top_p: Annotated[float, Between(0.01, 1)] = 1.0
    """Draw from the likeliest tokens that hold this much of the probability."""
    missing_eos_penalty: Positive | None = None
    """Taken off the reward of an answer that does not end by itself."""

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        yield from super().complaints()
        if (self.judge is None) == (self.reward is None):
            yield Complaint(
                (), "needs either a judge or a reward model", "judge: {model: ..., principles: ...}, or reward: FOLDER"
            )
        for key in ("eval_share", "eval_split", "eval_every"):
            if getattr(self, key):
                yield Complaint(
                    (key,),
                    "holds nothing out: there are no answers to hold out",
                    "leave it out, and use tenet evaluate",
                )
        if self.accumulate > 1:
            why = "must be 1: TRL's online DPO adds up the gradients of micro-batches without dividing"
            yield Complaint(("accumulate",), why, "a larger batch_size")
        if self.chat_template_kwargs:
            why = "cannot be used: TRL's online DPO renders prompts without them"
            yield Complaint(("chat_template_kwargs",), why, "write them into the model's chat template")
        if self.max_tokens >= self.max_length:
            why = f"leaves no room for a prompt (max_length: {self.max_length})"
            yield Complaint(("max_tokens",), why, "raise max_length, which is of prompt and response together")


@dataclass(frozen=True, kw_only=True)
class RlConfig(TrainConfig):
    """What the two methods share that learn from rewards for their own responses.

    The reward comes from `reward`, `judge` or `oracle`, one of them. Each rollout is learnt from in batches of `batch_size` x
    `accumulate`. A prompt and its response together may take `max_length`.
    """

    learning_rate: Positive = 1e-6
    schedule: Schedule = "constant_with_warmup"
    reward: ModelRef | None = None
    """The reward model whose score is the reward."""
    judge: JudgeReward | None = None
    """Or the judge whose probability is the reward."""
    oracle: FunctionReward | None = None
    """Or a function."""
    watch: FunctionReward | None = None
    """A function that is measured along the way and never learnt from."""
    max_tokens: Count = 256
    """The longest response, in tokens."""
    temperature: Positive = 1.0
    """Of the responses' draw."""
    samples: Annotated[int, AtLeast(2)] = 2
    """Responses to a prompt in a rollout."""
    rollout: Count = 64
    """Responses drawn at a time, on each device."""
    passes: Count = 1
    """How often each rollout is learnt from."""
    kl: NotNegative = 0.05
    """Weight of the distance to the model at the beginning, in nats."""
    clip: Positive = 0.2
    """How far a step may move a token's probability, as a ratio."""
    missing_eos_penalty: NotNegative = 1.0
    """Taken off the reward of a response that does not end by itself."""
    use_vllm: bool = False
    """Draw the responses with vLLM in the training's process; needs a GPU."""
    vllm_memory: Share = 0.3
    """Share of the GPU's memory that vLLM may take."""

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

    With `kl_target` the weight of the KL is adapted after each rollout, by 2 % at most (`train.rl.maths.AdaptiveKl`).
    """

    passes: Count = 4
    critic: ModelRef | None = None
    """The model that the critic begins as; without it the reward model."""
    gamma: Annotated[float, Between(0, 1)] = 1.0
    """Discount of later rewards."""
    lam: Annotated[float, Between(0, 1)] = 0.95
    """Lambda of generalised advantage estimation."""
    value_weight: NotNegative = 0.5
    """Weight of the critic's loss."""
    value_clip: Positive = 0.2
    """How far a step may move the critic's value."""
    value_learning_rate: Positive | None = None
    """Of the critic; without it `learning_rate`."""
    kl_target: Positive | None = None
    """Adapt the weight of the KL towards this distance, in nats a response."""

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
    Method.KTO: KtoConfig,
    Method.ONLINE_DPO: OnlineDpoConfig,
    Method.PPO: PpoConfig,
    Method.RLOO: RlooConfig,
}

PLACES = ("out", "name", "report_to", "keep_checkpoints", "log_every")
"""Keys that change where things go and not what is learnt."""


def method_of(config: TrainConfig) -> Method:
    """Name the method that a configuration is for."""
    return next(method for method, cls in CONFIGS.items() if isinstance(config, cls))


def trainer_of(config: TrainConfig) -> str:
    """Name the trainer that a configuration is for: its method, or what a plug-in calls it."""
    return config.TRAINER or method_of(config).value


def out_of(config: TrainConfig) -> Path:
    """Name the folder that the training writes: `out`, or train/NAME (NAME: the trainer's unless given)."""
    return Path(config.out) if config.out else Path("train") / (config.name or trainer_of(config))


def checked(config: TrainConfig) -> TrainConfig:
    """Hold a configuration that was made in Python to the rules for files; paths come out absolute.

    Raises:
        InvalidInput: with everything that is wrong, not the first alone.
    """
    return make_config(as_json(config), type(config))


def command_of(config: TrainConfig) -> str:
    """Give the command line that says the same, to resume a training that was called from Python."""
    words = ["tenet", "train", trainer_of(config)]
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
    if value is None:
        return ["--set", f"{key}=null"]
    return ["--set", f"{key}={str(value).lower() if isinstance(value, bool) else value}"]
