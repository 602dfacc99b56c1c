"""`--launch` in all its forms, and that accelerate itself reads our configurations as they are meant."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

pytest.importorskip("accelerate")

from accelerate.commands.launch import _validate_launch_command
from accelerate.utils.launch import prepare_multi_gpu_env

from tenet.cli import cli
from tenet.errors import InvalidInput, MissingInput, UsageError
from train.config import DpoConfig
from train.launch.plan import CONFIGS, NAMES, Asked, Launcher, config_text, plan_of
from train.launch.start import STOP_SECONDS, accelerate_arguments, one_of, train_launched
from train.launch.world import Machine, Sharding, World, world_here

FOUR = Machine(gpus=4, deepspeed=True)
NONE = Machine(gpus=0, deepspeed=False)


def test_every_configuration_is_read_and_each_of_its_keys_explained() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(NAMES)
    for name in NAMES:
        address = "node0" if name == "nodes" else None
        assert plan_of(Asked(name, main_address=address), FOUR).world.launched
        first, *lines = config_text(name).splitlines()
        assert first.startswith("# ")
        plain = [line for line in lines if "  # " not in line and not line.endswith("_config:")]
        bare = (
            "num_machines: 1",
            "num_processes: 1",
            "gpu_ids: all",
            "distributed_type: FSDP",
            "distributed_type: DEEPSPEED",
        )
        assert set(plain) <= set(bare)


def test_names_become_worlds() -> None:
    assert plan_of(Asked("gpus"), FOUR).world == World(processes=4)
    assert plan_of(Asked("gpus", processes=2), FOUR).world == World(processes=2)
    assert plan_of(Asked("fsdp2"), FOUR).world == World(processes=4, sharding=Sharding.FSDP)
    assert plan_of(Asked("zero3"), FOUR).world == World(processes=4, sharding=Sharding.ZERO, stage=3)
    one = plan_of(Asked("one-gpu"), FOUR)
    assert (one.launcher, one.world, one.gpu) == (Launcher.HERE, World(), "0")
    cpu = plan_of(Asked("cpu:3"), FOUR)
    assert (cpu.launcher, cpu.world) == (Launcher.TORCHRUN, World(processes=3, cpu=True))
    assert plan_of(Asked("ray:2"), NONE).world == World(processes=2, cpu=True)
    assert plan_of(Asked("ray", processes=2), FOUR).world == World(processes=2)


def test_the_one_gpu_is_counted_among_the_visible_ones() -> None:
    assert one_of(None, "0") == "0"
    assert one_of("2,3", "1") == "3"
    assert one_of("GPU-ab12", "0") == "GPU-ab12"
    with pytest.raises(UsageError, match="2 GPUs are visible"):
        one_of("2,3", "2")


def test_machines() -> None:
    plan = plan_of(Asked("nodes", nodes=3, node_rank=2, main_address="node0:1234"), FOUR)
    assert plan.world == World(processes=12, machines=3)
    assert (plan.node_rank, plan.address, plan.port) == (2, "node0", 1234)
    assert plan_of(Asked("fsdp2", nodes=2, main_address="node0"), FOUR).port == 29500
    with pytest.raises(UsageError, match="where the first one is"):
        plan_of(Asked("nodes"), FOUR)
    with pytest.raises(UsageError, match="there are 2 machines"):
        plan_of(Asked("nodes", node_rank=2, main_address="node0"), FOUR)
    with pytest.raises(UsageError, match="no port"):
        plan_of(Asked("nodes", main_address="node0:http"), FOUR)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Asked("cpu"), "how many"),
        (Asked("cpu:none"), "how many"),
        (Asked("cpu:2", processes=3), "differ"),
        (Asked("cpu:2", nodes=2), "--nodes"),
        (Asked("one-gpu", processes=2), "one process"),
    ],
)
def test_options_that_do_not_go_together(asked: Asked, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plan_of(asked, FOUR)


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(config_text("fsdp2").replace("FULL_STATE", "SHARDED_STATE"), encoding="utf-8")
    assert not plan_of(Asked(str(file)), FOUR).world.whole_save
    file.write_text(config_text("gpus") + "no_such_key: 1\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match="no_such_key"):
        plan_of(Asked(str(file)), FOUR)
    file.write_text("distributed_type: XLA\n", encoding="utf-8")
    with pytest.raises(UsageError, match="not XLA"):
        plan_of(Asked(str(file)), FOUR)
    with pytest.raises(MissingInput, match="fsdp3"):
        plan_of(Asked("fsdp3"), FOUR)


def test_accelerate_gives_processes_the_world_that_was_planned() -> None:
    for name, address in (("fsdp2", None), ("nodes", "node0:29511"), ("fsdp2", "node0:29511")):
        nodes = 2 if address else None
        plan = plan_of(Asked(name, nodes=nodes, node_rank=int(bool(address)), main_address=address), FOUR)
        arguments, _, _ = _validate_launch_command(accelerate_arguments(plan, "folder"))
        env = prepare_multi_gpu_env(arguments)
        local = {"RANK": "0", "WORLD_SIZE": str(plan.world.processes), "LOCAL_WORLD_SIZE": arguments.nproc_per_node}
        read = world_here({**env, **local})
        assert (read.processes, read.machines, read.sharding) == (
            plan.world.processes, plan.world.machines, plan.world.sharding,
        )  # fmt: skip
        assert read.whole_save
        assert arguments.shutdown_timeout == STOP_SECONDS
        assert arguments.module
        if address:
            assert (arguments.node_rank, arguments.nnodes) == (1, "2")


def test_the_command_prints_configurations_and_refuses_before_anything_starts(tmp_path: Path) -> None:
    printed = CliRunner().invoke(cli, ["train", "launch-config", "zero3"])
    assert printed.exit_code == 0
    assert printed.stdout == config_text("zero3")
    assert CliRunner().invoke(cli, ["train", "launch-config", "zero4"]).exit_code == 2
    words = ["train", "dpo", "--model", str(tmp_path), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    alone = CliRunner().invoke(cli, [*words, "--processes", "2"])
    assert alone.exit_code == 2
    assert "goes with --launch" in alone.stderr
    wrong = CliRunner().invoke(cli, [*words, "--launch", "cpu:2", "--set", "precision=bf16"])
    assert wrong.exit_code == 2
    assert "precision: bf16 needs a GPU" in wrong.stderr
    assert not (tmp_path / "out").exists()


def test_on_windows_nothing_is_launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.launch.start.sys", SimpleNamespace(platform="win32"))
    config = DpoConfig(model="m", data="d", out=str(tmp_path / "out"))
    with pytest.raises(UsageError, match="on Linux and macOS only"):
        train_launched(config, "train.dpo:train_dpo", Asked("cpu:2"), resume=False, command="tenet train dpo")
    assert not (tmp_path / "out").exists()
