"""The order of stages: what a stage needs is made before it. Says where a file is needed that nobody makes, or that needs itself.

Knows paths, not what is in them. Stages that do not need each other keep the order of the file.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tenet.errors import InvalidInput, MissingInput, Problem, UsageError
from tenet.pipeline.config import PipelineFile
from tenet.pipeline.stages import Stage, absolute, inside
from tenet.yamlfile import suggest


class Makers:
    """Which stages make a path."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._made = [(absolute(path), path, stage) for stage in stages for path in stage.makes]

    def of(self, path: str) -> list[tuple[Stage, str]]:
        """The stages that make a path, and what they call it: the innermost folder it lies in, else all that is made inside of it."""
        asked = absolute(path)
        around = [found for found in self._made if inside(asked, found[0])]
        if around:
            innermost = max(len(whole) for whole, _, _ in around)
            return [(stage, made) for whole, made, stage in around if len(whole) == innermost]
        return [(stage, made) for whole, made, stage in self._made if inside(whole, asked)]

    def twice(self) -> Iterator[tuple[Stage, str, Stage]]:
        """Paths that a second stage makes: the second, the path, the first."""
        first: dict[str, Stage] = {}
        for whole, path, stage in self._made:
            if first.setdefault(whole, stage) is not stage:
                yield stage, path, first[whole]


def ordered(file: PipelineFile, stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Bring stages into an order in which each comes after what it needs.

    Raises:
        InvalidInput: two stages make one path, or stages need each other in a circle.
    """
    makers = Makers(stages)
    problems = [
        _problem(file, second, "makes", path, f"{path} is made by {first.name} already", "each path has one maker")
        for second, path, first in makers.twice()
    ]
    if problems:
        raise InvalidInput(f"{file.path} cannot be used ({len(problems)} to mend):", problems)
    place = {stage.name: number for number, stage in enumerate(stages)}
    graph: TopologicalSorter[int] = TopologicalSorter()
    for stage in stages:
        before = {place[maker.name] for need in stage.needs for maker, _ in makers.of(need)}
        own = {absolute(path) for path in stage.makes}
        itself = {place[stage.name]} if any(absolute(need) in own for need in stage.needs) else set()
        graph.add(place[stage.name], *((before - {place[stage.name]}) | itself))
    try:
        graph.prepare()
    except CycleError as error:
        raise _circle(file, [stages[number] for number in error.args[1]]) from error
    found: list[Stage] = []
    waiting: list[int] = []
    while graph.is_active():
        for number in graph.get_ready():
            heapq.heappush(waiting, number)
        number = heapq.heappop(waiting)
        found.append(stages[number])
        graph.done(number)
    return tuple(found)


def selected(stages: Sequence[Stage], start: str | None, only: str | None) -> tuple[Stage, ...]:
    """The stages from one on, or one alone; a stage that repeats is meant with all its rounds, or with one as in dpo.2.

    Raises:
        UsageError: there is no such stage, or both are given.
    """
    if start is not None and only is not None:
        raise UsageError("--from and --only exclude each other", hint="give one of them")
    asked = start or only
    if asked is None:
        return tuple(stages)
    at = [number for number, stage in enumerate(stages) if asked in (stage.title, stage.name)]
    if not at:
        names = list(dict.fromkeys(stage.title for stage in stages))
        hint = suggest(asked, names) or f"the stages are {', '.join(names)}"
        raise UsageError(f"there is no stage {asked}", hint=hint)
    return tuple(stages[at[0] :]) if start else tuple(stages[number] for number in at)


def require_inputs(file: PipelineFile, stages: Sequence[Stage], chosen: Collection[Stage]) -> None:
    """Make sure that what the chosen stages need is there, or is made by one of them.

    Raises:
        MissingInput: all that is not there, each with its line.
    """
    makers, names = Makers(stages), {stage.name for stage in chosen}
    problems: dict[Problem, None] = {}
    for stage in chosen:
        for need in stage.needs:
            made_by = [maker for maker, _ in makers.of(need) if maker.name != stage.name]
            if Path(need).exists() or any(maker.name in names for maker in made_by):
                continue
            hint = f"{made_by[0].name} makes it: run that too" if made_by else _near(need)
            problems[_problem(file, stage, "needs", need, f"there is no {need}", hint)] = None
    if problems:
        told = "\n".join(str(problem) for problem in problems)
        raise MissingInput(f"{file.path}: an input is missing, and nothing was started.\n{told}")


def _near(path: str) -> str:
    folder = Path(path).absolute().parent
    near = suggest(Path(path).name, [entry.name for entry in folder.iterdir()]) if folder.is_dir() else ""
    return near or "no stage makes it, and relative paths are meant from the current folder"


def _circle(file: PipelineFile, circle: Sequence[Stage]) -> InvalidInput:
    # graphlib names a circle with its first at both ends, each before the one that needs it.
    names = " -> ".join(stage.name for stage in circle)
    text = (
        f"stages that need each other: {names}"
        if len(set(circle)) > 1
        else f"{circle[0].name} needs what it makes itself"
    )
    problem = file.document.problem(("stages", circle[0].place, "needs"), text, "take one of the needs out")
    return InvalidInput(f"{file.path} cannot be used (1 to mend):", [problem])


def _problem(file: PipelineFile, stage: Stage, key: str, path: str, message: str, hint: str) -> Problem:
    place = getattr(stage, key).index(path)
    return file.document.problem(("stages", stage.place, key, place), f"{stage.title}: {message}", hint)
