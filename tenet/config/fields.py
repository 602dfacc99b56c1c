"""What a configuration field may say beyond its type: ranges, shapes, paths, and complaints that only several
values together raise.

Used as `Annotated[int, AtLeast(1)]` on the fields of a configuration dataclass. Knows no file and no
dataclass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Protocol, runtime_checkable

from tenet.plugins import Kind, names

Pointer = tuple[str | int, ...]


@dataclass(frozen=True)
class AtLeast:
    """A number of at least `low`."""

    low: float

    def objection(self, value: object) -> str:
        """What is wrong with the value; empty if nothing."""
        return "" if isinstance(value, int | float) and value >= self.low else f"must be at least {self.low:g}"


@dataclass(frozen=True)
class MoreThan:
    """A number above `low`."""

    low: float

    def objection(self, value: object) -> str:
        """What is wrong with the value; empty if nothing."""
        return "" if isinstance(value, int | float) and value > self.low else f"must be more than {self.low:g}"


@dataclass(frozen=True)
class LessThan:
    """A number below `high`."""

    high: float

    def objection(self, value: object) -> str:
        """What is wrong with the value; empty if nothing."""
        return "" if isinstance(value, int | float) and value < self.high else f"must be less than {self.high:g}"


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both allowed."""

    low: float
    high: float

    def objection(self, value: object) -> str:
        """What is wrong with the value; empty if nothing."""
        fits = isinstance(value, int | float) and self.low <= value <= self.high
        return "" if fits else f"must lie between {self.low:g} and {self.high:g}"


@dataclass(frozen=True)
class Shape:
    """A text that matches `pattern` as a whole; `words` says so to people ("must be ...")."""

    pattern: str
    words: str

    def objection(self, value: object) -> str:
        """What is wrong with the value; empty if nothing."""
        return "" if isinstance(value, str) and re.fullmatch(self.pattern, value) else f"must be {self.words}"


@dataclass(frozen=True)
class Named:
    """A name: one of Tenet's `own`, or of an installed plug-in of `kind`. Plug-ins are looked for where it is none of the own."""

    own: tuple[str, ...]
    kind: Kind

    def knows(self, name: object) -> bool:
        """Whether something has this name."""
        return name in self.own or name in names(self.kind)

    @property
    def all(self) -> tuple[str, ...]:
        """Every name, Tenet's own first."""
        return tuple(dict.fromkeys((*self.own, *names(self.kind))))


class Resolve(Enum):
    """How a text that may be a path is read: relative ones are meant from the file's folder (of flags, from
    the current one).

    ALWAYS is a file or folder that has to be there. IF_THERE is a path where it looks like one (`./`, `../`,
    `/`, `~`) or where something of that name is there, and a name otherwise: a shipped principles file, a
    model of a hub.
    """

    ALWAYS = "always"
    IF_THERE = "if there"


InputPath = Annotated[str, Resolve.ALWAYS]
ModelRef = Annotated[str, Resolve.IF_THERE]


@dataclass(frozen=True)
class Complaint:
    """What several values together get wrong; `key` is where to point, relative to the dataclass that
    complains.
    """

    key: Pointer
    message: str
    hint: str = ""


@runtime_checkable
class Complaining(Protocol):
    """A configuration dataclass with rules across its fields."""

    def complaints(self) -> Iterable[Complaint]:
        """Name everything that contradicts something else."""
        ...
