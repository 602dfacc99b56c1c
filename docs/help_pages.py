"""Write the pages of the commands from the live commands, or check that they still are what those say.

    python -m docs.help_pages           # write
    python -m docs.help_pages --check   # exit 1 and name the command that mends it, if a page is stale

`commands.md` is the way in, with a line for every command; a page for each group of commands has their help. Knows nothing of what the
commands do but which group each is in: it walks the click group and prints each one's own help.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from docs.pages import settle
from tenet.cli import cli

FOLDER = Path(__file__).parent
WRITTEN = "Written by `make docs` from the commands' own `--help`; edit the help texts, not this page."
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "commands-start": ("Starting", ("demo", "init", "doctor", "completion", "plugins")),
    "commands-principles": ("Principles", ("principles",)),
    "commands-data": (
        "Data",
        ("generate", "sample", "judge", "pairs", "schedule", "revise", "export", "status", "runs", "view", "report"),
    ),
    "commands-labels": (
        "Labels and trust",
        ("labels", "verdicts", "card", "calibrate", "audit", "weigh", "blend"),
    ),
    "commands-training": (
        "Training",
        ("train", "evaluate", "evaluate-curve", "evaluate-reward", "pipeline", "serve"),
    ),
}
"""The pages: heading and commands of each."""


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, str]]:
    """Yield (full name, command, help text) of a command and of everything below it, in the order the group lists."""
    yield context.command_path, command, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from commands(below, click.Context(below, info_name=name, parent=context, terminal_width=100))


def pages() -> dict[Path, str]:
    """Every page as it should be, by its file.

    Raises:
        LookupError: a command that is on no page, or a page that names one that does not exist.
    """
    root = click.Context(cli, info_name="tenet", **{**cli.context_settings, "terminal_width": 100})
    every = list(commands(cli, root))
    listed = {name for _, names in GROUPS.values() for name in names}
    if odd := listed ^ set(cli.list_commands(root)):
        raise LookupError(f"docs/help_pages.py: put each command on one page: {', '.join(sorted(odd))}")
    index = [f"# Commands\n\n{WRITTEN}\n\n{_help(every[0][2], '## `tenet`')}"]
    found: dict[Path, str] = {}
    for page, (heading, names) in GROUPS.items():
        ours = [one for name in names for one in every[1:] if one[0].split()[1] == name]
        rows = [f"| [`{name}`]({page}.md#{_anchor(name)}) | {_line(command)} |" for name, command, _ in ours]
        index.append("\n".join([f"## {heading}\n", "| command | |", "|---|---|", *rows, ""]))
        texts = [_help(text, f"{'#' * len(name.split())} `{name}`") for name, _, text in ours]
        found[FOLDER / f"{page}.md"] = "\n".join([f"# Commands: {heading.lower()}\n\n{WRITTEN}\n", *texts])
    return {FOLDER / "commands.md": "\n".join(index), **found}


def _help(text: str, heading: str) -> str:
    return f"{heading}\n\n```text\n{text.rstrip()}\n```\n"


def _line(command: click.Command) -> str:
    """A command's help in a line, whole."""
    return command.get_short_help_str(limit=1000).replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` compare them; returns the exit code."""
    return max(settle(path, text, "the commands", arguments) for path, text in pages().items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
