"""Carries a pipeline out, stage by stage, and stops at the first that fails; what is finished stays finished.

Each stage is decided about when its turn comes, so one whose inputs came out the same again is left out. Knows no stage's meaning.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tenet.console import Console, duration
from tenet.environment import version
from tenet.errors import EXIT_USAGE, Interrupted, StorageFailed, TenetError
from tenet.ids import Json
from tenet.pipeline.marks import marks_of
from tenet.pipeline.plan import Decision, Planner, What, made_by
from tenet.pipeline.process import run_command
from tenet.pipeline.record import Record, Status, begun, ended
from tenet.pipeline.stages import Stage


class StageFailed(TenetError):
    """A stage that ended with an error, or made less than it says; carries the stage's exit code."""

    def __init__(self, message: str, code: int, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = code


@dataclass(frozen=True)
class Outcome:
    """What became of a stage; `result` is what it printed for --json, where that was asked for."""

    stage: Stage
    what: What
    why: str
    seconds: float = 0.0
    result: Json = None

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        return {
            "stage": self.stage.name,
            "command": self.stage.command,
            "did": self.what.value,
            "why": self.why,
            "seconds": round(self.seconds, 1),
            "result": self.result,
        }


@dataclass
class Pipeline:
    """Stages in their order, those of them that are wanted, and what is known of them.

    `again` gives the command line that goes on from a stage. `outcomes` grows while `carry_out` works.
    """

    stages: Sequence[Stage]
    chosen: Sequence[Stage]
    record: Record
    again: Callable[[Stage], str]
    asked: Collection[str] = ()
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def planner(self) -> Planner:
        """Decides, by the record as it is now."""
        return Planner(self.stages, self.record, self.asked)

    def carry_out(self, console: Console) -> None:
        """Carry out what is not done yet.

        Raises:
            StageFailed: a stage failed; with its exit code and how to go on.
            Interrupted: stopped; carries the command that goes on.
            RunLocked: another process runs a pipeline in this folder.
            StorageFailed: the record cannot be written, or something cannot be moved aside.
        """
        with self.record.locked():
            for number, stage in enumerate(self.chosen, 1):
                decision = self.planner.decide(stage)
                head = f"[{number}/{len(self.chosen)}] {stage.name}"
                if decision.what is What.SKIP:
                    console.say(f"{head}: unchanged")
                    self.outcomes.append(Outcome(stage, What.SKIP, decision.why))
                    continue
                words = with_resume(stage, decision)
                console.say(f"{head}: {decision.why}\n  {replace(stage, words=words).command}")
                for path in map(Path, decision.aside):
                    if path.exists():  # it may have gone with the folder that it lies in
                        console.say(f"  what it made before is kept as {_move_aside(path)}")
                self._carry_out(stage, decision, words, console)

    def _carry_out(self, stage: Stage, decision: Decision, words: tuple[str, ...], console: Console) -> None:
        before = self.record.entries.get(stage.name)
        entry = begun(stage.words, decision.needs, version())
        self.record.note(stage.name, replace(entry, makes=before.makes if before else {}))
        began = time.monotonic()
        catch = console.json
        done = run_command([*words, "--json"] if catch and _takes(stage, words, "--json") else words, catch=catch)
        seconds = time.monotonic() - began
        missing = [path for path in stage.makes if not Path(path).exists()]
        well = done.code == 0 and not missing
        status = Status.DONE if well else Status.RUNNING if done.stopped else Status.FAILED
        self.record.note(stage.name, ended(entry, status, made_by(stage, before), seconds))
        if well:
            self._settle(stage)
            self.outcomes.append(Outcome(stage, decision.what, decision.why, seconds, _result(done.output)))
        if done.stopped:
            raise Interrupted(
                f"The pipeline was stopped in {stage.name}; what is done so far is kept.", resume=self.again(stage)
            )
        if done.code != 0:
            text = f"The stage {stage.name} failed (exit {done.code}); the stages before it are done."
            raise StageFailed(text, done.code, hint=f"when it is mended, go on with: {self.again(stage)}")
        if missing:
            text = f"The stage {stage.name} ended well and has not made {', '.join(missing)}."
            raise StageFailed(text, EXIT_USAGE, hint="see its `makes` and where its command writes")
        console.say(f"  {stage.name}: done in {duration(seconds)}\n")

    def _settle(self, stage: Stage) -> None:
        """A stage may add to what it needs, as labels to a run; what it changed there counts as its doing, not as a change from outside."""
        for name in self.planner.makers_of(stage):
            entry = self.record.entries.get(name)
            if entry is not None and entry.status is Status.DONE:
                now = {path: marks_of(path, marks, set(marks)) for path, marks in entry.makes.items()}
                if now != entry.makes:
                    self.record.note(name, replace(entry, makes=now))
        entry = self.record.entries[stage.name]
        self.record.note(stage.name, replace(entry, needs=self.planner.needs_of(stage)))


def with_resume(stage: Stage, decision: Decision) -> tuple[str, ...]:
    """The words of a stage, with --resume where it is gone on with and its command knows that."""
    resumes = decision.what is What.RESUME and _takes(stage, stage.words, "--resume")
    return (*stage.words, "--resume") if resumes else stage.words


def _takes(stage: Stage, words: Sequence[str], option: str) -> bool:
    return option in stage.options and option not in words


def _result(output: str | None) -> Json:
    if output is None:
        return None
    try:
        value: Json = json.loads(output)
    except ValueError:
        return output or None
    return value


def _move_aside(path: Path) -> Path:
    """Rename a file or folder to the first free name of NAME.before-1, NAME.before-2 and so on."""
    number = 1
    while (free := path.with_name(f"{path.name}.before-{number}")).exists():
        number += 1
    try:
        return path.rename(free)
    except OSError as error:
        raise StorageFailed(
            f"{path} cannot be moved to {free}: {error.strerror}", hint="move it away by hand"
        ) from error
