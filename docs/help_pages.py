"""Write `docs/commands.md` from the live commands, or check that it still is what they say.

    python -m docs.help_pages           # write
    python -m docs.help_pages --check   # exit 1 and name the command that mends it, if the page is stale

Knows nothing of what the commands do: it walks the click group and prints each one's own help.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from docs.pages import settle
from tenet.cli import cli

PAGE = Path(__file__).parent / "commands.md"
HEAD = """# Commands

Written by `make docs` from the commands' own `--help`; edit the help texts, not this page.
"""


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield (full name, help text) of a command and of everything below it, in the order the group lists."""
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from commands(below, click.Context(below, info_name=name, parent=context, terminal_width=100))


def page() -> str:
    """The whole page as it should be."""
    root = click.Context(cli, info_name="tenet", **{**cli.context_settings, "terminal_width": 100})
    parts = [f"## `{name}`\n\n```text\n{text.rstrip()}\n```\n" for name, text in commands(cli, root)]
    return "\n".join([HEAD, *parts])


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` compare it; returns the exit code."""
    return settle(PAGE, page(), "the commands", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
