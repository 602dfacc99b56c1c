"""Two processes with half a batch each learn what one process learns from the whole batch, unequal weights and all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

SCRIPT = """
import json, sys
from pathlib import Path
import torch
from datasets import load_dataset
from trl import DPOConfig, RewardConfig
from train.dpo import SoftDPOTrainer
from train.quiet import quiet_libraries
from train.reward import SoftRewardTrainer

model, data, out, batch = sys.argv[1:]
found = {}
with quiet_libraries():
    rows = load_dataset("json", data_files=data, split="train", cache_dir=f"{out}-cache")
    for name, cls, config, more in (
        ("reward", SoftRewardTrainer, RewardConfig, {"learning_rate": 1e-3}),
        ("dpo", SoftDPOTrainer, DPOConfig, {"learning_rate": 5e-4, "precompute_ref_log_probs": True}),
    ):
        args = config(
            output_dir=f"{out}-checkpoints", report_to="none", use_cpu=True, bf16=False, disable_tqdm=True,
            gradient_checkpointing=False, logging_steps=1, max_steps=4, per_device_train_batch_size=int(batch),
            save_strategy="no", seed=3, train_sampling_strategy="sequential", ddp_find_unused_parameters=False, **more,
        )
        trainer = cls(model, args=args, train_dataset=rows)
        trainer.train()
        plain = trainer.accelerator.unwrap_model(trainer.model)
        weights = torch.cat([part.detach().flatten() for part in plain.parameters()])
        found[name] = [e["loss"] for e in trainer.state.log_history if "loss" in e]
        if trainer.is_world_process_zero():
            torch.save(weights, f"{out}-{name}.pt")
if trainer.is_world_process_zero():
    Path(out).write_text(json.dumps(found))
trainer.accelerator.wait_for_everyone()  # gloo aborts a process whose peer is gone
trainer.accelerator.end_training()
"""


@pytest.mark.slow
def test_two_processes_are_one_big_batch(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    from tests.train.world import pair_rows, write_jsonl

    rows = [{**row, "p_chosen": 0.7, "weight": 0.5 + place % 3} for place, row in enumerate(pair_rows(32))]
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    script = tmp_path / "losses.py"
    script.write_text(SCRIPT, encoding="utf-8")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    def trained(batch: int, *launcher: str) -> tuple[dict[str, list[float]], dict[str, Any]]:
        out = tmp_path / f"losses-{batch}.json"
        words = [sys.executable, *launcher, str(script), str(tiny_model), str(data), str(out), str(batch)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-20_000:]
        losses: dict[str, list[float]] = json.loads(out.read_text(encoding="utf-8"))
        return losses, {name: torch.load(f"{out}-{name}.pt", weights_only=True) for name in losses}

    one, one_weights = trained(8)
    two, two_weights = trained(4, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    for name in ("reward", "dpo"):
        assert len(one[name]) == 4
        assert two[name] == pytest.approx(one[name], abs=1e-5)
        assert float((two_weights[name] - one_weights[name]).abs().max()) <= 1e-3
