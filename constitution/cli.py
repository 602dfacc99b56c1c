"""The commands `tenet principles ...`: check, list and show principles files, print their schema.

Asks no judge; commands that may are named in `ELSEWHERE`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from constitution import render, shape
from constitution.load import load
from constitution.model import Constitution, Status, Tier
from constitution.sources import shipped
from constitution.testrecord import recorded_judges, shipped_records
from tenet.cligroup import GroupWithMore
from tenet.console import Console
from tenet.errors import InvalidInput, MissingInput, Problem, TenetError
from tenet.ids import Json

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
FEW_TESTS = 2


# Commands that stand elsewhere, imported when they are used.
ELSEWHERE = {
    "diff": "generate.diff_cli:diff",
    "watch": "generate.watch_cli:watch",
    "lint": "judges.lint:lint",
    "test": "judges.testing.cli:test",
    "steer": "generate.steer:steer",
    "coverage": "generate.coverage.cli:coverage",
    "suggest": "generate.suggest.cli:suggest",
    "stamp": "constitution.lint.cli:stamp",
    "import": "constitution.interchange.cli:import_command",
    "export": "constitution.interchange.cli:export_command",
}


@click.group(
    cls=GroupWithMore,
    elsewhere=ELSEWHERE,
    epilog="Examples:\n\n\b\n  tenet principles list\n  tenet principles check my-principles.yaml\n"
    "  tenet principles show honesty keep-its-own-judgement",
)
def principles() -> None:
    """Check, lint, test, list, import and export files of principles, and measure how far a judge follows them.

    A FILE is a path, or the name of a shipped file such as honesty or pocket/courteous.
    """


@principles.command(epilog="Example:\n\n\b\n  tenet principles check my-principles.yaml honesty")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@AS_JSON
def check(files: tuple[str, ...], *, as_json: bool) -> None:
    """Check files of principles and all that they include.

    Prints what each good file holds. Every problem is named with line, column and cure, all at once; the exit code is
    then 2 (3 where a file is missing).
    """
    console = Console(json=as_json)
    good: list[tuple[str, Constitution]] = []
    errors: list[tuple[str, TenetError]] = []
    for file in files:
        try:
            good.append((file, load(file)))
        except (InvalidInput, MissingInput) as error:
            errors.append((file, error))
    if as_json:
        held = [{"file": file, "ok": True, **_contents(constitution)} for file, constitution in good]
        console.data(
            [*held, *({"file": file, "ok": False, "problems": problems_json(error)} for file, error in errors)]
        )
    elif good:
        rows = [[file, *_contents(constitution).values()] for file, constitution in good]
        console.table(["file", *_contents(good[0][1])], rows)
    for file, constitution in good:
        _remark(console, file, constitution)
    _raise_together([error for _, error in errors])


@principles.command("list", epilog="Examples:\n\n\b\n  tenet principles list\n  tenet principles list honesty --json")
@click.argument("file", required=False)
@AS_JSON
def list_(file: str | None, *, as_json: bool) -> None:
    """List the principles of FILE, or the shipped files where none is named."""
    console = Console(json=as_json)
    if file is None:
        loaded = {name: load(name) for name in shipped()}
        rows: list[list[Json]] = [
            [name, len(constitution.principles), render.first_sentence(constitution.description)]
            for name, constitution in loaded.items()
        ]
        console.table(["file", "principles", "description"], rows)
        console.say(
            "Look into one with: tenet principles show NAME. Write your own with `include: [NAME]`, or copy it."
        )
        return
    table = [
        [one.id, one.tier.value, one.weight, one.status.value, bool(one.applies_when), len(one.tests), one.text]
        for one in load(file).principles
    ]
    console.table(["id", "tier", "weight", "status", "conditional", "tests", "text"], table)


@principles.command(
    epilog="Examples:\n\n\b\n  tenet principles show pocket/courteous\n  tenet principles show honesty invent-nothing"
)
@click.argument("file")
@click.argument("id", required=False)
@AS_JSON
def show(file: str, id: str | None, *, as_json: bool) -> None:  # noqa: A002
    """Show the principles of FILE in full, or the one called ID.

    Shows the text, which prompts it is asked about, what judges and revisers are asked after reading the text, examples
    and tests.
    """
    console = Console(json=as_json)
    constitution = load(file)
    chosen = constitution.principles if id is None else (constitution.get(id),)
    if as_json:
        console.data({**_head(constitution), "principles": [render.as_json(one) for one in chosen]})
        return
    texts = [render.in_full(one) for one in chosen]
    console.data("\n\n".join(texts if id is not None else [render.headline(constitution), *texts]))


@principles.command(epilog="Example:\n\n\b\n  tenet principles schema > principles.schema.json")
def schema() -> None:
    """Print the JSON Schema of principles files.

    Editors that know the YAML language server check and complete a file that begins with
    `# yaml-language-server: $schema=principles.schema.json`.
    """
    Console().data(json.dumps(shape.schema(), indent=2, ensure_ascii=False))


def _contents(constitution: Constitution) -> dict[str, Json]:
    """Count what a good file holds."""
    active = constitution.active
    return {
        "principles": len(constitution.principles),
        "active": len(active),
        "rules": sum(one.tier is Tier.RULE for one in active),
        "conditional": sum(bool(one.applies_when) for one in active),
        "tests": sum(len(one.tests) for one in constitution.principles),
        "digest": constitution.digest[:12],
    }


def _head(constitution: Constitution) -> dict[str, Json]:
    return {
        "name": constitution.name,
        "version": constitution.version,
        "description": constitution.description,
        "licence": constitution.licence,
        "path": str(constitution.path),
        "digest": constitution.digest,
    }


def _remark(console: Console, file: str, constitution: Constitution) -> None:
    """Name the principles that a judge can hardly be tested on, and for a shipped file whose verdicts are recorded."""
    few = [one.id for one in constitution.principles if len(one.tests) < FEW_TESTS and one.status is not Status.RETIRED]
    if few:
        console.say(f"{file}: fewer than {FEW_TESTS} tests in {', '.join(few)}")
    if file in shipped():
        judges = recorded_judges(constitution, shipped_records())
        told = f"are recorded of {', '.join(judges)}" if judges else "are recorded of no judge yet"
        console.say(f"{file}: verdicts on its tests {told}; ask yours with: tenet principles test {file} --judge MODEL")


def problems_json(error: TenetError) -> list[Json]:
    """What is wrong with a file, for `--json`."""
    given: Sequence[Problem] = (
        error.problems if isinstance(error, InvalidInput) else [Problem(error.message, hint=error.hint)]
    )
    return [
        {
            "path": str(one.path) if isinstance(one.path, Path) else None,
            "line": one.line,
            "column": one.column,
            "message": one.message,
            "hint": one.hint,
        }
        for one in given
    ]


def _raise_together(errors: Sequence[TenetError]) -> None:
    """Raise the errors of several files as one."""
    if not errors:
        return
    if len(errors) == 1 or all(isinstance(error, MissingInput) for error in errors):
        raise errors[0] if len(errors) == 1 else MissingInput("\n".join(str(error) for error in errors))
    raise InvalidInput("\n".join(str(error) for error in errors), [])
