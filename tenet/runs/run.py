"""A run folder: who may write to it, what made it, and its stages.

    runs/NAME/
      run.yaml  run.json     resolved config; fingerprint, command, history
      STAGE/NNNNN.db         open shards (SQLite);   STAGE/NNNNN.parquet   published ones
      manifest.json          published shards with their checksums, plans

Knows nothing of what the stages mean: commands name them and bring the record types.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from tenet.errors import InvalidInput, MissingInput, Problem, RunLocked, UsageError
from tenet.ids import Json
from tenet.runs.atomic import make_folder, sweep, write_text
from tenet.runs.codec import R
from tenet.runs.fingerprint import Changes, Fingerprint, compare, require_same_identity
from tenet.runs.lock import FileLock, Holder, Locked, is_held, read_holder
from tenet.runs.manifest import Manifest, ManifestFile
from tenet.runs.stage import Stage

FILE, CONFIG, LOCK, WORKERS = "run.json", "run.yaml", ".lock", ".workers"
FORMAT = 1
WAIT_SECONDS = 90.0
POLL_SECONDS = 0.1


def to_stderr(text: str) -> None:
    """Say a line to the person at the terminal."""
    sys.stderr.write(text + "\n")


class Run:
    """One run folder, opened by `Run.open` to write, by `Run.attach` to write shards for the process that did, or by
    `Run.read` to look. A context manager; closing twice is harmless.

    `config` is the resolved configuration as JSON, `command` the words that go on with the run, `changes`
    what differs between the folder's fingerprint and that of this command. While `changes.growth` is pending,
    `accept` must be called before a stage is opened.
    """

    def __init__(
        self,
        path: Path,
        data: Mapping[str, Any],
        lock: FileLock | None,
        say: Callable[[str], None],
        *,
        attached: bool = False,
    ) -> None:
        self.path = path
        self.changes = Changes()
        self.read_only = lock is None
        self._data = data
        self._lock = lock
        self._attached = attached
        self._say = say
        self._manifest = ManifestFile(path)
        self._stages: dict[str, Stage[Any]] = {}
        self._pending: tuple[Mapping[str, Json], Fingerprint, str] | None = None

    @property
    def config(self) -> Mapping[str, Json]:
        """The resolved configuration that the run was last accepted with."""
        return cast("Mapping[str, Json]", self._data["config"])

    @property
    def command(self) -> str:
        """The command that goes on with the run."""
        return str(self._data["command"])

    @property
    def created(self) -> str:
        """When the run was begun."""
        return str(self._data["created"])

    @property
    def finished(self) -> str | None:
        """When the run's last command came to its end; None while there is work left."""
        return cast("str | None", self._data["finished"])

    @property
    def fingerprint(self) -> Fingerprint:
        """What the run is, as it was last accepted."""
        return Fingerprint(**self._data["fingerprint"])

    @property
    def history(self) -> Sequence[Mapping[str, Json]]:
        """The commands that changed the run: `command`, `time`, `changes`."""
        return cast("Sequence[Mapping[str, Json]]", self._data["history"])

    @classmethod
    def open(
        cls,
        path: Path,
        config: Mapping[str, Json],
        fingerprint: Fingerprint,
        *,
        command: str,
        say: Callable[[str], None] = to_stderr,
    ) -> Run:
        """Create a run folder, or go on with one of the same identity; holds its lock until closed.

        Raises:
            RunLocked: a living process writes to it.
            FingerprintMismatch: the folder was made with another identity.
            UsageError: the path is something else than a run folder.
            StorageFailed: the disk is full or not writable.
        """
        _require_run_or_nothing(path)
        make_folder(path)
        lock = _locked(path)
        try:
            await_workers(path, say)
            sweep(path)
            fresh = not (path / FILE).exists()
            run = cls(path, _new(path, config, fingerprint, command) if fresh else _load(path), lock, say)
            if fresh:
                run._save(run._data)
            else:
                run._resume(config, fingerprint, command)
        except BaseException:
            lock.release()
            raise
        return run

    @classmethod
    def read(cls, path: Path, *, say: Callable[[str], None] = to_stderr) -> Run:
        """Look at a run folder without changing anything, also while it is being written.

        Raises:
            MissingInput: there is no run folder here.
            InvalidInput: its `run.json` cannot be read.
        """
        if not (path / FILE).is_file():
            raise MissingInput(f"{path} is no run folder (no {FILE} in it).", hint=_nearby(path))
        return cls(path, _load(path), None, say)

    @classmethod
    def attach(cls, path: Path, driver: Holder, *, say: Callable[[str], None] = to_stderr) -> Run:
        """Join the process that has the run open, to write shards for it; mends nothing and changes no settings.

        The lock that tells later drivers of this writer is held until closed.

        Raises:
            MissingInput: there is no run folder here: the file system is not shared.
            RunLocked: `driver` does not have the run open, or not any more.
        """
        if not (path / FILE).is_file():
            hint = (
                "Workers on other machines need the run folder under the same path: put --runs on a shared file system."
            )
            raise MissingInput(f"The worker on {socket.gethostname()} finds no run folder {path}.", hint=hint)
        make_folder(path / WORKERS)
        lock = FileLock(path / WORKERS / f"{uuid.uuid4().hex}.lock")
        # In this order: a driver that opens the run now either sees the lock above, or is seen here.
        if not drives(path, driver):
            lock.release()
            raise RunLocked(f"{path} is not open for process {driver.pid} on {driver.host} any more.")
        return cls(path, _load(path), lock, say, attached=True)

    @property
    def driver(self) -> Holder:
        """Who holds the run's lock: this process.

        Raises:
            ValueError: the run was not opened by `open`.
        """
        holder = read_holder(self.path / LOCK)
        if self.read_only or self._attached or holder is None:
            raise ValueError(f"{self.path} was not opened to write")
        return holder

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.name

    @property
    def manifest(self) -> Manifest:
        """The published shards and plans of every stage, as they are now."""
        return self._manifest.read()

    def accept(self, *, keeping: Collection[str] = ()) -> None:
        """Take the changes on: the folder's config and fingerprint become this command's.

        What of the growth, and which keys of the config, `keeping` names stays as it was. Called by `open` where nothing grew.
        """
        if self._pending is not None:
            told = self._taken_on(*self._pending, keeping)
            if told != self._data:
                self._save(told)
            self._pending = None

    def finish(self) -> None:
        """Note that nothing is left to do, for `tenet status`; growth takes the note back."""
        self._save({**self._data, "finished": _now()})

    def stage(self, name: str, record_type: type[R]) -> Stage[R]:
        """A stage of this run, made if need be; the same object each time.

        Raises:
            UsageError: the folder holds another type of record under this name.
            RuntimeError: growth is pending and has not been accepted.
        """
        if self._pending is not None:
            raise RuntimeError("the run has grown: call accept() first")
        if name not in self._stages:
            self._stages[name] = Stage(
                name, record_type, self._manifest, read_only=self.read_only, say=self._say, resume=self.command,
                shared=self._attached,
            )  # fmt: skip
        return self._stages[name]

    def go_on_with(self, command: str) -> None:
        """Note another command to go on with than the one at work, as where that one has come to its limit; the next takes its place.

        Raises:
            ValueError: the run was opened for reading.
        """
        self._save({**self._data, "command": command})

    def write_json(self, name: str, value: Json) -> Path:
        """Write a JSON file of this name into the folder, as a whole or not at all; gives its path.

        Raises:
            ValueError: the run was opened for reading, or the value holds NaN or an infinity.
        """
        if self.read_only or self._attached:
            raise ValueError(f"{self.path} was opened for reading")
        path = self.path / name
        make_folder(path.parent)
        write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        return path

    def rest(self) -> None:
        """Close every open shard, so that workers can write to it; it opens again when it is needed."""
        for stage in self._stages.values():
            stage.close()

    def close(self) -> None:
        """Close every stage and let the lock go."""
        self.rest()
        if self._lock is None:
            return
        if self._attached:
            self._lock.path.unlink(missing_ok=True)
        else:
            _tidy(self.path)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _resume(self, config: Mapping[str, Json], fingerprint: Fingerprint, command: str) -> None:
        self.changes = compare(self.fingerprint, fingerprint)
        require_same_identity(self.changes, self.path)
        for change in self.changes.informational:
            self._say(f"note: this run was begun with another {change}")

        self._pending = config, fingerprint, command
        if not self.changes.growth:
            self.accept()

    def _taken_on(
        self, config: Mapping[str, Json], fingerprint: Fingerprint, command: str, keeping: Collection[str]
    ) -> dict[str, Any]:
        """What `run.json` says once a command's changes are taken on, but for those to `keeping`."""
        config = {**config, **{key: self.config[key] for key in keeping if key in self.config}}
        growth = {**fingerprint.growth, **{k: v for k, v in self.fingerprint.growth.items() if k in keeping}}
        accepted = [str(change) for change in self.changes.accepted if change.field not in keeping]
        changed = bool(accepted) or config != self.config
        entry = {"command": command, "time": _now(), "changes": accepted}
        return {
            **self._data, "command": command, "config": config,
            "fingerprint": replace(fingerprint, growth=growth).as_json(),
            "finished": None if changed else self.finished, "history": [*self.history, *([entry] if changed else [])],
        }  # fmt: skip

    def _save(self, data: Mapping[str, Any]) -> None:
        from tenet.config import dump_yaml

        if self.read_only:
            raise ValueError(f"{self.path} was opened for reading")
        write_text(self.path / CONFIG, dump_yaml(data["config"]))
        write_text(self.path / FILE, json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        self._data = data


def find_run(name: str) -> Path:
    """The folder of a run that is given by its path, or by its name under `runs/`.

    Raises:
        MissingInput: there is none; names those there are.
    """
    for path in (Path(name), Path("runs") / name):
        if (path / FILE).is_file():
            return path
    raise MissingInput(f"There is no run {name}.", hint=_nearby(Path("runs") / name))


def drives(path: Path, driver: Holder) -> bool:
    """True while this holder has the run open."""
    return read_holder(path / LOCK) == driver and is_held(path / LOCK)


def await_workers(path: Path, say: Callable[[str], None], *, seconds: float = WAIT_SECONDS) -> None:
    """Wait until no worker of a driver that is gone writes to the run any more; they end by themselves.

    Raises:
        RunLocked: one still does after so many seconds.
    """
    locks = sorted((path / WORKERS).glob("*.lock"))
    told = False
    give_up = time.monotonic() + seconds
    for lock in locks:
        while is_held(lock):
            if not told:
                say("waiting for the workers of an earlier command to end")
                told = True
            if time.monotonic() > give_up:
                holder = read_holder(lock)
                who = f" (process {holder.pid} on {holder.host})" if holder else ""
                hint = "They end within a minute of their driver; end that process if it hangs, and give the command again."
                raise RunLocked(f"{path} is being written by workers of an earlier command{who}.", hint=hint)
            time.sleep(POLL_SECONDS)
        lock.unlink(missing_ok=True)


def _tidy(path: Path) -> None:
    """Remove the locks of workers that have ended; a shard's lock only when all have."""
    locks = list((path / WORKERS).glob("*.lock"))
    ended = [lock for lock in locks if not is_held(lock)]
    shards = path.glob("*/.[0-9]*.lock") if len(ended) == len(locks) else ()
    for lock in (*ended, *shards):
        lock.unlink(missing_ok=True)


def _locked(path: Path) -> FileLock:
    try:
        return FileLock(path / LOCK)
    except Locked as error:
        holder = error.holder
        who = f"process {holder.pid} on {holder.host}, since {holder.since}" if holder else "another process"
        hint = f"Wait for it, or stop it, and give the command again; look on with: tenet status {path}"
        raise RunLocked(f"{path} is being written by {who}.", hint=hint) from error


def _require_run_or_nothing(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; a run needs a folder.", hint="Choose another name (--set name=NEW).")
    if not path.is_dir() or (path / FILE).is_file():
        return
    # A crash before run.json was written leaves only these.
    foreign = [entry.name for entry in path.iterdir() if not entry.name.startswith(".") and entry.name != CONFIG]
    if foreign:
        hint = "Choose another name (--set name=NEW), or an empty folder."
        raise UsageError(
            f"{path} is no run folder: it holds {', '.join(sorted(foreign)[:5])} and no {FILE}.", hint=hint
        )


def _new(path: Path, config: Mapping[str, Json], fingerprint: Fingerprint, command: str) -> dict[str, Any]:
    now = _now()
    return {
        "format": FORMAT, "name": path.name, "created": now, "finished": None, "command": command, "seed": config.get("seed"),
        "config": config, "fingerprint": fingerprint.as_json(), "history": [{"command": command, "time": now, "changes": []}],
    }  # fmt: skip


def _load(path: Path) -> Mapping[str, Any]:
    file = path / FILE
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']}; this version reads {FORMAT}")
        Fingerprint(**data["fingerprint"])
        _ = [data[key] for key in ("config", "command", "created", "finished", "history")]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput("The run folder cannot be read.", [Problem(repr(error), file)]) from error
    return cast("Mapping[str, Any]", data)


def _nearby(path: Path) -> str:
    parent = path.parent if path.parent.is_dir() else Path("runs")
    runs = sorted(file.parent.name for file in parent.glob(f"*/{FILE}"))
    return f"Runs in {parent}: {', '.join(runs[:10])}." if runs else "Make one with: tenet generate run.yaml"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
