"""The folder of one training: a loadable model with its record beside it.

    train.json       status, resolved configuration, data, provenance, versions, result
    metrics.jsonl    one line a log: step, epoch, seconds, loss and the rest
    README.md        model card;  config.json, model.safetensors, ...  the model itself, once it is finished
    checkpoints/     what a killed training goes on from;  cache/  tokenised data; both go when it is finished

Knows no trainer. A folder belongs to one configuration: another one is refused and told what differs.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tenet.config import as_json
from tenet.errors import InvalidInput, Problem, RunLocked, UsageError
from tenet.ids import Json
from tenet.runs.atomic import make_folder, write_text
from tenet.runs.fingerprint import Fingerprint, compare, require_same_identity
from tenet.runs.lock import FileLock, Locked
from train.config import PLACES, TrainConfig

RECORD: Final = "train.json"
METRICS: Final = "metrics.jsonl"
RUNNING, FINISHED = "running", "finished"
_LOCK: Final = ".lock"


@dataclass
class TrainFolder:
    """An open training folder; use as a context manager, which holds its lock."""

    path: Path
    record: dict[str, Any]
    writes: bool = True
    _held: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(
        cls, path: Path, config: TrainConfig, made_from: Mapping[str, Json], *, resume: bool, writes: bool = True
    ) -> TrainFolder:
        """Make the folder, or go on in it.

        Args:
            path: the folder.
            config: the resolved configuration.
            made_from: what identifies the model that the training begins with, and the data.
            resume: whether a training that is there may be gone on with.
            writes: False for the helpers of a training on several processes, which leave the record to the first.

        Raises:
            UsageError: the folder holds a training and `resume` is not given, or holds something else.
            FingerprintMismatch: it holds a training with another configuration.
            RunLocked: a living process trains in it.
        """
        if not writes:
            return cls(path, {"status": RUNNING}, writes=False)
        before = read_record(path)
        if before is None:
            _require_free(path)
        identity = {key: value for key, value in as_json(config).items() if key not in PLACES} | dict(made_from)
        if before is not None:
            _require_resume(path, before, resume)
            old = before.get("identity")
            changes = compare(Fingerprint(old if isinstance(old, Mapping) else {}), Fingerprint(identity))
            require_same_identity(changes, path)
        make_folder(path)
        held = ExitStack()
        held.callback(_locked(path).release)
        record = before or {"status": RUNNING, "created": _now()}
        return cls(path, {**record, "config": as_json(config), "identity": identity}, _held=held)

    @property
    def finished(self) -> bool:
        """Whether the model in the folder is complete."""
        return bool(self.record["status"] == FINISHED)

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints go."""
        return self.path / "checkpoints"

    @property
    def cache(self) -> Path:
        """Where tokenised data is kept until the training is finished."""
        return self.path / "cache"

    @property
    def metrics(self) -> Path:
        """The file of log lines."""
        return self.path / METRICS

    def last_checkpoint(self) -> Path | None:
        """The newest complete checkpoint; one that a kill cut short lacks the trainer's state, written last."""
        steps = [
            (int(found.name.rpartition("-")[2]), found)
            for found in self.checkpoints.glob("checkpoint-*")
            if _whole(found / "trainer_state.json")
        ]
        return max(steps)[1] if steps else None

    def note(self, values: Mapping[str, Json]) -> None:
        """Put facts into train.json, durably."""
        self.record.update(values)
        if not self.writes:
            return
        text = json.dumps(self.record, indent=1, ensure_ascii=False, allow_nan=False)
        write_text(self.path / RECORD, text + "\n")

    def finish(self, result: Mapping[str, Json], *, keep_checkpoints: bool) -> None:
        """Note the result, and clear away what only an unfinished training needs."""
        self.note({"status": FINISHED, "finished": _now(), "result": dict(result)})
        if not self.writes:
            return
        shutil.rmtree(self.cache, ignore_errors=True)
        if not keep_checkpoints:
            shutil.rmtree(self.checkpoints, ignore_errors=True)

    def withdraw(self) -> None:
        """Take back the record of a training that was refused before its first step: what it was told is mended, and it begins anew."""
        if self.writes and self.last_checkpoint() is None:
            (self.path / RECORD).unlink(missing_ok=True)
            shutil.rmtree(self.cache, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a folder's train.json; None if there is none.

    Raises:
        InvalidInput: it does not read back.
    """
    file = path / RECORD
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or record.get("status") not in (RUNNING, FINISHED):
            raise ValueError("it is no record of a training")
    except ValueError as error:
        raise InvalidInput("The record of a training cannot be read.", [Problem(str(error), file)]) from error
    return record


def _whole(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _require_free(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; a training needs a folder.", hint="Choose another with --out.")
    left = (_LOCK, "cache", METRICS)  # what a training leaves that was killed before its first record
    foreign = sorted(entry.name for entry in path.iterdir() if entry.name not in left) if path.is_dir() else []
    if foreign:
        named = ", ".join(foreign[:5])
        raise UsageError(f"{path} holds {named} and no {RECORD}.", hint="Choose another folder with --out.")


def _require_resume(path: Path, record: Mapping[str, Any], resume: bool) -> None:
    if not resume:
        state = "a finished training" if record["status"] == FINISHED else "a training that is not finished"
        raise UsageError(
            f"{path} holds {state}, begun {record.get('created', '')}.",
            hint="Go on with --resume, or choose another folder with --out.",
        )


def _locked(path: Path) -> FileLock:
    try:
        return FileLock(path / _LOCK)
    except Locked as error:
        who = f"process {error.holder.pid} on {error.holder.host}" if error.holder else "another process"
        raise RunLocked(f"{who} is training in {path}.", hint="Wait for it, or choose another with --out.") from error


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
