"""Completes command lines in bash, zsh and fish: names of commands, options, runs and principles files. A shell asks on every Tab, so
this reads names of files and imports as little as the command does.

Which word a parameter takes is told by its name in `VALUES`; a parameter that is not there completes as click has it. Knows no command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import util
from pathlib import Path
from typing import Final

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

VARIABLE: Final = "_TENET_COMPLETE"
SHELLS: Final = ("bash", "zsh", "fish")
FILES: Final = "file"


def runs() -> Iterator[str]:
    """The runs under runs/, by path."""
    yield from sorted(str(file.parent) for file in Path("runs").glob("*/run.json"))


def principles() -> Iterator[str]:
    """The principles files of this folder, then the names of shipped ones."""
    yield from sorted(str(path) for path in Path("principles").rglob("*.y*ml"))
    spec = util.find_spec("principles")
    for place in spec.submodule_search_locations or () if spec else ():
        yield from sorted(path.relative_to(place).with_suffix("").as_posix() for path in Path(place).rglob("*.yaml"))


def settings() -> Iterator[str]:
    """The files of settings here."""
    yield from sorted(str(path) for path in Path().glob("*.y*ml"))


VALUES: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    "run": runs, "run_": runs, "reuse": runs,
    "principles": principles, "config": settings,
}  # fmt: skip
"""The words of a parameter by its name. Files are completed as well, for any of these may be a path."""
IN_PRINCIPLES: Final = frozenset({"file", "files", "first", "second"})
"""Parameters of `tenet principles ...` that take principles files; elsewhere they take files of other kinds."""


class _Tenet(ShellComplete):
    """Completes what click does not know of."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """The words that may stand here."""
        from click.shell_completion import _resolve_context, _resolve_incomplete

        context = _resolve_context(self.cli, self.ctx_args, self.prog_name, args)
        wanted, rest = _resolve_incomplete(context, args, incomplete)
        words = _values(wanted, context) if isinstance(wanted, click.Parameter) else None
        if words is None:
            return wanted.shell_complete(context, rest)
        found = [CompletionItem(word) for word in words() if word.startswith(rest)]
        # First, for bash forgets what came before it; it then completes names of files where nothing else fits.
        return [CompletionItem(rest, type=FILES), *found]


def _values(parameter: click.Parameter, context: click.Context) -> Callable[[], Iterator[str]] | None:
    if parameter.name in IN_PRINCIPLES and context.command_path.split()[1:2] == ["principles"]:
        return principles
    return VALUES.get(parameter.name or "")


class _Bash(_Tenet, BashComplete):
    pass


class _Zsh(_Tenet, ZshComplete):
    pass


class _Fish(_Tenet, FishComplete):
    pass


def register() -> None:
    """Take the place of click's own completion."""
    for cls in (_Bash, _Zsh, _Fish):
        add_completion_class(cls)


@click.command(
    epilog='Examples:\n\n\b\n  eval "$(tenet completion bash)"                       # in ~/.bashrc\n'
    '  eval "$(tenet completion zsh)"                        # in ~/.zshrc\n'
    "  tenet completion fish > ~/.config/fish/completions/tenet.fish"
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options, runs and principles files.

    Bash 4.4 or later; the one of macOS is older.
    """
    classes: Mapping[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
    root = context.find_root()
    # Not `source()`: click would start a bash to look at its version.
    made = classes[shell](root.command, {}, "tenet", VARIABLE)
    click.echo(made.source_template % made.source_vars())
