"""From a pipeline file to its stages: variables put in, rounds written out, each command known. Reports every mistake at its line.

Knows nothing of their order, nor of what is on the disk.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

from tenet.errors import InvalidInput, Problem
from tenet.ids import Json
from tenet.pipeline.commands import NoCommand, find_command
from tenet.pipeline.config import PipelineFile, StageConfig
from tenet.pipeline.words import Unfilled, fill
from tenet.yamlfile import Pointer

T = TypeVar("T")
PROGRAM: Final = "tenet"


@dataclass(frozen=True)
class Stage:
    """One command to carry out: of a stage that repeats, that of one round.

    `words` come after `tenet`; `place` is the stage's among those of the file.
    """

    title: str
    round: int | None
    place: int
    words: tuple[str, ...]
    needs: tuple[str, ...]
    makes: tuple[str, ...]
    options: frozenset[str]
    aside: bool

    @property
    def name(self) -> str:
        """The stage's name, with its round where it repeats: dpo, or dpo.2."""
        return self.title if self.round is None else f"{self.title}.{self.round}"

    @property
    def command(self) -> str:
        """The command line, as one would type it."""
        return shlex.join([PROGRAM, *self.words])


def stages_of(file: PipelineFile) -> tuple[Stage, ...]:
    """Write a file's stages out, in its order; stages that repeat and follow one another go round together.

    Raises:
        InvalidInput: what is wrong with variables, commands and paths, each with its line.
    """
    problems: dict[Problem, None] = {}  # one mistake shows in every round
    found: list[Stage] = []
    numbered = list(enumerate(file.config.stages))
    for repeats, group in groupby(numbered, key=lambda item: item[1].repeat):
        block = list(group)
        for number in range(1, file.config.rounds + 1) if repeats else (None,):
            for place, config in block:
                stage = _Reading(file, place, config, number, problems).stage()
                if stage is not None:
                    found.append(stage)
    if problems:
        raise InvalidInput(f"{file.path} cannot be used ({len(problems)} to mend):", list(problems))
    return tuple(_with_what_it_names(stage, found) for stage in found)


def absolute(path: str) -> str:
    """A path as it is compared: absolute and normal, links not followed."""
    return os.path.normpath(Path(path).absolute())


def inside(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it, both as `absolute` gives them."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _values(file: PipelineFile, number: int | None) -> Mapping[str, Json]:
    config = file.config
    values: dict[str, Json] = {**config.variables, **(config.first if number == 1 else {})}
    values |= {"here": str(file.path.absolute().parent), "folder": file.folder, "rounds": config.rounds}
    return values if number is None else {**values, "round": number, "previous": number - 1}


@dataclass(frozen=True)
class _Reading:
    """The reading of one stage in one round; what is wrong is put among the problems."""

    file: PipelineFile
    place: int
    config: StageConfig
    number: int | None
    problems: dict[Problem, None]

    def stage(self) -> Stage | None:
        """The stage, None where it cannot be read."""
        config, before = self.config, len(self.problems)
        words = self._words()
        needs, makes = self._paths("needs", config.needs), self._paths("makes", config.makes)
        command = self._try(("run",), lambda: find_command(words)) if len(self.problems) == before else None
        if command is None:
            return None
        aside = "--resume" in command.options if config.aside is None else config.aside
        return Stage(config.name, self.number, self.place, words, needs, makes, command.options, aside)

    def _words(self) -> tuple[str, ...]:
        given = [str(word) for word in self.config.run]
        if len(given) == 1:
            given = self._try(("run",), lambda: shlex.split(given[0])) or []
        if given[:1] != [PROGRAM]:
            self._note(
                ("run",), "a stage runs a command of Tenet's", "write it as you would type it: tenet train dpo ..."
            )
            return ()
        filled = [self._filled(("run",), word) for word in given[1:]]
        return tuple(word for word in filled if word is not None)

    def _paths(self, key: str, texts: tuple[str, ...]) -> tuple[str, ...]:
        filled = [self._filled((key, at), text) for at, text in enumerate(texts)]
        if "" in filled:
            self._note((key,), "an empty path", "name a file or a folder")
        return tuple(os.path.normpath(path) for path in filled if path)

    def _filled(self, key: Pointer, text: str) -> str | None:
        return self._try(key, lambda: fill(text, _values(self.file, self.number)))

    def _try(self, key: Pointer, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except (Unfilled, NoCommand) as error:
            self._note(key, error.message, error.hint)
        except ValueError as error:  # shlex: a quote that is not closed
            self._note(key, f"no command line: {error}", "quotes come in pairs")
        return None

    def _note(self, key: Pointer, message: str, hint: str = "") -> None:
        text = f"{self.config.name}: {message}"
        self.problems[self.file.document.problem(("stages", self.place, *key), text, hint)] = None


def _with_what_it_names(stage: Stage, stages: Sequence[Stage]) -> Stage:
    """A stage that also needs what its command names and another stage makes, as `--data runs/support` does."""
    known = [absolute(path) for path in (*stage.needs, *stage.makes)]
    made = [absolute(path) for other in stages if other.name != stage.name for path in other.makes]
    named = dict.fromkeys(word.rpartition("=")[2] for word in stage.words if word.rpartition("=")[2])
    more = [
        os.path.normpath(path)
        for path in named
        if any(inside(absolute(path), one) for one in made)
        and not any(inside(absolute(path), one) or inside(one, absolute(path)) for one in known)
    ]
    return replace(stage, needs=(*stage.needs, *more))
