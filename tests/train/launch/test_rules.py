"""Every combination that does not work is refused with a reason and a way out; what works is let through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tenet.errors import MissingInput, UsageError
from train.config import DpoConfig, LoraConfig, SftConfig, TrainConfig
from train.launch import rules
from train.launch.rules import RULES, Case, refusals, require_possible
from train.launch.world import Machine, Sharding, World, require_same_world, world_here

BASE = {"model": "m", "data": "d"}
FOUR = Machine(gpus=4, deepspeed=True)
NONE = Machine(gpus=0, deepspeed=False)
DDP = World(processes=4)
FSDP = World(processes=4, sharding=Sharding.FSDP)
ZERO = World(processes=4, sharding=Sharding.ZERO, stage=3)
CPUS = World(processes=2, cpu=True)
KEPT = LoraConfig(merge=False)


@dataclass(frozen=True)
class Quantised(LoraConfig):
    quantise: str | None = "4bit"


def sft(**more: Any) -> TrainConfig:
    from tenet.config import make_config

    return make_config({**BASE, **more}, SftConfig)


def dpo(lora: LoraConfig | None = None, **more: Any) -> TrainConfig:
    return DpoConfig(**BASE, lora=lora, **more)


BROKEN: list[tuple[str, TrainConfig, World, Machine]] = [
    ("no-gpu", sft(), DDP, NONE),
    ("device-cpu", sft(device="cpu"), DDP, FOUR),
    ("device-gpu", sft(device="gpu"), CPUS, FOUR),
    ("more-processes-than-gpus", sft(), World(processes=5), FOUR),
    ("uneven-machines", sft(), World(processes=3, machines=2), FOUR),
    ("several-gpus-unlaunched", sft(), World(launched=False), FOUR),
    ("cpu-sharded", sft(), replace(FSDP, cpu=True), FOUR),
    ("deepspeed-missing", sft(), ZERO, Machine(4, deepspeed=False)),
    ("half-precision-on-cpu", sft(precision="bf16"), CPUS, FOUR),
    ("two-precisions", sft(precision="fp32"), replace(DDP, precision="bf16"), FOUR),
    ("two-precisions", sft(), replace(DDP, precision="fp8"), FOUR),
    ("merge-sharded", dpo(LoraConfig(), precompute_reference=False), FSDP, FOUR),
    ("merge-sharded", dpo(LoraConfig()), ZERO, FOUR),
    ("save-dtype-sharded", sft(save_dtype="bfloat16"), ZERO, FOUR),
    ("reference-of-adapters-under-fsdp", dpo(KEPT), FSDP, FOUR),
    ("quantised-sharded", dpo(Quantised(merge=False), precompute_reference=False), FSDP, FOUR),
    ("quantised-sharded", dpo(Quantised(merge=False)), ZERO, FOUR),
    ("saved-in-shards", sft(), replace(FSDP, whole_save=False), FOUR),
    ("saved-in-shards", sft(), replace(ZERO, whole_save=False), FOUR),
    ("checkpointing-twice", sft(), replace(FSDP, checkpoints_activations=True), FOUR),
]
WORKING: list[tuple[TrainConfig, World, Machine]] = [
    (sft(), World(launched=False), NONE),
    (sft(), World(launched=False), Machine(1, deepspeed=False)),
    (sft(device="cpu", precision="fp32"), World(launched=False), FOUR),
    (sft(), CPUS, NONE),
    (sft(precision="bf16"), DDP, FOUR),
    (sft(precision="bf16"), replace(DDP, precision="bf16"), FOUR),
    (dpo(), FSDP, FOUR),
    (dpo(), ZERO, FOUR),
    (dpo(LoraConfig()), DDP, FOUR),
    (dpo(KEPT, precompute_reference=False), FSDP, FOUR),
    (dpo(KEPT), ZERO, FOUR),
    (dpo(Quantised()), DDP, FOUR),
    (sft(), World(processes=8, machines=2), FOUR),
    (sft(gradient_checkpointing=False), replace(FSDP, checkpoints_activations=True), FOUR),
]


@pytest.mark.parametrize(("name", "config", "world", "machine"), BROKEN)
def test_what_does_not_work_is_refused(name: str, config: TrainConfig, world: World, machine: Machine) -> None:
    assert [rule.name for rule, _, _ in refusals(Case(config, world, machine))] == [name]
    with pytest.raises((UsageError, MissingInput)) as caught:
        require_possible(config, world, machine)
    assert caught.value.hint
    assert "{" not in str(caught.value)
    assert caught.value.exit_code == (3 if name == "deepspeed-missing" else 2)


@pytest.mark.parametrize(("config", "world", "machine"), WORKING)
def test_what_works_is_let_through(config: TrainConfig, world: World, machine: Machine) -> None:
    require_possible(config, world, machine)


def test_ppo_is_not_sharded(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = next(rule for rule in RULES if rule.name == "ppo-sharded")
    monkeypatch.setattr(rules, "method_of", lambda config: type("Ppo", (), {"value": "ppo"}))
    assert rule.holds_for(Case(sft(), FSDP, FOUR))
    assert rule.holds_for(Case(sft(), ZERO, FOUR))
    assert not rule.holds_for(Case(sft(), DDP, FOUR))


def test_each_rule_is_tried_and_in_the_guide() -> None:
    assert {rule.name for rule in RULES} == {name for name, *_ in BROKEN} | {"ppo-sharded"}
    guide = (Path(__file__).parents[3] / "docs/launch.md").read_text(encoding="utf-8")
    assert not [rule.name for rule in RULES if f"`{rule.name}`" not in guide]


def test_the_environment_of_a_launcher_is_read() -> None:
    assert world_here({}) == World(launched=False, version=1)
    two = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}
    assert world_here(two) == World(processes=4, machines=2, version=1)
    fsdp = {**two, "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT"}
    assert world_here(fsdp) == World(processes=4, machines=2, sharding=Sharding.FSDP)
    zero = {**two, "ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}
    assert not world_here(zero).whole_save
    assert world_here({**zero, "ACCELERATE_DEEPSPEED_ZERO3_SAVE_16BIT_MODEL": "true"}).whole_save


def test_a_checkpoint_goes_on_with_the_processes_that_it_is_of() -> None:
    require_same_world(None, DDP, Path("out"))
    require_same_world(DDP.identity(), replace(DDP, machines=2), Path("out"))
    with pytest.raises(UsageError, match="processes 4, sharding none, stage 0; now processes 4, sharding fsdp"):
        require_same_world(DDP.identity(), FSDP, Path("out"))
