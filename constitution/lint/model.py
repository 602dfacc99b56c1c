"""The nouns of lint: a rule, what it looks at, a hit, and the finding that it becomes. Knows no single rule and no output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from constitution.load import Loaded
from constitution.merge import Place
from constitution.model import Principle, Status
from tenet.records import Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Severity(StrEnum):
    """How bad a finding is. ERROR: labels made with the file would be wrong or wasted. WARNING: they may be."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Hit:
    """What a rule says of one place; `principle` is the id of the one concerned, empty where it is the whole file."""

    place: Place
    message: str
    principle: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Rule:
    """One thing that lint looks for. `id` is a contract; `needs` names the option without which it does not run.

    `check` is None for what loading a file or reading its silences finds.
    """

    id: str
    name: str
    severity: Severity
    summary: str
    cure: str
    check: Callable[[Subject], Iterator[Hit]] | None = None
    needs: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing wrong: rule, place (line and column from 1; None where a file has no lines), reason and cure.

    `silenced` is the reason that the file gives for living with it; None where it does not.
    """

    rule: Rule
    message: str
    cure: str
    path: Path | None = None
    line: int | None = None
    column: int | None = None
    principle: str = ""
    silenced: str | None = None

    @property
    def severity(self) -> Severity:
        """That of its rule."""
        return self.rule.severity


Embed = Callable[[Sequence[str]], "NDArray[np.float32]"]
"""Texts [n] to unit vectors [n, d]."""
Judge = Callable[[Sequence[tuple[Principle, Principle]]], Sequence[float | None]]
"""Pairs of principles to P(no response can follow both); None where the judge gave no usable answer."""


@dataclass(frozen=True)
class Options:
    """What lint is given beside the file: prompts, a model that embeds, a model that judges; and how close is close.

    `close` is the share of words, and `close_embedding` the cosine, from which two texts are near duplicates. The judge is asked
    about the `most_pairs` closest pairs.
    """

    prompts: Sequence[Prompt] | None = None
    embed: Embed | None = None
    judge: Judge | None = None
    close: float = 0.75
    close_embedding: float = 0.9
    most_pairs: int = 200

    @property
    def given(self) -> frozenset[str]:
        """The options that rules may need and that are there."""
        there = {PROMPTS: self.prompts, EMBEDDINGS: self.embed, JUDGE: self.judge}
        return frozenset(name for name, value in there.items() if value is not None)


PROMPTS: Final = "--prompts"
EMBEDDINGS: Final = "--embeddings"
JUDGE: Final = "--judge"


@dataclass(frozen=True)
class Subject:
    """What rules look at: a loaded file with its places, and the options."""

    loaded: Loaded
    options: Options = field(default_factory=Options)

    @property
    def principles(self) -> tuple[Principle, ...]:
        """The principles that count: those that are kept only for the record are left alone."""
        return tuple(one for one in self.loaded.constitution.principles if one.status is not Status.RETIRED)

    def place(self, principle: Principle, name: str) -> Place:
        """Where a field of a principle is written, or the principle itself where it is not."""
        draft = self.loaded.drafts[principle.id]
        return draft.written.get(name, draft.place)

    def hit(self, principle: Principle, name: str, message: str, cure: str = "") -> Hit:
        """Say something of a field of a principle."""
        return Hit(self.place(principle, name), message, principle.id, cure)
