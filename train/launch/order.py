"""What a launched process is told to do, and what it tells back: plain JSON. Knows no launcher.

The configuration travels resolved, not as a command line, so that every process trains by the very same settings.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tenet.config import as_json, make_config
from tenet.console import Console
from tenet.errors import EXIT_INTERRUPTED, Interrupted, TenetError
from tenet.ids import Json
from train.config import CONFIGS, Method, TrainConfig, method_of
from train.quiet import imported


@dataclass(frozen=True)
class Order:
    """A training to carry out: `function` is "module:function", `folder` the current folder that paths are meant from."""

    function: str
    method: str
    config: Mapping[str, Any]
    resume: bool
    command: str
    as_json: bool
    folder: str

    def write(self, path: Path) -> None:
        """Write it where the processes find it."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8", newline="\n")


@dataclass(frozen=True)
class Outcome:
    """How one process ended: exit code 0 with the result, or the error and, if it was stopped, the command that goes on."""

    code: int
    result: Mapping[str, Any] | None = None
    error: str = ""
    hint: str = ""
    resume: str = ""


class Refused(TenetError):
    """An error of a launched process, told by the process that started it, with the same exit code."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.error, hint=outcome.hint)
        self.exit_code = outcome.code


def order_of(config: TrainConfig, function: str, *, resume: bool, command: str, as_json_out: bool) -> Order:
    """Make the order of a training."""
    words: dict[str, Json] = as_json(config)
    return Order(function, method_of(config).value, words, resume, command, as_json_out, str(Path.cwd()))


def read_order(path: Path) -> Order:
    """Read an order back."""
    return Order(**json.loads(path.read_text(encoding="utf-8")))


def carry_out(order: Order) -> Outcome:
    """Train, in this process. What a person can mend comes back as an outcome; a bug is raised."""
    try:
        os.chdir(order.folder)
        module, _, name = order.function.partition(":")
        config = make_config(order.config, CONFIGS[Method(order.method)])
        train = getattr(imported(module), name)
        result = train(config, console=Console(json=order.as_json), resume=order.resume, command=order.command)
    except Interrupted as error:
        return Outcome(error.exit_code, error=error.message, resume=error.resume)
    except KeyboardInterrupt:
        again = order.command if "--resume" in order.command.split() else f"{order.command} --resume"
        return Outcome(EXIT_INTERRUPTED, error="stopped before the first step.", resume=again)
    except TenetError as error:
        return Outcome(error.exit_code, error=error.message, hint=error.hint)
    return Outcome(0, result=result.as_json())


def result_of(outcome: Outcome) -> Mapping[str, Any]:
    """Give the result of a training that went well.

    Raises:
        Interrupted: it was stopped; carries the command that goes on.
        Refused: it could not be done, with the exit code that one process would have had.
    """
    if outcome.code == EXIT_INTERRUPTED:
        raise Interrupted(outcome.error, resume=outcome.resume)
    if outcome.code or outcome.result is None:
        raise Refused(outcome)
    return outcome.result


def ready_for_ctrl_c() -> None:
    """Let Ctrl-C interrupt, also where this process inherited that it is ignored (a start in the background)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
