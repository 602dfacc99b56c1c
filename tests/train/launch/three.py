"""One launched process does three trainings, one after the other: what the tests of launching start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tenet.console import Console
from train.config import DpoConfig, RewardConfig, SftConfig
from train.session import TrainResult


def train_three(config: DpoConfig, *, console: Console | None, resume: bool, command: str | None) -> TrainResult:
    """Train SFT, a reward model and DPO from the settings of a DPO, each into a folder below the one that is named."""
    from train.dpo import train_dpo
    from train.reward import train_reward
    from train.sft import train_sft

    assert config.out is not None
    out = Path(config.out)
    common: dict[str, Any] = {
        key: getattr(config, key)
        for key in ("model", "data", "eval_share", "max_steps", "batch_size", "learning_rate", "seed")
    }
    told: dict[str, Any] = {"console": console, "resume": resume, "command": command}
    sft = SftConfig(**{**common, "data": str(Path(config.data).with_name("told.jsonl"))}, out=str(out / "sft"))
    train_sft(sft, **told)
    train_reward(RewardConfig(**common, out=str(out / "reward")), **told)
    return train_dpo(replace(config, out=str(out / "dpo")), **told)
