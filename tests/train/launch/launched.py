"""What the tests of launching start besides a training: a refusal, a process that is killed, a sum over all processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tenet.errors import TooManyFailures
from train.config import DpoConfig

if TYPE_CHECKING:
    from train.session import TrainResult


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
