"""What QLoRA and joined sequences come to, as far as a machine without a GPU can show it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tenet.console import Console
from tests.train.world import pair_rows, write_jsonl
from train.config import DpoConfig, LoraConfig, Precision, RewardConfig, SftConfig

pytest.importorskip("trl")


def test_bitsandbytes_is_told_what_the_paper_says(tmp_path: Path) -> None:
    import torch

    from train.arguments import quantisation, trl_arguments

    four, eight = quantisation(LoraConfig(quantise="4bit")), quantisation(LoraConfig(quantise="8bit"))
    assert (four.bnb_4bit_quant_type, four.bnb_4bit_use_double_quant) == ("nf4", True)
    assert four.bnb_4bit_compute_dtype is torch.bfloat16
    assert eight.load_in_8bit
    config = DpoConfig(model="m", data="d", lora=LoraConfig(quantise="4bit"), revision="abc")
    given = trl_arguments(config, tmp_path, cpu=False, precision=Precision.BF16)["model_init_kwargs"]
    assert given["revision"] == "abc"
    assert given["quantization_config"].load_in_4bit
    assert trl_arguments(DpoConfig(model="m", data="d"), tmp_path, cpu=True, precision=Precision.FP32)[
        "model_init_kwargs"
    ] == {"use_safetensors": True}


@pytest.mark.parametrize("rewards", [False, True], ids=["policy", "reward model"])
def test_an_adapter_is_merged_into_the_model_on_disk(tiny_model: Path, tmp_path: Path, rewards: bool) -> None:
    """The way back from QLoRA: without rounded weights it gives the very model that merging in memory gives."""
    import torch
    from safetensors.torch import load_file

    from train.dpo import train_dpo
    from train.models import find_base, merged_from
    from train.reward import train_reward

    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(8))
    keys: dict[str, Any] = {"learning_rate": 1e-2, "max_steps": 2, "device": "cpu", "lora": LoraConfig(rank=4)}
    config: Any = (RewardConfig if rewards else DpoConfig)(
        model=str(tiny_model), data=str(data), out=str(tmp_path / "out"), **keys
    )
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        (train_reward if rewards else train_dpo)(config, console=Console(quiet=True, err=nowhere))
    again = merged_from(tmp_path / "out" / "adapter", find_base(config), config).state_dict()
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert set(saved) <= set(again)
    assert all(torch.allclose(again[name], saved[name], atol=1e-6) for name in saved)


@pytest.mark.parametrize("keys", [{"packing": True}, {"padding_free": True}], ids=["packing", "padding-free"])
def test_joined_sequences_learn_the_same_tokens(tiny_model: Path, tmp_path: Path, keys: dict[str, bool]) -> None:
    """TRL takes the tokenised rows as they are: each label once, and no sequence longer than max_length."""
    from transformers import AutoTokenizer
    from trl import SFTConfig as Arguments

    from train.arguments import trl_arguments
    from train.config import Method
    from train.data import prepare
    from train.sft import Trainer, joined

    rows = [{"messages": row["prompt"] + row["chosen"]} for row in pair_rows(20)]
    data = write_jsonl(tmp_path / "rows.jsonl", rows)
    config = SftConfig(model=str(tiny_model), data=str(data), eval_share=0, max_length=160, batch_size=5, **keys)  # type: ignore[arg-type]
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    ready = prepare(config, Method.SFT, tokenizer, "tokenizer", tmp_path / "cache").train
    given = trl_arguments(config, tmp_path / "out", cpu=True, precision=Precision.FP32)
    assert given["model_init_kwargs"] == {"use_safetensors": True, "attn_implementation": "flash_attention_2"}
    given |= {**joined(config), "model_init_kwargs": None, "dataset_num_proc": None}  # on a CPU without FlashAttention
    trainer = Trainer(str(tiny_model), args=Arguments(**given), train_dataset=ready, processing_class=tokenizer)
    wanted = sorted(token for labels in ready["labels"] for token in labels if token != -100)
    seen = []
    for batch in trainer.get_train_dataloader():
        assert batch["input_ids"].shape[0] == 1  # one joined sequence, documents told apart by their positions
        assert int(batch["position_ids"].max()) < 160
        seen += [token for token in batch["labels"].flatten().tolist() if token != -100]
    if keys == {"packing": True}:
        assert all(len(ids) <= 160 for ids in trainer.train_dataset["input_ids"])
        assert len(trainer.train_dataset) < len(ready)
    assert sorted(seen) == wanted
