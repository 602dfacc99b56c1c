"""The shapes of the two models, and how a trained one is written to its folder.

Qwen3 shape: both load in transformers, vLLM and TRL as they are.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

POSITIONS: Final = 6144
SHAPES: Final = {
    "policy": {
        "hidden_size": 128,
        "intermediate_size": 352,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "judge": {
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 6,
        "num_key_value_heads": 3,
    },
}


def new_model(name: str, tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3ForCausalLM:
    """A freshly initialised model ("policy" or "judge") for a tokenizer; the seed fixes its weights."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        head_dim=32,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attention_dropout=0.0,
        **SHAPES[name],
    )
    return Qwen3ForCausalLM(config)


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write weights (fp16) and tokenizer aside and put them in place of `folder` in one step, keeping its README.md."""
    aside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    half = Qwen3ForCausalLM(model.config)
    half.load_state_dict(model.state_dict())
    half = half.to(torch.float16)
    half.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True
    )
    half.save_pretrained(aside)
    tokenizer.save_pretrained(aside)
    (aside / "model.safetensors").chmod(0o644)
    if (folder / "README.md").exists():
        shutil.copy(folder / "README.md", aside / "README.md")
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> Qwen3ForCausalLM:
    """Load a checkpoint in fp32."""
    return Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
