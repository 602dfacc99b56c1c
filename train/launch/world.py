"""How the processes of a training share the work, as plain facts. Knows no configuration of a training and starts nothing.

A world is read from an accelerate configuration before the start (`train.launch.plan`), or from the environment that a launcher gave
to a process, so that one table of rules (`train.launch.rules`) holds for both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from tenet.errors import UsageError
from tenet.ids import Json


class Sharding(StrEnum):
    """What cuts the model into shards; NONE leaves a whole model in every process."""

    NONE = "none"
    FSDP = "fsdp"
    ZERO = "zero"


@dataclass(frozen=True)
class World:
    """The processes of a training. `processes` counts those of all `machines` together.

    `cpu`: on CPUs only. `launched`: by a launcher, not by the bare command. `whole_save`: the shards are gathered when the model is
    saved. `checkpoints_activations`: FSDP's own gradient checkpointing. `precision` is what the launcher's file says, "no" if nothing.
    """

    processes: int = 1
    machines: int = 1
    cpu: bool = False
    launched: bool = True
    sharding: Sharding = Sharding.NONE
    stage: int = 0
    version: int = 2
    whole_save: bool = True
    checkpoints_activations: bool = False
    precision: str = "no"

    @property
    def sharded(self) -> bool:
        """Whether no process has the whole model; ZeRO's stages 1 and 2 leave it whole."""
        return self.sharding is Sharding.FSDP or (self.sharding is Sharding.ZERO and self.stage == 3)

    @property
    def title(self) -> str:
        """What people call it."""
        if self.sharding is Sharding.FSDP:
            return f"FSDP{'' if self.version == 1 else self.version}"
        return f"DeepSpeed ZeRO-{self.stage}" if self.sharding is Sharding.ZERO else f"{self.processes} processes"

    def identity(self) -> dict[str, Json]:
        """What a checkpoint depends on."""
        return {"processes": self.processes, "sharding": self.sharding.value, "stage": self.stage}


@dataclass(frozen=True)
class Machine:
    """What is here: `gpus` that this process may use, and whether DeepSpeed is installed."""

    gpus: int
    deepspeed: bool


def this_machine() -> Machine:
    """Look at this machine, without taking any of a GPU's memory."""
    import torch

    return Machine(torch.accelerator.device_count(), find_spec("deepspeed") is not None)


def world_here(environment: Mapping[str, str] | None = None) -> World:
    """Read the world from what accelerate, torchrun or Ray Train put into the environment; one process if nothing did."""
    env = os.environ if environment is None else environment
    processes = int(env.get("WORLD_SIZE", "1"))
    local = int(env.get("LOCAL_WORLD_SIZE", str(processes)))
    sharding, stage = Sharding.NONE, 0
    if _true(env, "ACCELERATE_USE_FSDP"):
        sharding = Sharding.FSDP
    elif _true(env, "ACCELERATE_USE_DEEPSPEED"):
        sharding, stage = Sharding.ZERO, int(env.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2"))
    full = {
        Sharding.NONE: True,
        Sharding.FSDP: env.get("FSDP_STATE_DICT_TYPE", "SHARDED_STATE_DICT") == "FULL_STATE_DICT",
        Sharding.ZERO: stage < 3 or _true(env, "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL"),
    }[sharding]
    return World(
        processes=processes,
        machines=max(1, processes // max(1, local)),
        launched="RANK" in env,
        sharding=sharding,
        stage=stage,
        version=int(env.get("FSDP_VERSION", "1")),
        whole_save=full,
        checkpoints_activations=_true(env, "FSDP_ACTIVATION_CHECKPOINTING"),
        precision=env.get("ACCELERATE_MIXED_PRECISION", "no"),
    )


def require_same_world(before: object, now: World, folder: Path) -> None:
    """Refuse to go on with a training on other processes: its checkpoint has a place in the data and random states for each.

    Raises:
        UsageError: names what was and what is.
    """
    if not isinstance(before, Mapping) or dict(before) == now.identity():
        return
    said = [", ".join(f"{key} {value}" for key, value in one.items()) for one in (before, now.identity())]
    raise UsageError(
        f"{folder} holds a training begun on other processes ({said[0]}; now {said[1]}): its checkpoint is of those.",
        hint="go on with the same --launch and --processes, or begin another folder with --out",
    )


def _true(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "false").lower() in ("true", "1")
