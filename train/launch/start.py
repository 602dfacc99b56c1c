"""Starts the processes of a training by torchrun, accelerate or Ray Train, waits for them, and ends as one process would have ended.

Ctrl-C reaches every process once: they stop together after the step, with a checkpoint; a second one ends them at once. Exit codes, the
error and the command that goes on are those of the processes. Knows no training.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

from tenet.errors import EXIT_BUG, EXIT_INTERRUPTED, TenetError, UsageError
from train.config import TrainConfig, out_of
from train.folder import FINISHED, read_record
from train.launch.order import Order, Outcome, carry_out, order_of, result_of
from train.launch.plan import Asked, Launcher, Plan, plan_of
from train.launch.rules import require_possible
from train.launch.world import this_machine

STOP_SECONDS: Final = 1800
"""How long processes may take to finish their step and write a checkpoint before they are killed."""
_MODULE: Final = "train.launch.worker"
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)


class Died(TenetError):
    """A process of the training ended without a word: killed, or by a bug whose lines it has printed (exit 1)."""

    exit_code = EXIT_BUG


def train_launched(
    config: TrainConfig, function: str, asked: Asked, *, resume: bool, command: str, as_json: bool = False
) -> Mapping[str, Any]:
    """Train on the processes that are asked for and give the result, as `TrainResult.as_json` does.

    Args:
        config: the training.
        function: what trains, as "module:function".
        asked: the options of the start.
        resume: go on with the training in the folder.
        command: the command line that began this, for the words on how to go on.
        as_json: the result will be printed as JSON, so words go to stderr.

    Raises:
        UsageError, MissingInput: these processes cannot be started, or the training cannot run on them.
        Interrupted: stopped by Ctrl-C; carries the command that goes on.
        TenetError: what the training raises, with its exit code.
    """
    if sys.platform == "win32":
        hint = "run Tenet under WSL, or train in one process: leave --launch out"
        raise UsageError("--launch starts processes on Linux and macOS only", hint=hint)
    machine = this_machine()
    plan = plan_of(asked, machine)
    require_possible(config, plan.world, machine)
    order = order_of(config, function, resume=resume, command=command, as_json_out=as_json)
    record = read_record(out_of(config))
    if plan.launcher is Launcher.HERE or (record is not None and record["status"] == FINISHED):
        return result_of(_here(order, plan))
    if plan.launcher is Launcher.RAY:
        from train.launch.onray import run_on_ray

        return result_of(run_on_ray(order, plan.world))
    with tempfile.TemporaryDirectory(prefix="tenet-launch-") as folder:
        order.write(Path(folder) / "order.json")
        starter = _accelerate if plan.launcher is Launcher.ACCELERATE else _torchrun
        return result_of(_waited(lambda: starter(plan, folder), Path(folder), command))


def _here(order: Order, plan: Plan) -> Outcome:
    """Train in this process, on the one GPU; a finished training is only told, and needs no more."""
    if plan.gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = one_of(os.environ.get("CUDA_VISIBLE_DEVICES"), plan.gpu)
    return carry_out(order)


def one_of(visible: str | None, place: str) -> str:
    """Name the GPU at a place among those that are visible; None: all are.

    Raises:
        UsageError: there are not as many.
    """
    if visible is None:
        return place
    seen = [name for name in visible.split(",") if name]
    if not place.isdecimal() or int(place) >= len(seen):
        raise UsageError(f"gpu_ids: {place}, and {len(seen)} GPUs are visible", hint="count from 0")
    return seen[int(place)]


def _torchrun(plan: Plan, folder: str) -> None:
    """Start processes on this machine's CPUs; they talk by gloo, for they see no GPU."""
    from importlib import import_module

    run: Any = import_module("torch.distributed.run")
    words = ["--standalone", "--nproc-per-node", str(plan.world.processes), "--shutdown-timeout", str(STOP_SECONDS)]
    with _environment({"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": _threads(plan)}):
        run.run(run.parse_args([*words, "-m", _MODULE, folder]))


def _accelerate(plan: Plan, folder: str) -> None:
    """Start processes as accelerate's configuration says."""
    from accelerate.commands.launch import launch_command

    launch_command(accelerate_arguments(plan, folder))


def accelerate_arguments(plan: Plan, folder: str) -> Any:
    """Give the arguments of `accelerate launch` for a plan."""
    from accelerate.commands.launch import launch_command_parser

    world = plan.world
    words = ["--config_file", str(plan.file), "--num_processes", str(world.processes)]
    words += ["--num_machines", str(world.machines), "--machine_rank", str(plan.node_rank)]
    words += ["--main_process_port", str(plan.port)]
    words += ["--main_process_ip", plan.address] if plan.address else []
    arguments = launch_command_parser().parse_args([*words, "-m", _MODULE, folder])
    arguments.shutdown_timeout = STOP_SECONDS  # torchrun's, which accelerate's parser does not know and passes on
    return arguments


def _waited(start: Callable[[], None], folder: Path, command: str) -> Outcome:
    """Start the processes, wait for their end, and give the outcome that speaks for all."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    failed: ChildFailedError | None = None
    caught: signal.Signals | None = None
    with _quiet_agent(), _signals_restored(), redirect_stdout(sys.stderr):
        try:
            start()
        except ChildFailedError as error:
            failed = error
        except SignalException as error:
            caught = error.sigval
    outcomes = _outcomes(folder)
    if caught is not None and caught is not signal.SIGINT:
        raise SystemExit(128 + caught)
    if caught is not None and (not outcomes or not any(one.code for one in outcomes)):
        again = command if "--resume" in command.split() else f"{command} --resume"
        return Outcome(EXIT_INTERRUPTED, error="stopped at once; the last checkpoint is kept.", resume=again)
    wrong = [one for one in outcomes if one.code]
    if wrong:
        return wrong[0]
    if failed is not None:
        raise _died(failed)
    return outcomes[0]


def _outcomes(folder: Path) -> list[Outcome]:
    """What the processes of this machine left, in the order of their ranks."""
    left = sorted((int(path.stem), path) for path in folder.glob("[0-9]*.json"))
    return [Outcome(**json.loads(path.read_text(encoding="utf-8"))) for _, path in left]


def _died(error: Any) -> Died:
    rank, failure = min(error.failures.items(), key=lambda item: item[1].timestamp)
    code = int(failure.exitcode)
    if code < 0:
        name = signal.Signals(-code).name
        hint = "SIGKILL is often the machine's memory: dmesg says so; the training goes on with --resume"
        return Died(f"process {rank} of the training was ended by {name}", hint=hint)
    return Died(f"process {rank} of the training ended with exit code {code}; its own lines are above")


def _threads(plan: Plan) -> str:
    """Threads of each process, as the user set them or the machine's cores shared out."""
    return os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // plan.world.processes))


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet_agent() -> Iterator[None]:
    """Silence torchrun's own account of failures and signals, which we give in one line; its loggers have levels of their own."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _signals_restored() -> Iterator[None]:
    """Put back the handlers that torchrun replaces and leaves."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
