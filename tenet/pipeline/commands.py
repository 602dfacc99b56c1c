"""What the command group itself says of a command line: whether it exists, takes these words, and has an option.

Knows no command by heart: it asks `tenet.cli`, which imports the command and nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from tenet.yamlfile import suggest

NOT_HERE: Final = ("pipeline",)


class NoCommand(Exception):
    """Words that are no command of Tenet's; `hint` says how to mend them."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Command:
    """A command that exists, and the names of its options."""

    name: str
    options: frozenset[str]


def find_command(words: Sequence[str]) -> Command:
    """Find the command of a line's words (without `tenet`), and hold its options and arguments to what it takes.

    Raises:
        NoCommand: there is no such command, it cannot stand in a pipeline, or it does not take these words.
    """
    from tenet.cli import cli

    if words and words[0] in NOT_HERE:
        raise NoCommand("a pipeline cannot run a pipeline", "put the stages of both into one file")
    command: click.Command = cli
    context = click.Context(cli, info_name="tenet")
    path, rest = ["tenet"], list(words)
    while isinstance(command, click.Group):
        names = command.list_commands(context)
        found = command.get_command(context, rest[0]) if rest else None
        if found is None:
            raise NoCommand(
                f"{' '.join(path)} has no command {rest[0]}" if rest else f"{' '.join(path)} needs a command",
                (suggest(rest[0], names) if rest else "") or f"the commands are {', '.join(names)}",
            )
        path.append(rest.pop(0))
        command, context = found, click.Context(found, info_name=path[-1], parent=context)
    _require_taken(command, context, path, rest)
    options = {name for part in command.params if isinstance(part, click.Option) for name in part.opts}
    return Command(" ".join(path), frozenset(options))


def _require_taken(command: click.Command, parent: click.Context, path: Sequence[str], rest: list[str]) -> None:
    try:
        command.make_context(path[-1], rest, parent=parent.parent)
    except click.NoSuchOption as error:
        near = f"did you mean {' or '.join(error.possibilities)}?" if error.possibilities else ""
        raise NoCommand(f"{' '.join(path)} has no option {error.option_name}", near or _help(path)) from error
    except click.BadParameter as error:
        if not (
            error.param is not None and isinstance(error.param.type, click.Path)
        ):  # a file may still have to be made
            raise NoCommand(f"{' '.join(path)}: {error.format_message()}", _help(path)) from error
    except click.ClickException as error:
        raise NoCommand(f"{' '.join(path)}: {error.format_message()}", _help(path)) from error
    except click.exceptions.Exit as error:
        raise NoCommand(
            f"{' '.join(path)} with these words only prints something", "take --help or --version out"
        ) from error


def _help(path: Sequence[str]) -> str:
    return f"see: {' '.join(path)} --help"
