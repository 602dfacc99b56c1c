"""What a training can be told, as frozen dataclasses: the keys of train.yaml. Knows no file, no model.

`tenet.config.load_config` fills these from YAML and reports unknown keys, wrong types and missing keys;
`problems` adds what only the values together can say. A knob is here because two people needed it; everything
else is TRL's default.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tenet.errors import InvalidInput, Problem
from tenet.ids import Json


class Method(StrEnum):
    """What is trained, and on what."""

    SFT = "sft"
    REWARD = "reward"
    DPO = "dpo"


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


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """Train low-rank adapters, not all weights. `merge` writes an ordinary model, as every engine wants."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: tuple[str, ...] = ("all-linear",)
    merge: bool = True


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What the three methods share.

    `data` is a dataset folder, a file (Parquet, JSONL) or a hub id; without an `eval_split` the split test,
    validation or eval is taken if there is one, else `eval_share` of the prompts is held out. Rows that
    cannot be learnt from are left out and counted; more than `max_dropped` of them stop the training.
    `epochs` counts passes over the rows, `max_steps` overrides it; `batch_size` is rows per device and step,
    `accumulate` the steps that make one update.
    """

    model: str
    data: str
    out: str | None = None
    name: str | None = None
    seed: int = 0
    split: str = "train"
    eval_split: str | None = None
    eval_share: float = 0.05
    limit: int | None = None
    max_dropped: float = 0.05
    max_length: int = 1024
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    epochs: float = 1.0
    max_steps: int | None = None
    batch_size: int = 8
    accumulate: int = 1
    learning_rate: float = 2e-5
    schedule: str = "linear"
    warmup: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    log_every: int = 10
    eval_every: int | None = None
    save_every: int | None = None
    keep_checkpoints: int = 2
    device: Device = Device.AUTO
    precision: Precision = Precision.AUTO
    gradient_checkpointing: bool | None = None
    lora: LoraConfig | None = None
    save_dtype: SaveDtype = SaveDtype.AUTO
    report_to: tuple[str, ...] = ()
    revision: str | None = None
    trust_remote_code: bool = False


@dataclass(frozen=True, kw_only=True)
class SftConfig(TrainConfig):
    """Supervised fine-tuning on `messages`, or on `prompt` and `completion`.

    The loss is on what the assistant says and on nothing else.
    """


@dataclass(frozen=True, kw_only=True)
class RewardConfig(TrainConfig):
    """A reward model by soft Bradley-Terry; `center` weighs a penalty that keeps rewards around 0."""

    learning_rate: float = 1e-4
    center: float = 0.01


@dataclass(frozen=True, kw_only=True)
class DpoConfig(TrainConfig):
    """A policy by DPO on soft labels.

    `beta` weighs the reference. With `precompute_reference` the reference's log-probabilities are computed
    once, before training, and no second model stays in memory. `reference` is another model than `model` to
    stay near to.
    """

    learning_rate: float = 1e-6
    beta: float = 0.1
    precompute_reference: bool = True
    reference: str | None = None


CONFIGS: dict[Method, type[TrainConfig]] = {
    Method.SFT: SftConfig,
    Method.REWARD: RewardConfig,
    Method.DPO: DpoConfig,
}

_SCHEDULES = ("linear", "cosine", "constant", "constant_with_warmup")


def method_of(config: TrainConfig) -> Method:
    """Name the method that a configuration is for."""
    return next(method for method, cls in CONFIGS.items() if isinstance(config, cls))


def out_of(config: TrainConfig) -> Path:
    """Name the folder that the training writes: `out`, or train/NAME (NAME: the method unless given)."""
    return Path(config.out) if config.out else Path("train") / (config.name or method_of(config).value)


def as_json(config: TrainConfig) -> dict[str, Json]:
    """Give the configuration as plain values, for train.json."""

    def plain(value: object) -> Json:
        if isinstance(value, Mapping):
            return {str(key): plain(item) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return [plain(item) for item in value]
        return value if value is None or isinstance(value, (bool, int, float)) else str(value)

    return {key: plain(value) for key, value in dataclasses.asdict(config).items()}


def command_of(config: TrainConfig) -> str:
    """Give the command line that says the same, to resume a training that was called from Python."""
    defaults = {f.name: f.default for f in dataclasses.fields(config)}
    words = ["tenet", "train", method_of(config).value]
    words += ["--model", config.model, "--data", config.data, "--out", str(out_of(config))]
    for key, value in as_json(config).items():
        if key in ("model", "data", "out") or value == defaults[key] or value in ({}, [], None):
            continue
        if isinstance(value, Mapping):
            words += [word for inner, item in value.items() for word in ("--set", f"{key}.{inner}={item}")]
        else:
            words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def check(config: TrainConfig) -> None:
    """Refuse values that no training can have.

    Raises:
        InvalidInput: with every problem, not the first alone.
    """
    found = [Problem(text) for text in problems(config)]
    if found:
        raise InvalidInput(f"tenet train {method_of(config)}: the configuration cannot be used", found)


def problems(config: TrainConfig) -> Iterator[str]:
    """Name everything that is out of range or contradicts something else."""
    for key in ("batch_size", "accumulate", "max_length", "log_every", "keep_checkpoints"):
        if getattr(config, key) < 1:
            yield f"{key} must be at least 1, not {getattr(config, key)}"
    for key in ("limit", "max_steps", "eval_every", "save_every"):
        if getattr(config, key) is not None and getattr(config, key) < 1:
            yield f"{key} must be at least 1 (or left out), not {getattr(config, key)}"
    for key in ("learning_rate", "epochs"):
        if not getattr(config, key) > 0:
            yield f"{key} must be more than 0, not {getattr(config, key)}"
    for key in ("warmup", "max_dropped", "eval_share"):
        if not 0 <= getattr(config, key) < 1:
            yield f"{key} is a share: at least 0 and less than 1, not {getattr(config, key)}"
    if config.schedule not in _SCHEDULES:
        yield f"schedule must be one of {', '.join(_SCHEDULES)}, not {config.schedule!r}"
    if config.device is Device.CPU and config.precision is Precision.FP16:
        yield "precision fp16 needs a GPU; on the CPU take fp32 or bf16"
    yield from _method_problems(config)


def _method_problems(config: TrainConfig) -> Iterator[str]:
    if config.lora is not None and config.lora.rank < 1:
        yield f"lora.rank must be at least 1, not {config.lora.rank}"
    if isinstance(config, RewardConfig) and config.center < 0:
        yield f"center must not be negative, not {config.center}"
    if isinstance(config, DpoConfig):
        if not config.beta > 0:
            yield f"beta must be more than 0, not {config.beta}"
        if config.reference is not None and config.lora is not None:
            yield "reference and lora exclude each other: with lora, the model itself is the reference"
