"""The options of `tenet train METHOD` that start several processes, and the command that prints their configurations. Knows click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tenet.errors import UsageError
from tenet.ids import Json

LAUNCH_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--launch",
        metavar="HOW",
        help="Start on several processes: one-gpu, gpus, fsdp2, zero3, nodes, a file of accelerate's, cpu:N or ray:N.",
    ),
    click.option(
        "--processes",
        type=click.IntRange(1),
        metavar="N",
        help="With --launch: of all machines together. Default: GPUs.",
    ),
    click.option("--nodes", type=click.IntRange(1), metavar="N", help="With --launch: machines."),
    click.option(
        "--node-rank", type=click.IntRange(0), metavar="R", help="With --launch: which machine this is, from 0."
    ),
    click.option("--main-address", metavar="HOST:PORT", help="With --launch: where machine 0 is."),
)


def taken_launch(values: dict[str, Json]) -> dict[str, Any] | None:
    """Take the options of a start out of a command's values, None if the training is not to be launched.

    Raises:
        UsageError: an option that goes with --launch is given without it.
    """
    names = ("launch", "processes", "nodes", "node_rank", "main_address")
    given = {name: values.pop(name) for name in names if values.get(name) is not None}
    if given and "launch" not in given:
        flag = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{flag} goes with --launch", hint="for example --launch gpus --processes 4")
    return given or None


@click.command("launch-config")
@click.argument("name")
def launch_config(name: str) -> None:
    """Print one of the configurations that --launch takes by name: one-gpu, gpus, fsdp2, zero3, nodes.

    They are accelerate's files. Edit a copy and name it: --launch FILE.

    \b
    Examples:
      tenet train launch-config fsdp2
      tenet train launch-config zero3 > zero3.yaml
    """
    from train.launch.plan import config_text

    click.echo(config_text(name), nl=False)
