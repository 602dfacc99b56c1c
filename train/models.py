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
from train.preflight import require_kind, require_score_head, require_tokens

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
        UsageError: it has no token to pad or to end with, or is a model of another kind.
    """
    require_score_head(Path(config.model).expanduser())
    source = find_model(config.model, revision=config.revision, trust_remote_code=config.trust_remote_code)
    tokenizer: Any = load_tokenizer(source)
    require_tokens(tokenizer, config)
    described = load_config(source)
    require_kind(described, config)
    dtype = str(getattr(described, "dtype", None) or "float32").removeprefix("torch.")
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
    """Resolve AUTO: bfloat16 on a GPU that has it, else float32.

    Raises:
        UsageError: half precision on a CPU.
    """
    if cpu and config.precision in (Precision.BF16, Precision.FP16):
        raise UsageError(
            f"precision: {config.precision.value} needs a GPU, and this training runs on the CPU",
            hint="--set precision=fp32 (or auto)",
        )
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
    wanted = _dtype(base.dtype if config.save_dtype is SaveDtype.AUTO else config.save_dtype.value)
    quantised = config.lora is not None and config.lora.quantise is not None
    if config.lora is not None and config.lora.merge:
        model.save_pretrained(folder / "adapter")
        model = merged_from(folder / "adapter", base, config) if quantised else model.merge_and_unload()
    if config.lora is None or config.lora.merge or not quantised:
        model.to(wanted)
    model.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)


def merged_from(adapter: Path, base: Base, config: TrainConfig) -> Any:
    """Merge an adapter into the model as it is on disk: the way for QLoRA, whose weights in memory are rounded.

    Runs on the CPU in float32.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    rewards = isinstance(config, RewardConfig)
    kind = AutoModelForSequenceClassification if rewards else AutoModelForCausalLM
    labels = {"num_labels": 1} if rewards else {}
    model = kind.from_pretrained(
        base.source.location, dtype=torch.float32, use_safetensors=True, **labels, **base.source.loader_kwargs
    )
    model.config.get_text_config().pad_token_id = base.tokenizer.pad_token_id
    return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()


def _dtype(name: str) -> torch.dtype:
    import torch

    found = getattr(torch, name, None)
    return found if isinstance(found, torch.dtype) and found.is_floating_point else torch.float32
