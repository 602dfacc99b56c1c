"""Which trainings cannot run on which processes, each with the reason and the way out: one table, asked before anything starts.

Each rule was read in the sources of the versions that Tenet is built for (TRL 1.16, transformers 5.19, accelerate 1.15, peft 0.21,
torch 2.13); its reason names the place. Knows configurations and worlds; loads no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from tenet.errors import MissingInput, UsageError
from train.config import Device, Precision, SaveDtype, TrainConfig, method_of
from train.launch.world import Machine, Sharding, World, this_machine, world_here


@dataclass(frozen=True)
class Case:
    """A training, the processes that it is to run on, and the machine that is here."""

    config: TrainConfig
    world: World
    machine: Machine

    @property
    def method(self) -> str:
        """The training's name."""
        return method_of(self.config).value

    @property
    def on_cpu(self) -> bool:
        """Whether it would run on the CPU."""
        return self.world.cpu or self.config.device is Device.CPU or not self.machine.gpus


@dataclass(frozen=True)
class Rule:
    """A combination that does not work. `says` and `instead` may name {title}, {method} and the fields of a world."""

    name: str
    holds_for: Callable[[Case], bool]
    says: str
    instead: str
    missing: bool = False


def _precomputes(config: Any) -> bool:
    return bool(getattr(config, "precompute_reference", False))


def _quantises(config: TrainConfig) -> bool:
    return config.lora is not None and getattr(config.lora, "quantise", None) is not None


def _other_precision(case: Case) -> bool:
    asked = case.config.precision
    said = case.world.precision
    return said == "fp8" or (said != "no" and asked is not Precision.AUTO and said != asked.value)


