"""What `--launch` asks for, as a plan: which launcher, how many processes, and the world that they will make.

Reads an accelerate configuration by accelerate's own parser, so that a key which does not exist is an error here too. Starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tenet.errors import InvalidInput, MissingInput, Problem, UsageError
from train.launch.world import Machine, Sharding, World

CONFIGS: Final = Path(__file__).parent / "configs"
NAMES: Final = ("one-gpu", "gpus", "fsdp2", "zero3", "nodes")
_TYPES: Final = ("NO", "MULTI_GPU", "FSDP", "DEEPSPEED")


class Launcher(StrEnum):
    """What starts the processes. HERE is this process itself."""

    HERE = "here"
    TORCHRUN = "torchrun"
    ACCELERATE = "accelerate"
    RAY = "ray"


@dataclass(frozen=True)
class Asked:
    """The options of a start as they were given: `launch` is a name, an accelerate file, cpu:N or ray:N."""

    launch: str
    processes: int | None = None
    nodes: int | None = None
    node_rank: int = 0
    main_address: str | None = None


@dataclass(frozen=True)
class Plan:
    """How a training is to be started; `file` is accelerate's configuration, `gpu` the one GPU that is to be seen."""

    launcher: Launcher
    world: World
    file: Path | None = None
    node_rank: int = 0
    address: str | None = None
    port: int = 0
    gpu: str | None = None


def config_text(name: str) -> str:
    """Give a shipped configuration as it stands.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in NAMES:
        raise UsageError(f"there is no configuration called {name!r}", hint=f"there are {', '.join(NAMES)}")
    return (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")


def plan_of(asked: Asked, machine: Machine) -> Plan:
    """Read what is asked for.

    Raises:
        UsageError: the options do not go together, or the file asks for what Tenet cannot start.
        MissingInput: the file is not there.
        InvalidInput: it is no accelerate configuration.
    """
    name, _, count = asked.launch.partition(":")
    if name in ("cpu", "ray") and not Path(asked.launch).exists():
        return _counted(name, count, asked, machine)
    file = CONFIGS / f"{asked.launch}.yaml" if asked.launch in NAMES else Path(asked.launch)
    if not file.is_file():
        hint = f"--launch takes {', '.join(NAMES)}, cpu:N, ray:N, or a file of accelerate's"
        raise MissingInput(f"there is no way to start called {asked.launch!r}, and no such file", hint=hint)
    return _from_file(file, asked, machine)


def _counted(name: str, count: str, asked: Asked, machine: Machine) -> Plan:
    """cpu:N and ray:N."""
    said = count or str(asked.processes or "")
    if not said.isdecimal() or int(said) < 1:
        raise UsageError(f"--launch {asked.launch}: how many processes?", hint=f"for example --launch {name}:2")
    if asked.processes not in (None, int(said)):
        raise UsageError(f"--launch {asked.launch} and --processes {asked.processes} differ", hint="give one of them")
    if asked.nodes is not None:
        hint = "the cluster spreads the processes itself" if name == "ray" else "--launch nodes"
        raise UsageError(f"--nodes does not go with --launch {asked.launch}", hint=hint)
    cpu = name == "cpu" or not machine.gpus
    return Plan(Launcher.RAY if name == "ray" else Launcher.TORCHRUN, World(processes=int(said), cpu=cpu))


def _from_file(file: Path, asked: Asked, machine: Machine) -> Plan:
    read = _parsed(file)
    kind = str(getattr(read.distributed_type, "value", read.distributed_type))
    if kind not in _TYPES or str(getattr(read.compute_environment, "value", "")) != "LOCAL_MACHINE":
        hint = f"those of one kind: {', '.join(NAMES)} (tenet train launch-config NAME prints one)"
        raise UsageError(f"{file}: Tenet starts {', '.join(_TYPES)} on machines of your own, not {kind}", hint=hint)
    machines = asked.nodes or int(read.num_machines or 1)
    given = asked.processes or (int(read.num_processes) if read.num_processes and read.num_processes > 0 else None)
    processes = given or max(1, machine.gpus) * machines
    if kind == "NO":
        if processes > 1 or machines > 1:
            raise UsageError(f"{file.name} is one process; {processes} are asked for", hint="--launch gpus")
        gpu = str(read.gpu_ids) if read.gpu_ids not in (None, "all") else None
        return Plan(Launcher.HERE, World(cpu=bool(read.use_cpu), precision=str(read.mixed_precision or "no")), gpu=gpu)
    world = World(
        processes=processes,
        machines=machines,
        cpu=bool(read.use_cpu),
        precision=str(read.mixed_precision or "no"),
        **_sharding(kind, read.fsdp_config, read.deepspeed_config),
    )
    host, port = _address(asked.main_address, read, machines)
    rank = asked.node_rank or int(read.machine_rank or 0)
    if not 0 <= rank < machines:
        raise UsageError(f"--node-rank {rank}, and there are {machines} machines", hint="count from 0")
    return Plan(Launcher.ACCELERATE, world, file, rank, host, port)


def _sharding(kind: str, fsdp: Mapping[str, Any], zero: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of shards; keys with and without the prefix, as accelerate takes them."""
    if kind == "FSDP":
        said = {key.removeprefix("fsdp_"): value for key, value in fsdp.items()}
        version = int(said.get("version", 1))
        return {
            "sharding": Sharding.FSDP,
            "version": version,
            "whole_save": str(said.get("state_dict_type", "SHARDED_STATE_DICT")) == "FULL_STATE_DICT",
            "checkpoints_activations": said.get("activation_checkpointing") in (True, "true"),
        }
    if kind == "DEEPSPEED":
        stage = int(zero.get("zero_stage", 2))
        whole = stage < 3 or zero.get("zero3_save_16bit_model") in (True, "true")
        return {"sharding": Sharding.ZERO, "stage": stage, "whole_save": whole}
    return {}


def _address(given: str | None, read: Any, machines: int) -> tuple[str | None, int]:
    host, _, port = (given or "").rpartition(":") if given and ":" in given else (given or "", "", "")
    host = host or (read.main_process_ip or "")
    if port and not port.isdecimal():
        raise UsageError(f"--main-address {given}: {port!r} is no port", hint="for example --main-address node0:29500")
    if machines > 1 and not host:
        raise UsageError(
            f"{machines} machines, and nothing says where the first one is",
            hint="--main-address HOST:PORT, the same on every machine, and --node-rank 0, 1, ...",
        )
    number = int(port or read.main_process_port or 0)
    return host or None, number or (29500 if machines > 1 else 0)


def _parsed(file: Path) -> Any:
    from accelerate.commands.config.config_args import load_config_from_file

    try:
        return load_config_from_file(str(file))
    except Exception as error:
        raise InvalidInput("This is no configuration of accelerate.", [Problem(str(error), file)]) from error
