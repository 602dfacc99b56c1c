"""TRL's training arguments from a configuration: what all three trainers are given. Knows no data and no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.config import LoraConfig, Precision, SftConfig, TrainConfig


def trl_arguments(config: TrainConfig, checkpoints: Path, *, cpu: bool, precision: Precision) -> dict[str, Any]:
    """Give the keyword arguments that SFTConfig, RewardConfig and DPOConfig have in common.

    Lengths are not limited here: rows that are too long were left out, and counted, before. A CPU trains without
    gradient checkpointing, which would only make it slower.
    """
    checkpointing = config.gradient_checkpointing
    return {
        "output_dir": str(checkpoints),
        "seed": config.seed,
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": config.batch_size,
        "per_device_eval_batch_size": 2 * config.batch_size,
        "gradient_accumulation_steps": config.accumulate,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.schedule,
        "warmup_steps": config.warmup,  # below 1, transformers takes it as a share
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "train_sampling_strategy": "group_by_length",  # by `train.sampler`
        "max_length": None,
        "logging_steps": config.log_every,
        "logging_nan_inf_filter": False,
        "eval_strategy": "no" if config.eval_every is None else "steps",
        "eval_steps": config.eval_every,
        "save_strategy": "epoch" if config.save_every is None else "steps",
        "save_steps": config.save_every or 500,
        "save_total_limit": config.keep_checkpoints,
        "use_cpu": cpu,
        "bf16": precision is Precision.BF16,
        "fp16": precision is Precision.FP16,
        "gradient_checkpointing": not cpu if checkpointing is None else checkpointing,
        "report_to": list(config.report_to) or "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "trust_remote_code": config.trust_remote_code,
        "model_init_kwargs": _model_arguments(config),
    }


def _model_arguments(config: TrainConfig) -> dict[str, Any]:
    """What the model is loaded with: no pickles, its revision, 4 or 8 bits for QLoRA, FlashAttention for joined sequences."""
    found: dict[str, Any] = {"use_safetensors": True, **({"revision": config.revision} if config.revision else {})}
    if config.lora is not None and config.lora.quantise is not None:
        found["quantization_config"] = quantisation(config.lora)
    if isinstance(config, SftConfig) and (config.packing or config.padding_free):
        found["attn_implementation"] = "flash_attention_2"
    return found


def quantisation(lora: LoraConfig) -> Any:
    """Make transformers' configuration of bitsandbytes: 8 bits, or NF4 with double quantisation computed in bfloat16.

    Dettmers et al. (2023, arXiv:2305.14314, section 3).
    """
    import torch
    from transformers import BitsAndBytesConfig

    if lora.quantise == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
