"""Click groups whose commands are imported when they are used: a command is named as "module:function". Knows no command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tenet.plugins import Kind


def imported(address: str) -> click.Command:
    """Import the command at "module:function"."""
    module, _, name = address.partition(":")
    command = getattr(import_module(module), name)
    assert isinstance(command, click.Command)
    return command


class GroupWithMore(click.Group):
    """A group with commands of its own, and more that stand `elsewhere`: by name, where each is. They come last, in that order."""

    def __init__(self, *args: Any, elsewhere: Mapping[str, str], **more: Any) -> None:
        super().__init__(*args, **more)
        self._elsewhere = dict(elsewhere)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all."""
        return [*super().list_commands(ctx), *self._elsewhere]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported where it stands elsewhere."""
        where = self._elsewhere.get(cmd_name)
        return super().get_command(ctx, cmd_name) if where is None else imported(where)


class GroupWithPlugins(click.Group):
    """A group whose commands are of one kind of plug-in: Tenet's own, then those of plug-ins, made by `make` of their names."""

    def __init__(self, *args: Any, kind: Kind, make: Callable[[str], click.Command], **more: Any) -> None:
        super().__init__(*args, **more)
        self._kind, self._make = kind, make

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all; no plug-in is imported."""
        from tenet.plugins import names

        own = super().list_commands(ctx)
        return [*own, *(name for name in names(self._kind) if name not in own)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        from tenet.plugins import names

        found = super().get_command(ctx, cmd_name)
        return self._make(cmd_name) if found is None and cmd_name in names(self._kind) else found
