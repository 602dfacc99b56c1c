"""One training from configuration to saved model, whatever is trained: the order of things, said once.

Look up the model, open the folder, count the data, build the trainer (the one step that differs), train, measure on
what was held out, save, write the record. A kill leaves checkpoints; Ctrl-C stops after the step it is in. Knows no
loss.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tenet.console import Console, duration
from tenet.errors import Interrupted, MissingInput, TenetError, UsageError
from tenet.hub import require
from tenet.ids import Json, digest
from tenet.licence import licence_of
from train.card import write_card
from train.config import Method, PairConfig, RlConfig, TrainConfig, checked, command_of, method_of, out_of
from train.data import Prepared, prepare
from train.folder import TrainFolder
from train.hubids import training_ids
from train.launch.rules import require_possible_here
from train.launch.world import require_same_world
from train.models import Base, adapter_of, find_base, precision_of, save, uses_cpu
from train.preflight import check_machine, reports_kept
from train.provenance import library_versions
from train.sources import digests, locate

if TYPE_CHECKING:
    from train.callbacks import StopSwitch

_DOING: Final = {
    Method.SFT: "Fine-tuning",
    Method.REWARD: "Training the reward model",
    Method.DPO: "Training by DPO",
    Method.KTO: "Training by KTO",
    Method.ONLINE_DPO: "Training by online DPO",
    Method.PPO: "Training by PPO",
    Method.RLOO: "Training by RLOO",
}

Preparation = Callable[[TrainConfig, Base, Path], Prepared]


@dataclass(frozen=True)
class TrainResult:
    """What came of a training. `folder` is a model that transformers and vLLM load.

    `metrics` holds the mean training loss (`train_loss`) and what was measured on held-out rows (`eval_...`; see
    `train.calibration`). `seconds` is the wall time of this call, loading included.
    """

    method: Method
    folder: Path
    metrics: Mapping[str, float]
    steps: int
    seconds: float
    rows: int
    held_out: int

    def as_json(self) -> dict[str, Json]:
        """Give plain values, for train.json and --json."""
        return {
            "method": self.method.value,
            "folder": str(self.folder),
            "metrics": dict(self.metrics),
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "rows": self.rows,
            "held_out": self.held_out,
        }


@dataclass(frozen=True)
class Job:
    """What a trainer is built from. `arguments` are TRL's common keyword arguments, `adapter` peft's configuration."""

    config: TrainConfig
    base: Base
    data: Prepared
    arguments: dict[str, Any]
    adapter: Any


def run_training(
    config: TrainConfig,
    build: Callable[[Job], Any],
    *,
    console: Console | None = None,
    resume: bool = False,
    command: str | None = None,
    preparation: Preparation | None = None,
) -> TrainResult:
    """Carry out a training, or what is left of it.

    Args:
        config: what to train; it is held to the rules for files first.
        build: makes the TRL trainer.
        console: where words and progress go; by default the terminal.
        resume: go on with the training in the folder, if there is one.
        command: the command line that began this, for the words on how to go on.
        preparation: makes the data ready, of (configuration, model, cache folder), and says whose labels are learnt; by default
            `train.data.prepare`, and the data's own.

    Raises:
        InvalidInput, MissingInput, UsageError: the configuration, the model or the data cannot be used.
        TooManyFailures: too many rows cannot be learnt from.
        Interrupted: stopped by Ctrl-C; carries the command that goes on.
    """
    config = checked(config)
    said = command or command_of(config)
    main = int(os.environ.get("RANK", "0")) == 0
    console = (console or Console()) if main else Console(quiet=True, err=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    began = time.monotonic()
    world = require_possible_here(config)
    if main:
        require(training_ids(config))
    base = find_base(config)
    check_machine(config)
    with _opened(config, base, resume=resume, writes=main) as folder:
        if folder.finished:
            console.say(f"{folder.path}: this training is finished.")
            return _recorded(folder)
        require_same_world(folder.record.get("processes"), world, folder.path)
        folder.note({"command": said, "versions": library_versions(), "processes": world.identity()})
        with _resumable(folder.path, said), _from_libraries(), reports_kept(folder.path, config):
            return _train(config, base, folder, build, preparation or _prepared, console, began)


def _opened(config: TrainConfig, base: Base, *, resume: bool, writes: bool) -> TrainFolder:
    files = digests(locate(config.data, method_of(config)))
    made_from: dict[str, Json] = {
        "model": {"name": base.source.name, "revision": base.source.revision},
        "data": digest(files) if files else config.data,
    }
    if isinstance(config, RlConfig):
        from train.rl.sources import reward_identity

        made_from["rewarded_by"] = reward_identity(config)
    if config.TRAINER:
        made_from["trainer"] = config.TRAINER
    return TrainFolder.open(out_of(config), config, made_from, resume=resume, writes=writes)


def _prepared(config: TrainConfig, base: Base, cache: Path) -> Prepared:
    return prepare(config, method_of(config), base.tokenizer, base.tokenizer_hash, cache)


def _train(
    config: TrainConfig,
    base: Base,
    folder: TrainFolder,
    build: Callable[[Job], Any],
    preparation: Preparation,
    console: Console,
    began: float,
) -> TrainResult:
    from train.callbacks import StopSwitch, forget_after

    method = method_of(config)
    with _withdrawn_if_refused(folder):
        trainer, data = _built(config, base, folder, build, preparation, console)
    checkpoint = folder.last_checkpoint()
    if checkpoint is not None:
        console.say(f"going on from {checkpoint.name}")
    if folder.writes:
        forget_after(folder.metrics, int(checkpoint.name.rpartition("-")[2]) if checkpoint else -1)
    switch = StopSwitch()
    outcome = _fit(trainer, folder, checkpoint, switch, console, _DOING[method])
    if switch.asked and trainer.state.global_step < trainer.state.max_steps:
        raise KeyboardInterrupt
    metrics = _measured(trainer, outcome, data, config)
    save(trainer, base, config, folder.path)
    trainer.accelerator.wait_for_everyone()
    result = TrainResult(
        method, folder.path, metrics, trainer.state.global_step, time.monotonic() - began,
        len(data.train), 0 if data.test is None else len(data.test),
    )  # fmt: skip
    if folder.writes:
        write_card(folder.path, {**folder.record, "result": result.as_json()})
    folder.finish(result.as_json(), keep_checkpoints=config.save_every is not None)
    console.say(f"{folder.path}: {summary(result)}")
    if trainer.accelerator.num_processes > 1:
        trainer.accelerator.wait_for_everyone()  # a process whose peer is gone while it still talks is aborted
        trainer.accelerator.end_training()
    return result


def _built(
    config: TrainConfig,
    base: Base,
    folder: TrainFolder,
    build: Callable[[Job], Any],
    preparation: Preparation,
    console: Console,
) -> tuple[Any, Prepared]:
    """Make the data ready, write down what is known before the first step, and build the trainer."""
    from train.arguments import trl_arguments

    method = method_of(config)
    cpu = uses_cpu(config)
    precision = precision_of(config, cpu=cpu)
    data = preparation(config, base, folder.cache)
    for line in data.lines():
        console.say(line)
    folder.note({
        "method": method.value, "data": data.facts(), "origin": data.origin().as_json(),
        "licence": licence_of(Path(base.source.location) / "README.md"),
        "judge_card": data.judge_card(),
        "device": {"cpu": cpu, "precision": precision.value},
    })  # fmt: skip
    arguments = trl_arguments(config, folder.checkpoints, cpu=cpu, precision=precision)
    with _weights_read(base):
        return build(Job(config, base, data, arguments, adapter_of(config))), data


def _fit(
    trainer: Any, folder: TrainFolder, checkpoint: Path | None, switch: StopSwitch, console: Console, title: str
) -> Mapping[str, float]:
    """Train with Tenet's listeners in the place of the library's."""
    from transformers import PrinterCallback

    from train.callbacks import MetricsFile, ProgressLine

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(MetricsFile(folder.metrics))
    known = None if checkpoint is None else _ended(trainer, checkpoint)
    if known is not None:
        return known
    trainer.add_callback(switch)
    with console.progress(title) as progress, switch.on_ctrl_c():
        trainer.add_callback(ProgressLine(progress))
        output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    metrics: Mapping[str, float] = output.metrics
    return metrics


def _ended(trainer: Any, checkpoint: Path) -> Mapping[str, float] | None:
    """Take up a training whose last step is in the checkpoint: the library would carry out one more before it looks.

    None where steps are left; and where weights are sharded, for those are only read back within a training.
    """
    from transformers import TrainerState

    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    if state.global_step < state.max_steps or trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return None
    trainer._load_from_checkpoint(str(checkpoint))
    trainer.state = state
    losses = [float(said["loss"]) for said in state.log_history if "loss" in said]
    return {"train_loss": sum(losses) / len(losses)} if losses else {}


def _measured(trainer: Any, outcome: Mapping[str, float], data: Prepared, config: TrainConfig) -> dict[str, float]:
    """Give the training loss and the scores on held-out rows; refuse a training that ran off."""
    from train.callbacks import told

    if not math.isfinite(outcome.get("train_loss", 0.0)):
        raise UsageError(
            "the loss is no number any more: the training ran off, and nothing is saved",
            hint="a smaller learning_rate, a longer warmup, or precision: fp32 or bf16 in the place of fp16",
        )
    metrics = {"train_loss": float(outcome.get("train_loss", 0.0))}
    if data.census.entropy is not None and isinstance(config, PairConfig) and config.learns_log_odds:
        metrics["label_entropy"] = data.census.entropy
    if data.test is not None:
        metrics |= {name: value for name, value in told(trainer.evaluate()).items() if name.startswith("eval_")}
    return metrics


def summary(result: TrainResult) -> str:
    """Say in one line what came of a training."""
    told = [f"{result.steps:,} steps on {result.rows:,} rows in {duration(result.seconds)}"]
    told.append(f"mean loss {result.metrics['train_loss']:.4f}")
    if "eval_pair_accuracy" in result.metrics:
        names = {"accuracy": "eval_pair_accuracy", "Brier": "eval_brier", "ECE": "eval_ece"}
        scores = [f"{name} {result.metrics[key]:.3f}" for name, key in names.items() if key in result.metrics]
        right, decided = (result.metrics.get(f"eval_pairs_{key}") for key in ("right", "decided"))
        if right is not None and decided and abs(right / decided - result.metrics["eval_pair_accuracy"]) > 0.0005:
            scores[0] += f" by weight ({right:g} of {decided:g} pairs)"
        told.append(f"held out ({result.held_out:,}): {', '.join(scores)}")
    elif "eval_loss" in result.metrics:
        told.append(f"held out ({result.held_out:,}): loss {result.metrics['eval_loss']:.4f}")
    return ", ".join(told)


def _recorded(folder: TrainFolder) -> TrainResult:
    said = folder.record["result"]
    return TrainResult(
        Method(said["method"]), folder.path, said["metrics"], said["steps"], said["seconds"], said["rows"],
        said["held_out"],
    )  # fmt: skip


@contextmanager
def _withdrawn_if_refused(folder: TrainFolder) -> Iterator[None]:
    try:
        yield
    except TenetError:
        folder.withdraw()
        raise


@contextmanager
def _resumable(folder: Path, command: str) -> Iterator[None]:
    """Say how to go on after Ctrl-C, and what to do when the memory is too small."""
    from torch import OutOfMemoryError

    try:
        yield
    except KeyboardInterrupt as error:
        again = command if "--resume" in command.split() else f"{command} --resume"
        raise Interrupted(f"{folder}: stopped; what is trained so far is kept.", resume=again) from error
    except OutOfMemoryError as error:
        raise UsageError(
            f"the accelerator's memory is too small: {str(error).splitlines()[0]}",
            hint="halve batch_size and double accumulate (the same updates), lower max_length, or train with lora",
        ) from error


@contextmanager
def _weights_read(base: Base) -> Iterator[None]:
    """Turn what the libraries say of missing or damaged files of weights into one error."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's own, such as a full disk
        raise MissingInput(
            f"{base.source.name}: the model cannot be loaded: {str(error).strip().splitlines()[0]}",
            hint="give a model whose weights are safetensors, as save_pretrained writes them",
        ) from error


@contextmanager
def _from_libraries() -> Iterator[None]:
    from train.quiet import quiet_libraries

    with quiet_libraries():
        yield
