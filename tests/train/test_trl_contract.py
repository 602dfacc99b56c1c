"""Stock TRL trainers take Tenet's files, and its extra columns change nothing that they compute.

Real trainers on a tiny random model. The loss of every logged step with all columns is compared, to the last bit, with
that of a dataset of TRL's own columns alone. These tests are meant to fail when TRL begins to read a column of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from generate.export import export_dataset
from tests.generate.export_example import rows, source

PLAIN: Mapping[str, tuple[str, ...]] = {
    "trl-preference": ("prompt", "chosen", "rejected"),
    "reward": ("chosen", "rejected"),
    "trl-unpaired": ("prompt", "completion", "label"),
    "sft": ("prompt", "completion"),
}
COMMON: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "per_device_train_batch_size": 4,
    "max_steps": 3,
    "logging_steps": 1,
    "learning_rate": 1e-3,
    "save_strategy": "no",
    "disable_tqdm": True,
    "seed": 0,
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in all four forms, critiques and all."""
    folder = tmp_path_factory.mktemp("dataset")
    export_dataset(source(rows(12, critiques=True), critiques=True, share=0.0), list(PLAIN), folder)
    return folder


def opened(folder: Path, name: str, cache: Path) -> tuple[Any, Any]:
    """The exported data set with all its columns, and with those of TRL alone."""
    from datasets import load_dataset

    full = load_dataset(str(folder / name), split="train", cache_dir=str(cache))
    return full, full.select_columns(list(PLAIN[name]))


def sequence_classifier(model: Path) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    padding = AutoTokenizer.from_pretrained(model).pad_token_id
    return AutoModelForSequenceClassification.from_pretrained(str(model), num_labels=1, pad_token_id=padding)


def reward(model: Path, out: Path, data: Any) -> Any:
    from transformers import AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    config = RewardConfig(output_dir=str(out), max_length=256, **COMMON)
    tokenizer = AutoTokenizer.from_pretrained(model)
    return RewardTrainer(model=sequence_classifier(model), args=config, train_dataset=data, processing_class=tokenizer)


def dpo(model: Path, out: Path, data: Any) -> Any:
    from trl import DPOConfig, DPOTrainer

    return DPOTrainer(
        model=str(model), args=DPOConfig(output_dir=str(out), max_length=256, **COMMON), train_dataset=data
    )


def dpo_precomputed(model: Path, out: Path, data: Any) -> Any:
    """The reference log-probabilities become columns beside ours."""
    from trl import DPOConfig, DPOTrainer

    config = DPOConfig(output_dir=str(out), max_length=256, precompute_ref_log_probs=True, **COMMON)
    return DPOTrainer(model=str(model), args=config, train_dataset=data)


def kto(model: Path, out: Path, data: Any) -> Any:
    from trl import KTOConfig, KTOTrainer

    return KTOTrainer(
        model=str(model), args=KTOConfig(output_dir=str(out), max_length=256, **COMMON), train_dataset=data
    )


def sft(model: Path, out: Path, data: Any) -> Any:
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        model=str(model), args=SFTConfig(output_dir=str(out), max_length=256, **COMMON), train_dataset=data
    )


Losses = Callable[[str, Callable[[Path, Path, Any], Any], bool], list[float]]


def train(trainer: Any) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.fixture(scope="module")
def losses(exports: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Losses:
    """The losses of a stock trainer on one form, with all columns or with TRL's own alone; each is trained once."""
    folder = tmp_path_factory.mktemp("trained")

    @cache
    def run(name: str, make: Callable[[Path, Path, Any], Any], ours: bool) -> list[float]:
        full, plain = opened(exports, name, folder / "cache")
        assert set(full.column_names) > set(plain.column_names)
        return train(make(tiny_model, folder / "out", full if ours else plain))

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("trl-preference", reward),
        ("reward", reward),
        ("trl-preference", dpo),
        ("trl-preference", dpo_precomputed),
        ("trl-unpaired", kto),
        ("sft", sft),
    ],
)
def test_stock_trainers_give_the_same_loss_with_and_without_our_columns(
    losses: Losses, name: str, make: Callable[[Path, Path, Any], Any]
) -> None:
    with_ours = losses(name, make, True)
    assert len(with_ours) == 3
    assert with_ours == losses(name, make, False)


@pytest.mark.slow
def test_a_column_called_margin_would_have_changed_the_loss(
    losses: Losses, exports: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """The trap that the name `judge_margin` avoids; if this fails, TRL no longer reads `margin`."""
    full, _ = opened(exports, "trl-preference", tmp_path / "cache")
    trapped = train(reward(tiny_model, tmp_path / "out", full.rename_column("judge_margin", "margin")))
    assert trapped != losses("trl-preference", reward, False)


@pytest.mark.slow
def test_both_forms_of_a_pair_are_one_to_a_reward_model(losses: Losses) -> None:
    assert losses("trl-preference", reward, True) == losses("reward", reward, True)
