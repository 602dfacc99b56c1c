"""A row of a stage: a record under its content key, or a failure that stays on the books.

Knows nothing of where rows are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic

from tenet.runs.codec import Codec, Plain, R

FAILED = "failed"
"""The outcome of a row without a record."""


@dataclass(frozen=True)
class Row(Generic[R]):
    """One finished or given-up unit of work.

    `key` is the unit's content key. `record` is what came of it; a failure may carry one (an outcome with its
    reason) or None. `attempts` counts the tries that this row stands for; the store adds up those of earlier
    tries.
    """

    key: str
    record: R | None
    ok: bool
    attempts: int = 1
    reason: str = ""

    def __post_init__(self) -> None:
        if self.ok and self.record is None:
            raise ValueError(f"row {self.key}: a success needs a record")


@dataclass(frozen=True, slots=True)
class PlainRow:
    """A row as files hold it: the record as plain values, one a column (all None where there is no record), and its outcome in a word."""

    key: str
    ok: bool
    attempts: int
    reason: str
    outcome: str
    values: tuple[Plain, ...]

    @classmethod
    def of(cls, row: Row[R], codec: Codec[R]) -> PlainRow:
        """Take a row apart.

        Raises:
            ValueError: a value would not come back equal; names the field.
        """
        if row.record is None:
            return cls(row.key, row.ok, row.attempts, row.reason, FAILED, (None,) * len(codec.columns))
        return cls(row.key, row.ok, row.attempts, row.reason, codec.outcome(row.record), codec.encode(row.record))

    def whole(self, codec: Codec[R]) -> Row[R]:
        """Put the row together again."""
        return Row(self.key, codec.decode(self.values), self.ok, self.attempts, self.reason)


@dataclass(frozen=True)
class Failure:
    """What the books say of a unit of work that has not succeeded yet."""

    attempts: int
    reason: str


@dataclass(frozen=True)
class Counts:
    """How the rows of a shard or a stage ended.

    `outcomes` counts by the record's own word, failures without a record as `FAILED`.
    """

    ok: int = 0
    failed: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All rows, good and bad."""
        return self.ok + self.failed

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """Add up the counts of several shards."""
        ok = failed = 0
        outcomes: dict[str, int] = {}
        for part in parts:
            ok, failed = ok + part.ok, failed + part.failed
            for name, number in part.outcomes.items():
                outcomes[name] = outcomes.get(name, 0) + number
        return cls(ok, failed, dict(sorted(outcomes.items())))
