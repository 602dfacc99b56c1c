"""What is to be done with each stage, and why: carried out, gone on with, or left out because nothing has changed.

Compares the record with what is on the disk; starts nothing and writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tenet.pipeline.marks import Marks, below, difference, marks_of, same
from tenet.pipeline.order import Makers
from tenet.pipeline.record import Entry, Record, Status
from tenet.pipeline.stages import Stage, absolute, inside


class What(StrEnum):
    """What is done with a stage."""

    RUN = "run"
    RESUME = "resume"
    SKIP = "skip"


@dataclass(frozen=True)
class Decision:
    """What to do with a stage and why. `needs` marks what it reads now; `aside` are paths to be moved away first."""

    what: What
    why: str
    needs: Mapping[str, Marks]
    aside: tuple[str, ...] = ()


class Planner:
    """Decides about the stages of one pipeline. `asked` are the names of those to be carried out even where nothing has changed."""

    def __init__(self, stages: Sequence[Stage], record: Record, asked: Collection[str] = ()) -> None:
        self._makers = Makers(stages)
        self._record = record
        self._asked = asked

    def plan(self, chosen: Sequence[Stage]) -> list[tuple[Stage, Decision]]:
        """Decide about all as things stand; what comes after a stage that is to run is taken to run too."""
        found: list[tuple[Stage, Decision]] = []
        running: set[str] = set()
        for stage in chosen:
            decision = self.decide(stage)
            before = sorted(self.makers_of(stage) & running)
            if decision.what is What.SKIP and before:
                decision = Decision(What.RUN, f"if {', '.join(before)} changes what it needs", decision.needs)
            if decision.what is not What.SKIP:
                running.add(stage.name)
            found.append((stage, decision))
        return found

    def makers_of(self, stage: Stage) -> set[str]:
        """The names of the stages that make what a stage needs."""
        return {maker.name for need in stage.needs for maker, _ in self._makers.of(need)} - {stage.name}

    def decide(self, stage: Stage) -> Decision:
        """Decide about one stage, all before it having ended."""
        entry = self._record.entries.get(stage.name)
        needs = self.needs_of(stage)
        there = tuple(path for path in stage.makes if Path(path).exists())
        if entry is None:
            if there and "--resume" in stage.options:
                return Decision(What.RESUME, f"{there[0]} is there, and not in the record", needs)
            return Decision(What.RUN, "not carried out yet", needs)
        moved = there if stage.aside else ()
        if why := _changed(entry, stage, needs):
            return Decision(What.RUN, why, needs, moved)
        if entry.status is not Status.DONE:
            why = "it was stopped" if entry.status is Status.RUNNING else "it failed"
            return Decision(What.RESUME, why, needs)
        if why := _lost(entry, stage):
            return Decision(What.RUN, why, needs, moved)
        if stage.name in self._asked:
            return Decision(What.RUN, "asked for", needs, moved)
        return Decision(What.SKIP, "unchanged", needs)

    def needs_of(self, stage: Stage) -> dict[str, Marks]:
        """Marks of what a stage needs now: of what another stage made, the files that it made and not what was put beside them later."""
        entry = self._record.entries.get(stage.name)
        known = entry.needs if entry else {}
        return {need: marks_of(need, known.get(need), self._made_of(stage, need)) for need in stage.needs}

    def _made_of(self, stage: Stage, need: str) -> set[str] | None:
        names: set[str] = set()
        for maker, made in self._makers.of(need):
            entry = self._record.entries.get(maker.name)
            around = inside(absolute(need), absolute(made))
            if maker.name == stage.name or not around or entry is None or made not in entry.makes:
                continue
            names |= below(entry.makes[made], made, need)
        return names or None


def made_by(stage: Stage, known: Entry | None = None) -> dict[str, Marks]:
    """Marks of all that is where a stage makes something."""
    before = known.makes if known else {}
    return {path: marks_of(path, before.get(path)) for path in stage.makes}


def _changed(entry: Entry, stage: Stage, needs: Mapping[str, Marks]) -> str:
    if entry.words != stage.words:
        return "its command has changed"
    for path, now in needs.items():
        if path not in entry.needs:
            return f"{path} is new among its needs"
        if not same(entry.needs[path], now):
            return f"{path} has changed{difference(entry.needs[path], now)}"
    return ""


def _lost(entry: Entry, stage: Stage) -> str:
    for path in stage.makes:
        before = entry.makes.get(path)
        if before is None:
            return f"{path} is new among what it makes"
        now = marks_of(path, before, set(before))
        if not now:
            return f"{path} is not there any more"
        if not same(before, now):
            return f"{path} was changed since{difference(before, now)}"
    return ""