RULES: Final = (
    Rule(
        "no-gpu",
        lambda case: case.world.launched and not case.world.cpu and not case.machine.gpus,
        "this way to start needs a GPU, and there is none here",
        "--launch cpu:2 trains on the CPU with two processes; without --launch with one",
    ),
    Rule(
        "device-cpu",
        lambda case: case.world.launched and not case.world.cpu and case.config.device is Device.CPU,
        "device: cpu, and this way to start takes GPUs",
        "--launch cpu:{processes}, or leave device out",
    ),
    Rule(
        "device-gpu",
        lambda case: case.world.cpu and case.config.device is Device.GPU,
        "device: gpu, and this way to start takes CPUs",
        "--launch gpus, or leave device out",
    ),
    Rule(
        "more-processes-than-gpus",
        lambda case: not case.on_cpu and case.world.processes > case.world.machines * case.machine.gpus,
        "{processes} processes need as many GPUs, and {machines} x {gpus} are here: NCCL refuses two processes on one GPU",
        "--processes {most}; a larger accumulate makes up for fewer processes",
    ),
    Rule(
        "uneven-machines",
        lambda case: case.world.processes % case.world.machines != 0,
        "{processes} processes do not divide by {machines} machines (accelerate starts the same number on each)",
        "--processes as a multiple of --nodes",
    ),
    Rule(
        "several-gpus-unlaunched",
        lambda case: not case.world.launched and not case.on_cpu and case.machine.gpus > 1,
        "{gpus} GPUs are visible to one process: transformers would spread each batch over them by nn.DataParallel, and one step "
        "would take batch_size x {gpus} rows",
        "--launch gpus uses all of them rightly, --launch one-gpu one",
    ),
    Rule(
        "cpu-sharded",
        lambda case: case.world.sharding is not Sharding.NONE and case.on_cpu,
        "{title} shards over accelerators; on CPUs accelerate leaves it out without a word and every process holds the whole model",
        "--launch cpu:{processes}",
    ),
    Rule(
        "deepspeed-missing",
        lambda case: case.world.sharding is Sharding.ZERO and not case.machine.deepspeed,
        "{title} needs DeepSpeed, which is not installed",
        "pip install deepspeed, or --launch fsdp2, which shards as much and needs nothing more",
        missing=True,
    ),
    Rule(
        "half-precision-on-cpu",
        lambda case: case.on_cpu and case.config.precision in (Precision.BF16, Precision.FP16),
        "precision: {asked} needs a GPU, and this training runs on the CPU",
        "--set precision=fp32 (or auto)",
    ),
    Rule(
        "two-precisions",
        _other_precision,
        "the launcher's file says mixed_precision: {precision}, and the training says another",
        "mixed_precision: 'no' in the file: precision in train.yaml decides (fp32, bf16 or fp16)",
    ),
    Rule(
        "ppo-sharded",
        lambda case: case.method == "ppo" and case.world.sharding is not Sharding.NONE,
        "PPO's critic is a second model with an optimiser of its own, and {title} wraps one",
        "--launch gpus, with lora if memory is short; RLOO has no critic",
    ),
    Rule(
        "merge-sharded",
        lambda case: (
            case.config.lora is not None and case.config.lora.merge and case.world.sharding is not Sharding.NONE
        ),
        "lora.merge adds the adapters to the model's own weights, and under {title} transformers saves adapters alone",
        "--set lora.merge=false, and merge the adapter afterwards on one process (peft's merge_and_unload); or --launch gpus",
    ),
    Rule(
        "save-dtype-sharded",
        lambda case: case.world.sharding is not Sharding.NONE and case.config.save_dtype is not SaveDtype.AUTO,
        "save_dtype cannot be used: {title} gathers and saves the model in the training's own number format",
        "--set save_dtype=auto, and convert the saved model afterwards",
    ),
    Rule(
        "reference-of-adapters-under-fsdp",
        lambda case: (
            case.config.lora is not None and case.world.sharding is Sharding.FSDP and _precomputes(case.config)
        ),
        "precompute_reference with lora: TRL computes the reference before the model is sharded, on the policy itself, which FSDP "
        "leaves on the CPU until then while batches are on the GPU",
        "--set precompute_reference=false: with lora the reference is the model without adapters, and costs no memory",
    ),
    Rule(
        "quantised-sharded",
        lambda case: case.world.sharded and _quantises(case.config),
        "lora.quantise stores weights as bytes, which {title} cannot shard (accelerate leaves them out, and transformers reads them "
        "whole into every process): it would save nothing",
        "--launch gpus: every GPU holds the quantised model; or leave quantise out",
    ),
    Rule(
        "saved-in-shards",
        lambda case: not case.world.whole_save,
        "the model would not be saved: with these settings of {title} transformers writes no whole model at the end",
        "fsdp_state_dict_type: FULL_STATE_DICT, or zero3_save_16bit_model: true (tenet train launch-config fsdp2 | zero3)",
    ),
    Rule(
        "checkpointing-twice",
        lambda case: case.world.checkpoints_activations and case.config.gradient_checkpointing is not False,
        "fsdp_activation_checkpointing and gradient_checkpointing (the default on GPUs) both recompute "
        "activations; transformers refuses the two",
        "fsdp_activation_checkpointing: false in the file, or --set gradient_checkpointing=false",
    ),
)  # fmt: skip


def refusals(case: Case) -> Iterator[tuple[Rule, str, str]]:
    """Give each rule that a case breaks, with its words filled in."""
    for rule in RULES:
        if rule.holds_for(case):
            words = {
                "title": case.world.title,
                "method": case.method,
                "processes": case.world.processes,
                "machines": case.world.machines,
                "precision": case.world.precision,
                "asked": case.config.precision.value,
                "gpus": case.machine.gpus,
                "most": case.machine.gpus * case.world.machines,
            }
            yield rule, rule.says.format(**words), rule.instead.format(**words)


def require_possible(config: TrainConfig, world: World, machine: Machine) -> None:
    """Refuse what cannot run, before anything starts.

    Raises:
        UsageError: the first combination that does not work, and the way out.
        MissingInput: DeepSpeed is asked for and not installed.
    """
    for rule, said, instead in refusals(Case(config, world, machine)):
        raise (MissingInput if rule.missing else UsageError)(said, hint=instead)


def require_possible_here(config: TrainConfig) -> World:
    """Ask the rules inside a process that anything started, a torchrun of the user's own too; give the world that it is in.

    Raises:
        UsageError, MissingInput: as `require_possible`.
    """
    machine, world = this_machine(), world_here()
    world = replace(world, cpu=config.device is Device.CPU or not machine.gpus)
    require_possible(config, world, machine)
    return world
