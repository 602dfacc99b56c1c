"""What a pipeline file says: its keys as frozen dataclasses, and `--set`, which means a variable unless it names a key.

Reads no stage's command and looks at no file but the pipeline's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from tenet.config import AtLeast, Complaint, Shape, load_config
from tenet.errors import InvalidInput, Problem
from tenet.ids import Json
from tenet.yamlfile import YamlDocument, load_yaml, suggest

Name = Annotated[str, Shape(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", "letters, digits, dashes and underscores")]

GIVEN: Final = ("here", "folder", "round", "previous", "rounds")
"""Variables that every pipeline has."""


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """One command."""

    name: Name = field(metadata={"example": "dpo"})
    """For `--from`, `--only` and the table."""
    run: tuple[str | int | float, ...] = field(metadata={"example": "tenet train dpo --model MODEL --data DATA"})
    """The command as you would type it, or a list of its words."""
    needs: tuple[str, ...] = ()
    """Files and folders that it reads; what its command names and another stage makes is needed without saying."""
    makes: tuple[str, ...] = ()
    """Files and folders that it writes."""
    repeat: bool = False
    """Carry it out once a round."""
    aside: bool | None = None
    """Move away what it made from other inputs before it is made anew; without it, for commands that take `--resume`."""


@dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """A pipeline. All paths are meant from the current folder."""

    name: Name = field(metadata={"example": "support"})
    """What it is called."""
    folder: str | None = None
    """Where its record is kept; without it `runs/` and the name."""
    rounds: Annotated[int, AtLeast(1)] = 1
    """How often the stages with `repeat` go round."""
    variables: Mapping[str, Json] = field(default_factory=dict)
    """Values for `${...}`; one without a value has to be given by `--set`."""
    first: Mapping[str, Json] = field(default_factory=dict)
    """Values that variables have in the first round."""
    stages: tuple[StageConfig, ...]
    """The commands, in their order."""

    def complaints(self) -> Iterator[Complaint]:
        """Name what several values together get wrong."""
        if not self.stages:
            yield Complaint(("stages",), "there is no stage")
        for key, values in (("variables", self.variables), ("first", self.first)):
            for name, value in values.items():
                if name in GIVEN or not name.isidentifier():
                    yield Complaint(
                        (key, name), "no name for a variable", f"letters, digits and _, none of {', '.join(GIVEN)}"
                    )
                if isinstance(value, Mapping | list | tuple):
                    yield Complaint(
                        (key, name), "expected a text or a number", "a list or a table cannot stand in a command"
                    )
        for name, value in self.first.items():
            if value is None:
                yield Complaint(("first", name), "has no value", "leave it out, or give it one")
            if name not in self.variables:
                yield Complaint(
                    ("first", name), "no such variable", suggest(name, self.variables) or "declare it under variables"
                )
        names = [stage.name for stage in self.stages]
        for place, name in enumerate(names):
            if name in names[:place]:
                yield Complaint(
                    ("stages", place, "name"), f'there is a stage "{name}" already', "give each its own name"
                )


@dataclass(frozen=True)
class PipelineFile:
    """A pipeline file that was read: its values with `--set` laid over them, and where each stands."""

    path: Path
    config: PipelineConfig
    document: YamlDocument

    @property
    def folder(self) -> str:
        """The folder of the pipeline's record."""
        return self.config.folder or f"runs/{self.config.name}"


def load_pipeline(path: Path, overrides: Sequence[str] = ()) -> PipelineFile:
    """Read a pipeline file; `overrides` are `KEY=VALUE` words, KEY a variable or a key of the file.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: everything that is wrong with it, each with its line.
    """
    keys = {part.name for part in dataclasses.fields(PipelineConfig)}
    of_file = [word for word in overrides if word.partition("=")[0].partition(".")[0].strip() in keys]
    config = load_config(path, PipelineConfig, of_file)
    given = [word.partition("=") for word in overrides if word not in of_file]
    problems = [_unknown(name, config.variables) for name, _, _ in given if name not in config.variables]
    problems += [
        Problem(f"--set {name}: there is no value in it", hint=f"write --set {name}=VALUE")
        for name, equals, _ in given
        if not equals
    ]
    if problems:
        raise InvalidInput(f"{path} cannot be used ({len(problems)} to mend):", problems)
    document = load_yaml(path)
    variables = {**config.variables, **{name: text for name, _, text in given}}
    unset = [name for name, value in variables.items() if value is None]
    if unset:
        hints = {name: f"give it: --set {name}=VALUE" for name in unset}
        problems = [document.problem(("variables", name), f"{name} has no value", hint) for name, hint in hints.items()]
        raise InvalidInput(f"{path} leaves to you what this is:", problems)
    return PipelineFile(path, dataclasses.replace(config, variables=variables), document)


def _unknown(name: str, variables: Mapping[str, Json]) -> Problem:
    there = f"the variables are {', '.join(variables)}" if variables else "the file declares no variables"
    return Problem(f"--set {name}: the file has no such variable", hint=suggest(name, variables) or there)
