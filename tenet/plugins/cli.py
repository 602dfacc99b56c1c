"""`tenet plugins`: which plug-ins are installed, in which version, and whether each can be used. Knows no plug-in.

A registry's own function looks each up, so that what is listed as good is what commands would take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final

import click

from tenet.console import Console
from tenet.errors import TenetError
from tenet.ids import Json
from tenet.plugins.entries import Kind, Plugin, installed

LOOKUPS: Final[Mapping[Kind, str]] = {
    Kind.JUDGES: "judges.registry:judge_named",
    Kind.ENGINES: "engines.registry:engine_named",
    Kind.IMPORTERS: "judges.formats.registry:named",
    Kind.EXPORTERS: "generate.export:exporter_named",
    Kind.TRAINERS: "train.plugin:trainer_named",
}
"""Where a name of each kind is looked up: a function that imports it, holds it to its interface and raises where it will not do."""


@click.group()
def plugins() -> None:
    """See which judges, engines, importers, exporters and trainers other packages add."""


@plugins.command("list", epilog="Example: tenet plugins list --json")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_command(as_json: bool) -> None:
    """List the plug-ins that are installed, with their versions, and try each.

    What cannot be used is listed with the reason; other commands go on without it.
    """
    console = Console(json=as_json)
    found = [plugin for kind in Kind for plugin in installed(kind)]
    states = [problem_of(plugin) for plugin in found]
    rows: list[list[Json]] = [
        [plugin.kind.value, plugin.name, plugin.package, plugin.version, plugin.where, state is None]
        + ([state] if as_json else [])
        for plugin, state in zip(found, states, strict=True)
    ]
    if as_json:
        console.data([dict(zip((*COLUMNS, "works", "problem"), row, strict=True)) for row in rows])
        return
    if not rows:
        console.say("No plug-ins are installed. How to write one: docs/plugins.md")
        return
    console.table([*COLUMNS, "works"], [[*row[:-1], "yes" if row[-1] else "no"] for row in rows])
    for problem in filter(None, states):
        console.say(problem)


COLUMNS: Final = ("kind", "name", "package", "version", "where")


def lookup(kind: Kind) -> Callable[[str], object]:
    """The function that gives what has a name of this kind, Tenet's or a plug-in's."""
    module, _, attribute = LOOKUPS[kind].partition(":")
    found: Callable[[str], object] = getattr(import_module(module), attribute)
    return found


def problem_of(plugin: Plugin) -> str | None:
    """Why a plug-in cannot be used; None if it can."""
    try:
        lookup(plugin.kind)(plugin.name)
    except TenetError as error:
        return str(error)
    return None
