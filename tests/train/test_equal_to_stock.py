"""Without labels, and with p = 1 and weight 1, both trainers of pairs do what the stock trainers do, weights and all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.train.world import pair_rows
from train.config import PairLoss

pytest.importorskip("trl")

ROWS = pair_rows(24)
CERTAIN = [{**row, "p_chosen": 1.0, "weight": 1.0} for row in ROWS]
STEPS = 5


def arguments(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "output_dir": str(folder), "report_to": "none", "use_cpu": True, "bf16": False, "disable_tqdm": True,
        "gradient_checkpointing": False, "logging_steps": 1, "max_steps": STEPS, "per_device_train_batch_size": 4,
        "per_device_eval_batch_size": 4, "save_strategy": "no", "seed": 3, "warmup_steps": 0, **more,
    }  # fmt: skip


def losses(trainer: Any) -> list[float]:
    """The losses of every step, then that of the held-out rows."""
    trainer.train()
    found = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(found) == STEPS
    return [*found, trainer.evaluate()["eval_loss"]]


def built(cls: Any, config: Any, model: Path, rows: list[dict[str, Any]], folder: Path, **more: Any) -> Any:
    from datasets import Dataset

    data, held_out = Dataset.from_list(rows[:16]), Dataset.from_list(rows[16:])
    return cls(str(model), args=config(**arguments(folder, **more)), train_dataset=data, eval_dataset=held_out)


def weights(trainer: Any) -> Any:
    """All parameters in one row."""
    import torch

    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


def same_training(stock: Any, *ours: Any, within: float = 1e-6) -> None:
    """Hold the losses of all steps and the weights after the last against those of TRL."""
    expected = losses(stock)
    assert max(expected) - min(expected) > 0.01  # it learns something
    for trainer in ours:
        assert losses(trainer) == pytest.approx(expected, abs=within, rel=within)
        assert float((weights(trainer) - weights(stock)).abs().max()) <= within


def test_a_reward_model(tiny_model: Path, tmp_path: Path) -> None:
    from trl import RewardConfig, RewardTrainer

    from train.reward import SoftRewardTrainer

    settings = {"learning_rate": 1e-3, "center_rewards_coefficient": 0.01}
    stock = built(RewardTrainer, RewardConfig, tiny_model, ROWS, tmp_path, **settings)
    ours = [built(SoftRewardTrainer, RewardConfig, tiny_model, rows, tmp_path, **settings) for rows in (ROWS, CERTAIN)]
    same_training(stock, *ours)


def test_a_reward_model_with_margins(tiny_model: Path, tmp_path: Path) -> None:
    from trl import RewardConfig, RewardTrainer

    from train.reward import SoftRewardTrainer

    rows = [{**row, "margin": 0.25 * (place % 5)} for place, row in enumerate(ROWS)]
    stock = built(RewardTrainer, RewardConfig, tiny_model, rows, tmp_path, learning_rate=1e-3)
    same_training(stock, built(SoftRewardTrainer, RewardConfig, tiny_model, rows, tmp_path, learning_rate=1e-3))
    both = [{**row, "p_chosen": 0.9} for row in rows]
    with pytest.raises(ValueError, match="twice"):
        built(SoftRewardTrainer, RewardConfig, tiny_model, both, tmp_path).train()


@pytest.mark.parametrize(
    ("loss", "precomputed"),
    [(PairLoss.SIGMOID, True), (PairLoss.IPO, True), (PairLoss.HINGE, True), (PairLoss.IPO, False)],
)
def test_dpo(
    tiny_model: Path, tmp_path: Path, loss: PairLoss, precomputed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import DPOConfig, DPOTrainer

    from train import dpo

    settings = {"learning_rate": 5e-4, "precompute_ref_log_probs": precomputed, "loss_type": loss.value}
    monkeypatch.setattr(dpo, "_LOGITS_BYTES", 0)  # TRL's fused head, as on a GPU
    stock = built(DPOTrainer, DPOConfig, tiny_model, ROWS, tmp_path, **settings)
    others = [{**row, "source": "ai"} for row in CERTAIN]  # TRL keeps references by what the rows hold
    same_training(stock, built(dpo.SoftDPOTrainer, DPOConfig, tiny_model, others, tmp_path, **settings))


@pytest.mark.parametrize("loss", list(PairLoss))
def test_dpo_by_plain_logits(tiny_model: Path, tmp_path: Path, loss: PairLoss) -> None:
    """Without labels, and by another way to the same numbers: log-probabilities of -370 are rounded to 3e-5 in float32.

    By SGD, since Adam makes whole steps of gradients that are rounding alone.
    """
    from trl import DPOConfig, DPOTrainer

    from train.dpo import SoftDPOTrainer

    settings = {"learning_rate": 3e-3, "optim": "sgd", "loss_type": loss.value}
    stock = built(DPOTrainer, DPOConfig, tiny_model, ROWS, tmp_path, **settings)
    within = 5e-6 if loss is PairLoss.SIGMOID else 1e-5  # the other losses and their slopes are larger
    same_training(stock, built(SoftDPOTrainer, DPOConfig, tiny_model, ROWS, tmp_path, **settings), within=within)


def test_dpo_with_an_adapter(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset
    from peft import LoraConfig
    from trl import DPOConfig, DPOTrainer

    from train import dpo

    monkeypatch.setattr(dpo, "_LOGITS_BYTES", 0)

    def with_adapter(cls: Any, rows: list[dict[str, Any]]) -> list[float]:
        args = DPOConfig(**arguments(tmp_path, learning_rate=1e-2))
        adapter = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=True)
        data, held_out = Dataset.from_list(rows[:16]), Dataset.from_list(rows[16:])
        return losses(cls(str(tiny_model), args=args, train_dataset=data, eval_dataset=held_out, peft_config=adapter))

    stock = with_adapter(DPOTrainer, ROWS)
    assert max(stock) - min(stock) > 0.01
    assert with_adapter(dpo.SoftDPOTrainer, CERTAIN) == pytest.approx(stock, abs=1e-6)


def test_weights_and_labels_change_the_loss(tiny_model: Path, tmp_path: Path) -> None:
    from trl import RewardConfig

    from train.reward import SoftRewardTrainer

    settings = {"learning_rate": 1e-3}
    certain = losses(built(SoftRewardTrainer, RewardConfig, tiny_model, CERTAIN, tmp_path, **settings))
    soft_rows = [{**row, "p_chosen": 0.8} for row in CERTAIN]
    soft = losses(built(SoftRewardTrainer, RewardConfig, tiny_model, soft_rows, tmp_path, **settings))
    light_rows = [{**row, "weight": 0.5} for row in CERTAIN]
    light = losses(built(SoftRewardTrainer, RewardConfig, tiny_model, light_rows, tmp_path, **settings))
    assert abs(soft[0] - certain[0]) > 1e-3
    assert light[0] == pytest.approx(certain[0] / 2, abs=1e-6)


@pytest.mark.parametrize("method", ["reward", "dpo"])
def test_accumulated_micro_batches_are_the_big_batch(tiny_model: Path, tmp_path: Path, method: str) -> None:
    """Weights of one data set, cut into halves: the same training, since no batch divides by its own weights."""
    from trl import DPOConfig, RewardConfig

    from train.dpo import SoftDPOTrainer
    from train.reward import SoftRewardTrainer

    cls, config = {"reward": (SoftRewardTrainer, RewardConfig), "dpo": (SoftDPOTrainer, DPOConfig)}[method]
    rows = [{**row, "p_chosen": 0.7, "weight": 0.5 + place % 3} for place, row in enumerate(ROWS)]
    common = {"learning_rate": 1e-3, "train_sampling_strategy": "sequential"}
    whole = built(cls, config, tiny_model, rows, tmp_path, **common)
    halves = {**common, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
    cut = built(cls, config, tiny_model, rows, tmp_path, **halves)
    assert losses(cut) == pytest.approx(losses(whole), abs=1e-5)
    assert float((weights(cut) - weights(whole)).abs().max()) <= 1e-4  # a tenth of one step of Adam: rounding


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"loss_type": "robust", "label_smoothing": 0.1}, "sigmoid, ipo, hinge"),
        ({"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 1.0]}, "one plain loss"),
        ({"label_smoothing": 0.1}, "write 1 minus that into p_chosen"),
    ],
    ids=["robust", "a mixture", "label smoothing"],
)
def test_soft_dpo_refuses_what_it_would_not_do(
    tiny_model: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    from trl import DPOConfig

    from train.dpo import SoftDPOTrainer

    with pytest.raises(ValueError, match=said):
        built(SoftDPOTrainer, DPOConfig, tiny_model, ROWS, tmp_path, **settings)
