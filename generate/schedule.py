"""Which pairs of a prompt's samples a judge is asked about. Knows no judge, reads no text and fits nothing.

Samples that failed or came back empty are left out, and so is a text that an earlier sample already has, since
nobody can prefer a text to itself. Of the rest a schedule is a pure rule: given their ids and what the pairs
settled so far came to, it names the pairs owed next; an empty answer means done. `generate.orders` decides in
which order, or in both, a pair is shown, `generate.rank` fits what was answered.

| kind | pairs of N samples | rounds |
|---|---|---|
| round robin | N(N - 1) / 2 | 1 |
| regular | N x degree / 2: every sample meets `degree` others (`generate.graph`) | 1 |
| knockout | about 3N / 2: winners play on for the best, losers for the worst | 1 + log2(N / 2) |

Places in a graph or a bracket follow from (seed, prompt id, sample id), never from the order of the samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Protocol

from generate.graph import edges
from tenet.ids import content_id
from tenet.records import Sample

if TYPE_CHECKING:
    from tenet.runconfig import ScheduleConfig

Pair = tuple[str, str]
"""Two sample ids, the smaller first."""
Results = Mapping[Pair, float | None]
"""P(the first of the pair is better) of every settled pair; None where no question about it got an opinion."""

FULL_UP_TO = 7
"""Most samples that `auto` compares in full; up to 5 a 4-regular graph would be the full one anyway."""


@dataclass(frozen=True, slots=True)
class Field:
    """The samples of one prompt that can be compared, and how many could not.

    `unusable` failed or came back empty; `identical` repeat the text of an earlier sample.
    """

    samples: tuple[Sample, ...]
    unusable: int = 0
    identical: int = 0

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the samples, in their order."""
        return tuple(sample.id for sample in self.samples)

    @property
    def pairs(self) -> int:
        """How many unordered pairs there are."""
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


class Schedule(Protocol):
    """A rule that names pairs. Pure: equal arguments give equal answers, in whatever order the ids come."""

    @property
    def adaptive(self) -> bool:
        """Whether later pairs depend on what earlier ones came to."""
        ...

    def owed(self, prompt_id: str, ids: Sequence[str], results: Results) -> list[Pair]:
        """Name the pairs to be settled next, sorted; empty where all that is needed is settled."""
        ...

    def pairs(self, n: int) -> int:
        """Count the pairs that `n` samples come to in all; it does not depend on any result."""
        ...

    def rounds(self, n: int) -> int:
        """Count the rounds that `n` samples take: each waits for the results of the one before."""
        ...


@dataclass(frozen=True)
class RoundRobin:
    """Every pair."""

    adaptive: bool = False

    def owed(self, prompt_id: str, ids: Sequence[str], results: Results) -> list[Pair]:  # noqa: ARG002
        """Every pair without a result."""
        return [pair for pair in combinations(sorted(ids), 2) if pair not in results]

    def pairs(self, n: int) -> int:
        """N(N - 1) / 2."""
        return n * (n - 1) // 2

    def rounds(self, n: int) -> int:
        """One, if there is a pair."""
        return int(n > 1)


@dataclass(frozen=True)
class Regular:
    """A connected graph in which every sample meets `degree` others; every pair where there are no more than that.

    An odd degree needs an even number of samples; with an odd number each sample meets one more.
    """

    degree: int = 4
    seed: int = 0
    adaptive: bool = False

    def owed(self, prompt_id: str, ids: Sequence[str], results: Results) -> list[Pair]:
        """The edges of the graph without a result."""
        order = shuffled(self.seed, prompt_id, ids)
        found = sorted(pair_of(order[i], order[j]) for i, j in edges(len(order), self.degree))
        return [pair for pair in found if pair not in results]

    def pairs(self, n: int) -> int:
        """N x degree / 2, or all of them where that is fewer."""
        return len(edges(n, self.degree))

    def rounds(self, n: int) -> int:
        """One, if there is a pair."""
        return int(n > 1)


