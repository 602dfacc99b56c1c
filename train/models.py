"""Models in and out of a training: tokenizer, device and precision, adapters, and what is saved.

Knows the libraries' models and nothing of data or losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.loading import ModelSource, find_model, load_config, load_tokenizer
from tenet.errors import UsageError
from tenet.ids import digest
from train.config import Device, Precision, RewardConfig, SaveDtype, TrainConfig

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Base:
    """The model that a training begins with. `dtype` is that of its weights on disk, `tokenizer_hash` an id."""

    source: ModelSource
    tokenizer: Any
    tokenizer_hash: str
    dtype: str


def find_base(config: TrainConfig) -> Base:
    """Look up the model and load its tokenizer; no weights yet.

    Raises:
        MissingInput: it is no model, or not to be had.
        UsageError: it has no token to pad or to end with.
    """
    source = find_model(config.model, revision=config.revision, trust_remote_code=config.trust_remote_code)
    tokenizer: Any = load_tokenizer(source)
    if tokenizer.eos_token is None:
        raise UsageError(
            f"{config.model}: its tokenizer names no eos_token, so no answer could learn to end",
            hint="set eos_token in its tokenizer_config.json",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    dtype = str(getattr(load_config(source), "dtype", None) or "float32").removeprefix("torch.")
    name = digest([source.revision or source.name, str(tokenizer.chat_template), type(tokenizer).__name__])
    return Base(source, tokenizer, name, dtype)


def uses_cpu(config: TrainConfig) -> bool:
    """Whether to train on the CPU.

    Raises:
        UsageError: a GPU is asked for and there is none.
    """
    import torch

    there = torch.accelerator.is_available()
    if config.device is Device.GPU and not there:
        raise UsageError("device: gpu, and there is none here", hint="--set device=cpu")
    return config.device is Device.CPU or not there


def precision_of(config: TrainConfig, *, cpu: bool) -> Precision:
    """Resolve AUTO: bfloat16 on a GPU that has it, else float32."""
    if config.precision is not Precision.AUTO:
        return config.precision
    import torch

    return (
        Precision.BF16 if not cpu and torch.cuda.is_available() and torch.cuda.is_bf16_supported() else Precision.FP32
    )


def adapter_of(config: TrainConfig) -> Any:
    """Make peft's configuration, None without `lora`. A reward model's head is trained in full beside the adapter."""
    if config.lora is None:
        return None
    from peft import LoraConfig, TaskType

    rewards = isinstance(config, RewardConfig)
    targets = config.lora.target_modules
    return LoraConfig(
        r=config.lora.rank,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=targets[0] if targets == ("all-linear",) else list(targets),
        modules_to_save=["score"] if rewards else None,
        task_type=TaskType.SEQ_CLS if rewards else TaskType.CAUSAL_LM,
    )


def save(trainer: Any, base: Base, config: TrainConfig, folder: Path) -> None:
    """Write the trained model and its tokenizer as ordinary files that transformers, vLLM and TRL load.

    Sharded models (FSDP, DeepSpeed) are gathered by the trainer and keep the number format of the training.
    """
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        trainer.save_model(str(folder))
        (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle, and nobody's business
        return
    if not trainer.is_world_process_zero():
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if config.lora is not None and config.lora.merge:
        model.save_pretrained(folder / "adapter")
        model = model.merge_and_unload()
    wanted = base.dtype if config.save_dtype is SaveDtype.AUTO else config.save_dtype.value
    model.to(_dtype(wanted))
    model.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)


def _dtype(name: str) -> torch.dtype:
    import torch

    found = getattr(torch, name, None)
    return found if isinstance(found, torch.dtype) and found.is_floating_point else torch.float32
