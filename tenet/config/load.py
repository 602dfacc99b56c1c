"""Reads a configuration: YAML file or flags, overrides on top, one error for all that is wrong.

Knows no particular configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, cast

from tenet.config.build import BAD, Builder, Finding
from tenet.config.fields import Complaint
from tenet.config.overrides import overlay
from tenet.errors import InvalidInput, Problem
from tenet.ids import Json
from tenet.yamlfile import YamlDocument, load_yaml

C = TypeVar("C")


def load_config(path: Path, cls: type[C], overrides: Sequence[str] = ()) -> C:
    """Read a YAML file into a frozen dataclass; `overrides` are `key.path=value` words laid over it.

    Relative paths of the file are meant from its folder, those of overrides from the current one; both come
    out absolute.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: everything that is wrong, each with file, line, column and, where there is one, a
            suggestion.
    """
    document = load_yaml(path)
    return _make(document.data, cls, overrides, base=path.absolute().parent, document=document)


def make_config(values: Mapping[str, Json], cls: type[C], overrides: Sequence[str] = ()) -> C:
    """Make a configuration from values that came as flags; relative paths are meant from the current folder.

    Raises:
        InvalidInput: everything that is wrong, each with its key.
    """
    return _make(values, cls, overrides, base=Path.cwd(), document=None)


def part_complaints(values: Mapping[str, Json], cls: type, key: str) -> Iterator[Complaint]:
    """What is wrong with values that belong to `cls`, told as complaints about `key` of the configuration that holds them.

    For keys whose type follows from another key. Relative paths in them are meant from the current folder.
    """
    builder = Builder(Path.cwd(), Path.cwd())
    builder.build(cls, values)
    for finding in builder.findings:
        yield Complaint((key, *finding.pointer), finding.message, finding.hint)


def _make(data: object, cls: type[C], overrides: Sequence[str], *, base: Path, document: YamlDocument | None) -> C:
    builder = Builder(base, Path.cwd())
    problems: list[Problem] = []
    if data is None:
        data = {}
    if isinstance(data, Mapping):
        data, problems = overlay(dict(data), overrides)
    made = builder.build(cls, data)
    problems += [_problem(finding, document) for finding in builder.findings]
    if problems or made is BAD:
        where = document.path if document else "the command line"
        problems.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
        raise InvalidInput(f"{where} cannot be used ({len(problems)} to mend):", problems)
    return cast("C", made)


def _problem(finding: Finding, document: YamlDocument | None) -> Problem:
    key = ".".join(str(part) for part in finding.pointer)
    if finding.override is not None:
        return Problem(f"--set {finding.override.word}: {finding.message}", hint=finding.hint)
    message = f"{key}: {finding.message}" if key else finding.message
    if document is None:
        return Problem(message, hint=finding.hint)
    line, column = document.position(finding.pointer)
    return Problem(message, document.path, line, column, finding.hint)
