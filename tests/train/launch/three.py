"""What the tests of launching start: three trainings, one after the other, in one launch; a refusal; a process that is killed."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenet.console import Console
from tenet.errors import TooManyFailures
from train.config import DpoConfig, RewardConfig, SftConfig

if TYPE_CHECKING:
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


def refuse(config: DpoConfig, **_: Any) -> TrainResult:
    """Fail as a training on bad data does."""
    raise TooManyFailures("the data is no good", hint="do better")


def be_killed(config: DpoConfig, **_: Any) -> TrainResult:
    """The second process is killed, as by a machine that is out of memory; the first would wait for ever."""
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)
    raise AssertionError


@dataclass(frozen=True)
class Counted:
    """A result that needs no library of trainings."""

    processes: int

    def as_json(self) -> dict[str, Any]:
        return {"processes": self.processes}


def count(config: DpoConfig, **_: Any) -> Counted:
    """Have all processes add 1 to one sum."""
    import torch
    from torch import distributed

    total = torch.ones(1)
    distributed.all_reduce(total)
    return Counted(int(total.item()))
