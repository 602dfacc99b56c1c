"""What listens to a training: the metrics file, the progress line, and a Ctrl-C that stops after the step.

Knows transformers' callback interface and nothing of what is trained.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from transformers import TrainerCallback, TrainerControl, TrainerState

from train.launch.agree import Agreement

if TYPE_CHECKING:
    from types import FrameType

    from tenet.console import Progress

Logs = Mapping[str, Any] | None

_UNTOLD: Final = ("_runtime", "_per_second", "total_flos", "num_tokens", "num_input_tokens_seen")


class MetricsFile(TrainerCallback):  # type: ignore[misc]
    """Appends each log line to metrics.jsonl: step, epoch, seconds since the training began, and the numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = time.monotonic()

    def on_log(self, _args: Any, state: TrainerState, _control: Any, logs: Logs = None, **_: Any) -> None:
        """Write a line; processes but the first do not."""
        numbers = told(logs or {})
        if not state.is_world_process_zero or not numbers:
            return
        head = {"step": state.global_step, "epoch": round(float(state.epoch or 0.0), 4)}
        line = {**head, "seconds": round(time.monotonic() - self._began, 2), **numbers}
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(line) + "\n")


def told(logs: Mapping[str, Any]) -> dict[str, float]:
    """Pick the numbers worth keeping: finite, and not about the machine's speed."""
    picked: dict[str, float] = {}
    for name, value in logs.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if number and name != "epoch" and not name.endswith(_UNTOLD):
            picked[name] = float(value)
    return picked


def forget_after(path: Path, step: int) -> None:
    """Drop the lines of metrics.jsonl past a step: those of work that a resumed training does again."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
    path.write_text("".join(line + "\n" for line in kept), encoding="utf-8", newline="\n")


class ProgressLine(TrainerCallback):  # type: ignore[misc]
    """Moves the console's progress line with the steps, with the last loss in its title."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._title = progress.title

    def on_train_begin(self, _args: Any, state: TrainerState, _control: Any, **_: Any) -> None:
        """Say how many steps there are, and how many were done before."""
        self._progress.start(state.max_steps, state.global_step)

    def on_step_end(self, _args: Any, state: TrainerState, _control: Any, **_: Any) -> None:
        """One step more."""
        self._progress.advance(state.global_step - self._progress.done)

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: Logs = None, **_: Any) -> None:
        """Show the loss."""
        if logs and "loss" in logs:
            self._progress.title = f"{self._title}, loss {float(logs['loss']):.3f}"


class StopSwitch(TrainerCallback):  # type: ignore[misc]
    """Stops a training after the step it is in, with a checkpoint, once `asked` is set in any of its processes."""

    def __init__(self) -> None:
        self.asked = False
        self._agreement = Agreement()

    def on_step_end(self, _args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> TrainerControl:
        """Ask the trainer to save and stop."""
        self.asked = self._agreement.any_says(self.asked)
        if self.asked and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True
        return control

    @contextmanager
    def on_ctrl_c(self) -> Iterator[None]:
        """Let the first Ctrl-C set `asked`; the second interrupts at once. Signals reach the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.asked = True
            signal.signal(signal.SIGINT, signal.default_int_handler)

        signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
