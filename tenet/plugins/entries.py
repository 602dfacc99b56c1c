"""Finds plug-ins in the metadata of installed distributions and imports one when it is used. Knows no kind's interface.

A name that two claim is refused when it is asked for, and a plug-in that cannot be imported is an error that names its package; neither
touches commands that ask for something else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from typing import Any, Final

from tenet.errors import PluginBroken, UsageError
from tenet.ids import Json

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Kind(StrEnum):
    """What a plug-in can add. The entry point group of a kind is `tenet.` and its value."""

    JUDGES = "judges"
    ENGINES = "engines"
    IMPORTERS = "importers"
    EXPORTERS = "exporters"
    TRAINERS = "trainers"

    @property
    def group(self) -> str:
        """The entry point group."""
        return f"tenet.{self.value}"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point: what it adds and under which name, where that is ("module:attribute"), and who brings it."""

    kind: Kind
    name: str
    where: str
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    def load(self) -> Any:
        """Import what the entry point names.

        Raises:
            PluginBroken: the import fails, whatever with, or the name is none that can be typed.
        """
        if not _NAME.fullmatch(self.name):
            raise self.broken("its name may hold letters, digits, dots, dashes and underscores")
        try:
            return metadata.EntryPoint(self.name, self.where, self.kind.group).load()
        except (
            Exception,
            SystemExit,
        ) as error:  # a stranger's module: whatever it raises, it is the plug-in that is broken
            raise self.broken(f"importing {self.where} fails: {type(error).__name__}: {_first_line(error)}") from error

    def broken(self, cause: str) -> PluginBroken:
        """The error that says why this plug-in cannot be used."""
        return PluginBroken(
            f"{self.name}, of {self.kind.group}, is a plug-in of {self} that cannot be used: {cause}",
            hint=f"mend or update {self.package}, or take it out: pip uninstall {self.package}",
        )


def installed(kind: Kind) -> tuple[Plugin, ...]:
    """The plug-ins of a kind by name; none is imported."""
    found = (
        Plugin(kind, entry.name, entry.value, entry.dist.name, entry.dist.version)
        for entry in metadata.entry_points(group=kind.group)
        if entry.dist is not None
    )
    return tuple(sorted(found, key=lambda one: (one.name, one.package)))


def names(kind: Kind) -> tuple[str, ...]:
    """The names that plug-ins of a kind claim, each once."""
    return tuple(dict.fromkeys(one.name for one in installed(kind)))


def versions_of(used: Iterable[tuple[Kind, str]]) -> dict[str, Json]:
    """The packages, with their versions, that bring what is used, under `KIND.NAME`; what is Tenet's own is left out."""
    return {f"{kind}.{name}": str(one) for kind, name in used for one in installed(kind) if one.name == name}


def find(kind: Kind, name: str, own: Collection[str]) -> Plugin | None:
    """The plug-in of a name; None where none claims it. `own` are Tenet's own names of the kind.

    Raises:
        UsageError: several claim the name, Tenet perhaps one of them; names all.
    """
    claims = [one for one in installed(kind) if one.name == name]
    claimants = [*(["Tenet itself"] if name in own else []), *map(str, claims)]
    if len(claimants) > 1 and claims:
        hint = f"keep one: pip uninstall {claims[-1].package}"
        raise UsageError(f'{kind.group}: the name "{name}" is claimed by {" and by ".join(claimants)}', hint=hint)
    return claims[0] if claims else None


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no message")
