"""Two processes with half a batch each learn what one process learns from the whole batch, unequal weights and all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")

SCRIPT = """
import json, os, sys
from pathlib import Path
from datasets import load_dataset
from trl import RewardConfig
from train.quiet import quiet_libraries
from train.reward import SoftRewardTrainer

model, data, out, batch = sys.argv[1:]
with quiet_libraries():
    args = RewardConfig(
        output_dir=f"{out}-checkpoints", report_to="none", use_cpu=True, bf16=False, disable_tqdm=True,
        gradient_checkpointing=False, logging_steps=1, max_steps=4, per_device_train_batch_size=int(batch),
        save_strategy="no", seed=3, learning_rate=1e-3, train_sampling_strategy="sequential",
        ddp_find_unused_parameters=False,
    )
    rows = load_dataset("json", data_files=data, split="train", cache_dir=f"{out}-cache")
    trainer = SoftRewardTrainer(model, args=args, train_dataset=rows)
    trainer.train()
if trainer.is_world_process_zero():
    Path(out).write_text(json.dumps([e["loss"] for e in trainer.state.log_history if "loss" in e]))
trainer.accelerator.wait_for_everyone()  # gloo aborts a process whose peer is gone
trainer.accelerator.end_training()
"""


@pytest.mark.slow
def test_two_processes_are_one_big_batch(tiny_model: Path, tmp_path: Path) -> None:
    from tests.train.world import pair_rows, write_jsonl

    rows = [{**row, "p_chosen": 0.7, "weight": 0.5 + place % 3} for place, row in enumerate(pair_rows(32))]
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    script = tmp_path / "losses.py"
    script.write_text(SCRIPT, encoding="utf-8")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    def losses(batch: int, *launcher: str) -> list[float]:
        out = tmp_path / f"losses-{batch}.json"
        words = [sys.executable, *launcher, str(script), str(tiny_model), str(data), str(out), str(batch)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr[-20_000:]
        found: list[float] = json.loads(out.read_text(encoding="utf-8"))
        return found

    one = losses(8)
    two = losses(4, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert len(one) == 4
    assert two == pytest.approx(one, abs=1e-5)