@dataclass(frozen=True)
class Knockout:
    """A first round of disjoint pairs; then the winners play on to the best, and the losers to the worst.

    One that has nobody to play is in both halves after the first round, and goes on unplayed after that. A tie,
    or a pair without an opinion, is decided by the draw of the bracket, so that the number of pairs is fixed:
    floor(N / 2) + 2 ceil(N / 2) - 2.
    """

    seed: int = 0
    adaptive: bool = True

    def owed(self, prompt_id: str, ids: Sequence[str], results: Results) -> list[Pair]:
        """The pairs of the earliest round that has one without a result."""
        order = shuffled(self.seed, prompt_id, ids)
        up = down = order
        while len(up) > 1 or len(down) > 1:
            winners, losers = _played(up, results, best=True), _played(down, results, best=False)
            if owed := {*winners.owed, *losers.owed}:
                return sorted(owed)
            up, down = winners.left, losers.left
        return []

    def pairs(self, n: int) -> int:
        """Count the pairs of the first round and of both halves."""
        return n // 2 + 2 * ((n + 1) // 2 - 1) if n > 1 else 0

    def rounds(self, n: int) -> int:
        """Count the first round and the rounds of a half."""
        return 1 + ((n + 1) // 2 - 1).bit_length() if n > 1 else 0


@dataclass(frozen=True)
class Auto:
    """A full round robin up to `FULL_UP_TO` samples, a regular graph from there on."""

    degree: int = 4
    seed: int = 0
    adaptive: bool = False

    def owed(self, prompt_id: str, ids: Sequence[str], results: Results) -> list[Pair]:
        """The pairs without a result of the schedule that fits the number of samples."""
        return self._of(len(ids)).owed(prompt_id, ids, results)

    def pairs(self, n: int) -> int:
        """Count the pairs of the schedule that fits `n`."""
        return self._of(n).pairs(n)

    def rounds(self, n: int) -> int:
        """One, if there is a pair."""
        return int(n > 1)

    def _of(self, n: int) -> Schedule:
        return RoundRobin() if n <= FULL_UP_TO else Regular(self.degree, self.seed)


def make_schedule(config: ScheduleConfig, seed: int) -> Schedule:
    """The schedule that a run's configuration names; `seed` is the run's."""
    made: dict[str, Schedule] = {
        "round-robin": RoundRobin(),
        "regular": Regular(config.degree, seed),
        "knockout": Knockout(seed),
        "auto": Auto(config.degree, seed),
    }
    return made[config.kind]


def pair_of(one: str, other: str) -> Pair:
    """The pair of two ids, the smaller first."""
    return (one, other) if one < other else (other, one)


def shuffled(seed: int, prompt_id: str, ids: Sequence[str]) -> list[str]:
    """The ids in an order that looks random and depends on their content alone."""
    return list(_shuffled(seed, prompt_id, tuple(sorted(ids))))


@lru_cache(maxsize=4096)
def _shuffled(seed: int, prompt_id: str, ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(ids, key=lambda name: (content_id("place", seed, prompt_id, name), name)))


@dataclass(frozen=True, slots=True)
class _Played:
    """One round of a half: who is left, and which pairs have no result yet."""

    left: list[str]
    owed: list[Pair]


def _played(order: Sequence[str], results: Results, *, best: bool) -> _Played:
    """Play neighbours against each other; the better (or with `best` false the worse) one of each is left."""
    left: list[str] = []
    owed: list[Pair] = []
    for one, other in zip(order[::2], order[1::2], strict=False):
        pair = pair_of(one, other)
        if pair not in results:
            owed.append(pair)
            continue
        p = results[pair]
        p_one = 0.5 if p is None else p if pair[0] == one else 1.0 - p
        left.append(one if (p_one >= 0.5) is best else other)
    return _Played(left + list(order[len(order) // 2 * 2 :]), owed)
