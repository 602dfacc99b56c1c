"""Starts the processes of a training by Ray Train, on the machines of a Ray cluster or on this one. Knows no training.

Ray gives each worker its place by the same environment as torchrun, so that the training itself is the same code. Every worker needs the
model, the data and the training's folder at the same paths: a shared disk, where there are several machines. Ray ends its workers at
Ctrl-C at once; the training goes on from its last checkpoint (`save_every`).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tenet
from tenet.errors import EXIT_INTERRUPTED, MissingInput, UsageError
from train.launch.order import Order, Outcome, carry_out
from train.launch.start import Died
from train.launch.world import World

_INSTALL = "pip install 'ray[train]'"


class _Ended(Exception):
    """Carries an outcome that is no result out of a worker; it ends the others too."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def run_on_ray(order: Order, world: World) -> Outcome:
    """Train on Ray workers and give the first one's outcome.

    A cluster that RAY_ADDRESS names is used; else one is started here, for this training.

    Raises:
        MissingInput: Ray Train is not installed.
        UsageError: the cluster has not as many CPUs or GPUs as there are to be workers.
        Died: a worker ended without a word.
    """
    try:
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer
        from ray.train.v2.api.exceptions import TrainingFailedError
    except ImportError as error:
        raise MissingInput(f"--launch ray needs Ray Train: {error}", hint=_INSTALL) from error

    _join(ray, world)
    try:
        _require_room(ray.cluster_resources(), world)
        with tempfile.TemporaryDirectory(prefix="tenet-ray-") as storage:
            trainer = TorchTrainer(
                _loop,
                train_loop_config=asdict(order),
                scaling_config=ScalingConfig(num_workers=world.processes, use_gpu=not world.cpu),
                run_config=RunConfig(storage_path=storage, name="tenet"),
            )
            try:
                said = trainer.fit().return_value
            except TrainingFailedError as error:
                return _failed(error)
            except KeyboardInterrupt:
                again = order.command if order.resume else f"{order.command} --resume"
                return Outcome(EXIT_INTERRUPTED, error="stopped at once; the last checkpoint is kept.", resume=again)
            return Outcome(**json.loads(said))
    finally:
        ray.shutdown()


def _loop(config: Mapping[str, Any]) -> str:
    """What each worker does; Ray hands on what the first one says."""
    outcome = carry_out(Order(**config))
    said = json.dumps(asdict(outcome))
    if outcome.code:
        raise _Ended(said)
    return said


def _join(ray: Any, world: World) -> None:
    # Workers import what this process does, also where it runs from a source tree.
    here = str(Path(tenet.__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # Its own remarks would drown what a training says: without a dashboard one of them comes every second.
    quiet = {"logging_level": "error", "logging_config": ray.LoggingConfig(log_level="ERROR")}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    cpus = max(os.cpu_count() or 1, world.processes + 1)  # Ray Train's controller takes a place of its own
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)


def _require_room(has: Mapping[str, float], world: World) -> None:
    kind = "CPU" if world.cpu else "GPU"
    if has.get(kind, 0) < world.processes:
        raise UsageError(
            f"{world.processes} workers need as many {kind}s, and the Ray cluster has {has.get(kind, 0):g}: they would wait for ever",
            hint=f"--launch ray:{max(1, int(has.get(kind, 0)))}",
        )


def _failed(error: Any) -> Outcome:
    """The outcome of the first worker that said how it ended.

    Raises:
        Died: none did.
    """
    for _, failure in sorted(getattr(error, "worker_failures", {}).items()):
        for one in (failure, getattr(failure, "cause", None), failure.__cause__):
            if isinstance(one, _Ended):
                return Outcome(**json.loads(one.outcome))
    raise Died(f"a Ray worker ended without a word: {str(error).strip().splitlines()[-1]}") from error
