"""KTO with labels that are probabilities: the expected loss, its gradient, the stock trainer's numbers, and whole trainings."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tenet.console import Console
from tests.train.world import pair_rows, write_jsonl
from train.config import KtoConfig, LoraConfig

pytest.importorskip("trl")

QUIET: dict[str, Any] = {"batch_size": 4, "log_every": 1, "device": "cpu", "seed": 1, "learning_rate": 5e-4}


def run(model: Path, data: Path, out: Path, *, resume: bool = False, **keys: Any) -> Any:
    from train.kto import train_kto

    config = KtoConfig(model=str(model), data=str(data), out=str(out), **{**QUIET, "eval_share": 0.2, **keys})
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        return train_kto(config, console=Console(quiet=True, err=nowhere), resume=resume)


def losses(folder: Path) -> list[float]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def test_the_factors_give_the_expected_loss_and_its_gradient() -> None:
    """a = 2, b = 0.5; u worked through autograd for every q, both ways that TRL may read the row."""
    import torch

    from train.kto import row_weights

    a, b = 2.0, 0.5
    q = torch.tensor([0.9, 0.5, 0.1, 1.0, 0.3, 0.0])
    label = torch.tensor([True, True, False, True, False, False])
    w = torch.tensor([1.0, 2.0, 0.5, 1.5, 1.0, 0.25])
    u = torch.tensor([0.3, -1.0, 0.7, 2.0, -0.2, 0.0], requires_grad=True)
    factors, constant = row_weights(label, q, w, desirable=a, undesirable=b)
    stock = torch.where(label, 1 - torch.sigmoid(u), torch.sigmoid(u))
    ours = (factors * stock).mean() + constant
    expected = (w * (q * a * (1 - torch.sigmoid(u)) + (1 - q) * b * torch.sigmoid(u))).mean()
    assert ours.item() == pytest.approx(expected.item(), abs=1e-6)
    (mine,) = torch.autograd.grad(ours, u, retain_graph=True)
    (theirs,) = torch.autograd.grad(expected, u)
    assert torch.allclose(mine, theirs, atol=1e-7)


def test_a_pair_weighs_2p_minus_1() -> None:
    import torch

    from train.kto import row_weights

    label, p_good = torch.tensor([True, False, True, False]), torch.tensor([0.8, 0.2, 0.5, 0.5])
    factors, constant = row_weights(label, p_good, None, desirable=1.0, undesirable=1.0)
    assert factors.tolist() == pytest.approx([0.6, 0.6, 0.0, 0.0])
    assert float(constant) == pytest.approx((0.2 + 0.2 + 0.5 + 0.5) / 4)


def stock_losses(cls: Any, model: Path, rows: list[dict[str, Any]], folder: Path, **more: Any) -> list[float]:
    from datasets import Dataset
    from trl import KTOConfig

    args = KTOConfig(
        str(folder), report_to="none", use_cpu=True, bf16=False, disable_tqdm=True, gradient_checkpointing=False,
        logging_steps=1, max_steps=4, per_device_train_batch_size=4, save_strategy="no", seed=3, warmup_steps=0,
        learning_rate=1e-3, desirable_weight=1.2, **more,
    )  # fmt: skip
    trainer = cls(str(model), args=args, train_dataset=Dataset.from_list(rows))
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def rated_rows(count: int) -> list[dict[str, Any]]:
    return [
        {"prompt": row["prompt"], "completion": row["chosen" if place % 3 else "rejected"], "label": bool(place % 3)}
        for place, row in enumerate(pair_rows(count))
    ]


def test_certain_labels_are_the_stock_loss(tiny_model: Path, tmp_path: Path) -> None:
    from trl import KTOTrainer

    from train.kto import SoftKTOTrainer

    rows = rated_rows(16)
    certain = [{**row, "p_good": float(row["label"]), "weight": 1.0} for row in rows]
    soft = [{**row, "p_good": 0.8 if row["label"] else 0.2} for row in rows]
    stock = stock_losses(KTOTrainer, tiny_model, rows, tmp_path)
    assert max(stock) - min(stock) > 0.01
    for ours in (rows, certain):
        assert stock_losses(SoftKTOTrainer, tiny_model, ours, tmp_path) == pytest.approx(stock, abs=1e-6)
    assert stock_losses(SoftKTOTrainer, tiny_model, soft, tmp_path)[1] != pytest.approx(stock[1], abs=1e-3)


def test_rows_that_are_tokenised_here_are_as_trl_makes_them(tiny_model: Path, tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import KTOConfig, KTOTrainer

    from train.kto import SoftKTOTrainer
    from train.tokenise import Encoder

    rows = rated_rows(10)
    args = KTOConfig(
        str(tmp_path), report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False,
        per_device_train_batch_size=4, max_length=None,
    )  # fmt: skip
    theirs = KTOTrainer(str(tiny_model), args=args, train_dataset=Dataset.from_list(rows)).train_dataset
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    found = Encoder(AutoTokenizer.from_pretrained(tiny_model), 512).rated(columns)
    assert found["reason"] == [""] * len(rows)
    ready = Dataset.from_dict({
        "prompt_ids": found["prompt_ids"], "completion_ids": found["completion_ids"], "label": columns["label"]
    })  # fmt: skip
    ours = SoftKTOTrainer(str(tiny_model), args=args, train_dataset=ready).train_dataset
    for name in ("prompt_ids", "completion_ids", "KL_completion_ids", "label"):
        assert list(ours[name]) == list(theirs[name]), name


def test_advice_on_kinds_out_of_balance() -> None:
    """Three good rows to one bad: 3 / 1 is over 4/3, and undesirable = 3 makes it 1. No advice inside [1, 4/3]."""
    from train.unpaired import imbalance

    config = KtoConfig(model="m", data="d")
    assert imbalance([True, True, True, False], config)[0].endswith("--set undesirable=3")
    assert imbalance([True, False, False], config)[0].endswith("--set desirable=2")
    assert imbalance([True, False], config) == ()
    assert imbalance([True] * 4 + [False] * 3, config) == ()
    assert "all 2 responses are good" in imbalance([True, True], config)[0]


def test_a_policy_learns_from_pairs(tiny_model: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(30, p=lambda draw: 0.6 + 0.4 * draw.random()))
    result = run(tiny_model, data, tmp_path / "out", epochs=2)
    assert result.rows + result.held_out == 60  # each side a row
    assert losses(tmp_path / "out")[-1] < losses(tmp_path / "out")[0]
    assert {"train_loss", "eval_loss", "eval_rewards/margins"} <= set(result.metrics)
    assert "label_entropy" not in result.metrics
    assert result.metrics["eval_rewards/margins"] > 0
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    record = json.loads((tmp_path / "out" / "train.json").read_text(encoding="utf-8"))
    assert (record["method"], record["data"]["soft_labels"]) == ("kto", True)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "entropy of the model on held-out rows" in card
    assert "entropy of the held-out labels" not in card


def test_a_stopped_training_goes_on_to_the_same_weights(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    from safetensors.torch import load_file

    from tenet.errors import Interrupted
    from train.kto import SoftKTOTrainer

    rows = [{**row, "p_good": 0.9 if row["label"] else 0.3} for row in rated_rows(24)]
    data = write_jsonl(tmp_path / "rated.jsonl", rows)
    keys = {"epochs": 2, "eval_share": 0, "lora": LoraConfig(rank=4)}
    run(tiny_model, data, tmp_path / "whole", **keys)
    inner, calls = SoftKTOTrainer.compute_loss, [0]

    def compute_loss(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return inner(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(SoftKTOTrainer, "compute_loss", compute_loss)
        with pytest.raises(Interrupted):
            run(tiny_model, data, tmp_path / "cut", **keys)
    run(tiny_model, data, tmp_path / "cut", resume=True, **keys)
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert max(float((a[name] - b[name]).abs().max()) for name in a) == 0.0
