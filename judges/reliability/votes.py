"""The votes of several judges on the same two-sided items as counts, the form that every estimator here reads. Knows no text.

An item is a question with two sides, a and b: which of two responses is better, say. A judge may give several votes on an item (each
order of a pair is one) or none. A tie is half a vote for each side: it moves no item, and draws its judge's accuracy towards one half.
What is no opinion (an unparsed answer, a refusal) is no vote and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tenet.errors import UsageError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Votes:
    """Counts of votes for side a and for side b, both [items, judges]; a tie is half a vote in each."""

    for_a: Array
    for_b: Array

    @classmethod
    def of(cls, sides: ArrayLike) -> Votes:
        """Count votes told as 1 (a), -1 (b), 0 (tie) or nan (no vote), [items, judges] or [items, judges, votes of a judge].

        Raises:
            UsageError: another number, another shape, or no item.
        """
        told = np.asarray(sides, dtype=np.float64)
        told = told[..., None] if told.ndim == 2 else told
        if told.ndim != 3 or 0 in told.shape:
            raise UsageError(
                f"votes have the shape {told.shape}", hint="give [items, judges] or [items, judges, votes]"
            )
        given = ~np.isnan(told)
        if not np.isin(told[given], (-1.0, 0.0, 1.0)).all():
            raise UsageError(
                "a vote is 1 (a), -1 (b), 0 (tie) or nan (none)", hint="turn probabilities with Votes.hard"
            )
        heard = np.where(given, told, 0.0)
        return cls((given * (1.0 + heard) / 2.0).sum(axis=2), (given * (1.0 - heard) / 2.0).sum(axis=2))

    @classmethod
    def hard(cls, p_a: ArrayLike) -> Votes:
        """Count P(a is better), shaped as in `of`, as votes for the likelier side; exactly one half is a tie, nan no vote.

        Raises:
            UsageError: a number outside [0, 1], another shape, or no item.
        """
        told = np.asarray(p_a, dtype=np.float64)
        if ((told < 0.0) | (told > 1.0)).any():
            raise UsageError("a probability is outside [0, 1]", hint="pass nan where a judge gave none")
        return cls.of(np.sign(told - 0.5))

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.for_a)

    @property
    def judges(self) -> int:
        """How many judges there are."""
        return int(self.for_a.shape[1])

    @property
    def counts(self) -> Array:
        """How many votes each judge gave on each item, [items, judges]."""
        return self.for_a + self.for_b

    @property
    def net(self) -> Array:
        """Votes for a less votes for b, [items, judges]."""
        return self.for_a - self.for_b

    @property
    def leaning(self) -> Array:
        """The mean vote of each judge on each item, in [-1, 1]; 0 where it gave none. Two orders are one opinion, not two."""
        counts = self.counts
        return np.asarray(np.divide(self.net, counts, out=np.zeros_like(counts), where=counts > 0))

    @property
    def once(self) -> Votes:
        """The same with one vote for each judge and item: its mean vote, so that orders which contradict each other are a tie."""
        given, leaning = (self.counts > 0).astype(float), self.leaning
        return Votes(given * (1.0 + leaning) / 2.0, given * (1.0 - leaning) / 2.0)

    def take(self, items: ArrayLike) -> Votes:
        """The votes on some of the items, by index or by mask."""
        at = np.asarray(items)
        return Votes(self.for_a[at], self.for_b[at])

    def by(self, judges: ArrayLike) -> Votes:
        """The votes of some of the judges, by index or by mask."""
        at = np.asarray(judges)
        return Votes(self.for_a[:, at], self.for_b[:, at])


def equal_vote(votes: Votes) -> NDArray[np.int_]:
    """The side with more votes on each item, 1 or -1; 0 where they are equal."""
    return np.asarray(np.sign(np.round(votes.net.sum(axis=1), 9)), dtype=np.int_)


def share_right(sides: ArrayLike, truth: ArrayLike, *, tie: float = 0.0) -> float:
    """The share of items whose side (1, -1, or 0 for undecided) is the true one; an undecided item counts `tie`."""
    said, true = np.asarray(sides), np.asarray(truth)
    return float(np.where(said == 0, tie, said == true).mean())
