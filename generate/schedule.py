"""Which pairs of a prompt's samples a judge is asked about. Knows no judge and reads no text.

A full round robin asks about every pair in both orders: N samples cost N(N - 1) questions. Samples that
failed or came back empty are left out, and so is a text that an earlier sample already has, since nobody can
prefer a text to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from tenet.records import Sample


@dataclass(frozen=True, slots=True)
class Field:
    """The samples of one prompt that can be compared, and how many could not.

    `unusable` failed or came back empty; `identical` repeat the text of an earlier sample.
    """

    samples: tuple[Sample, ...]
    unusable: int = 0
    identical: int = 0

    @property
    def pairs(self) -> int:
        """How many unordered pairs there are to judge."""
        return len(self.samples) * (len(self.samples) - 1) // 2


def field_of(samples: Sequence[Sample]) -> Field:
    """Leave out what cannot be compared.

    Texts that differ in outer white space alone are identical; the first one stays.
    """
    kept: dict[str, Sample] = {}
    unusable = identical = 0
    for sample in samples:
        text = sample.text.strip()
        if not sample.usable:
            unusable += 1
        elif text in kept:
            identical += 1
        else:
            kept[text] = sample
    return Field(tuple(kept.values()), unusable, identical)


def round_robin(samples: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """Pair the comparable samples of a prompt, (shown first, shown second), each pair in both orders.

    Pairs with the same first response stand together, so that a prefix cache keeps prompt and first response
    between them. Use `field_of` for the counts of what was left out.
    """
    return list(permutations(field_of(samples).samples, 2))
