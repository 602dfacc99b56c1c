"""The places where Tenet leans on TRL's and transformers' own code. A release that moves them fails here first, by name."""

from __future__ import annotations

import inspect
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_trl_is_the_release_that_was_read() -> None:
    assert metadata.version("trl") == "1.16.0", "read train/reward.py and train/dpo.py against the new release first"


def test_the_methods_that_are_replaced() -> None:
    from trl import DPOTrainer, RewardTrainer

    for trainer in (RewardTrainer, DPOTrainer):
        assert parameters(trainer.compute_loss) == ["self", "model", "inputs", "return_outputs", "num_items_in_batch"]
        assert parameters(trainer.log) == ["self", "logs", "start_time"]
        assert "create_model_card" in dir(trainer)
        assert "evaluation_loop" in dir(trainer)
        assert parameters(trainer._get_train_sampler) == ["self", "train_dataset"]
    assert parameters(DPOTrainer._prepare_dataset) == ["self", "dataset", "processing_class", "args", "dataset_name"]
    assert parameters(DPOTrainer.compute_ref_log_probs) == ["self", "model", "inputs"]


def dpo_trainer(model: Path, folder: Path, **more: Any) -> Any:
    from datasets import Dataset
    from trl import DPOConfig

    from train.dpo import SoftDPOTrainer

    args = DPOConfig(str(folder), report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False, **more)
    rows = [{"prompt_ids": [9, 8], "chosen_ids": [7, 6, 5], "rejected_ids": [4], "p_chosen": 0.8, "weight": 1.0}]
    return SoftDPOTrainer(str(model), args=args, train_dataset=Dataset.from_list(rows))


def test_what_dpo_reads_off_trl(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    trainer = dpo_trainer(tiny_model, tmp_path, precompute_ref_log_probs=True)
    assert trainer.beta == 0.1
    assert trainer.loss_types == ["sigmoid"]
    assert trainer.precompute_ref_logps is True
    assert trainer.ref_model is None
    assert trainer.aux_loss_enabled is False
    row = dict(trainer.train_dataset[0])
    assert {"ref_chosen_logps", "ref_rejected_logps"} <= set(row)
    batch = trainer.data_collator([row])
    assert batch["input_ids"].tolist()[0] == [9, 8, 7, 6, 5]
    assert batch["completion_mask"].tolist() == [[0, 0, 1, 1, 1], [0, 0, 1, 0, 0]]
    assert batch["p_chosen"].tolist() == [pytest.approx(0.8)]
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    output = trainer.model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels, fused_lm_head=True
    )
    assert output.log_probs.shape == (2, 4)
    assert torch.equal(output.log_probs[0] == 0, torch.tensor([True, False, False, False]))
    reference = torch.cat([batch["ref_chosen_logps"], batch["ref_rejected_logps"]])
    assert torch.allclose(output.log_probs.sum(dim=1), reference, atol=1e-4)


def test_the_reference_without_precomputing(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    trainer = dpo_trainer(tiny_model, tmp_path)
    assert trainer.ref_model is not None
    batch = trainer.data_collator([dict(trainer.train_dataset[0])])
    batch.pop("p_chosen"), batch.pop("weight")
    chosen, rejected = trainer.compute_ref_log_probs(trainer.ref_model, batch)
    assert chosen.shape == rejected.shape == torch.Size([1])
    assert not chosen.requires_grad


def test_tokenised_rows_pass_through_the_reward_trainer(tiny_model: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import RewardConfig

    from train.reward import SoftRewardTrainer

    args = RewardConfig(
        str(tmp_path), report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False, max_length=None
    )
    rows = [{"chosen_ids": [7, 6, 5], "rejected_ids": [4], "p_chosen": 0.8, "weight": 1.0}]
    trainer = SoftRewardTrainer(str(tiny_model), args=args, train_dataset=Dataset.from_list(rows))
    assert dict(trainer.train_dataset[0]) == rows[0]
    batch = next(iter(trainer.get_train_dataloader()))
    assert {"input_ids", "attention_mask", "p_chosen", "weight"} == set(batch)


def test_tokenised_rows_pass_through_the_sft_trainer(tiny_model: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import SFTConfig

    from train.sft import Trainer

    args = SFTConfig(
        str(tmp_path), report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False, max_length=None
    )
    rows = [{"input_ids": [7, 6, 5], "labels": [-100, 6, 5], "length": 3}]
    trainer = Trainer(str(tiny_model), args=args, train_dataset=Dataset.from_list(rows))
    assert trainer.train_dataset[0]["labels"] == [-100, 6, 5]


def test_libraries_are_quiet_and_then_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    import logging
    import os

    from huggingface_hub import constants

    from train.quiet import quiet_libraries

    before = (logging.getLogger("trl").level, os.environ.get("TQDM_DISABLE"), constants.HF_HUB_DISABLE_TELEMETRY)
    with quiet_libraries():
        assert constants.HF_HUB_DISABLE_TELEMETRY
        assert os.environ["TQDM_DISABLE"] == "1"
        logging.getLogger("trl").warning("a banner")
    assert "banner" not in capsys.readouterr().err
    after = (logging.getLogger("trl").level, os.environ.get("TQDM_DISABLE"), constants.HF_HUB_DISABLE_TELEMETRY)
    assert after == before
