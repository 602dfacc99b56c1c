"""The command `tenet init`. Knows click; the work is elsewhere."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from generate.project.write import ENGINES, Project, write_project
from tenet.console import Console


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--principles", default="", metavar="NAME", help="Shipped file to begin with: tenet principles list.")
@click.option(
    "--engine", type=click.Choice(ENGINES), default="pocket", show_default=True,
    help="Host of the models; pocket: the bundled ones, offline.",
)  # fmt: skip
@click.option("--policy", default="", metavar="MODEL", help="Model that answers the prompts: a folder or a hub id.")
@click.option("--judge", default="", metavar="MODEL", help="Model that judges the answers.")
@click.option("--json", "as_json", is_flag=True, help="Print the files' names as JSON.")
def init(folder: Path, *, as_json: bool, **given: str) -> None:
    """Begin a project in DIR: run.yaml, train.yaml and blend.yaml with a comment beside every key, principles and prompts to edit.

    Writes over nothing: where one of its files is there already, it stops and names it.

    \b
    Examples:
      tenet init support
      tenet init support --engine vllm --principles customer-support --policy Qwen/Qwen3-1.7B --judge Qwen/Qwen3-8B
    """
    console = Console(json=as_json)
    project = Project(folder, **given)  # type: ignore[arg-type]  # click has checked the engine
    paths = write_project(project)
    if as_json:
        console.data([str(path) for path in paths])
    else:
        console.data("\n".join(str(path) for path in paths))
    there = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    console.say(f"Next: {there}tenet generate run.yaml --dry-run    (the README there lists the commands)")
