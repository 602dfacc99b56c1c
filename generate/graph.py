"""Regular graphs that say who meets whom. Knows numbers only: nodes 0 to n - 1, and no sample.

The graphs are circulants: nodes stand in a circle and each is linked to those so many places away. With the
offset 1 among them the graph is one cycle at least, so it is connected for certain. The other offsets are chosen
to make the scores that are fitted to the graph as sharp as they can be: the mean variance of a difference of two
scores is proportional to the sum of 1 / eigenvalue over the graph's Laplacian without its zero (an A-optimal
design for paired comparisons), and the eigenvalues of a circulant are known in closed form.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import cos, pi


@lru_cache(maxsize=256)
def edges(n: int, degree: int) -> tuple[tuple[int, int], ...]:
    """The edges (i < j) of a connected graph on `n` nodes in which every node has `degree` neighbours.

    Where there are no `degree` others, all pairs. An odd degree is possible on an even number of nodes only; on
    an odd number each has one neighbour more.

    Raises:
        ValueError: a degree below 2 does not link more than two nodes.
    """
    if n <= degree + 1:
        return tuple(combinations(range(n), 2))
    if degree < 2:
        raise ValueError(f"a graph of degree {degree} on {n} nodes falls apart")
    found = {(min(i, j), max(i, j)) for offset in offsets(n, degree) for i in range(n) for j in [(i + offset) % n]}
    return tuple(sorted(found))


def offsets(n: int, degree: int) -> tuple[int, ...]:
    """The offsets of the circulant, each added where it lowers `spread` most; n / 2 stands for an odd degree."""
    if degree % 2 and n % 2:
        degree += 1
    chosen = [1, *([n // 2] if degree % 2 else [])]
    while _degree(n, chosen) < degree:
        rest = [offset for offset in range(2, (n + 1) // 2) if offset not in chosen]
        chosen.append(min(rest, key=lambda offset: (round(spread(n, [*chosen, offset]), 9), offset)))
    return tuple(chosen)


def spread(n: int, chosen: list[int]) -> float:
    """The sum of 1 / eigenvalue over the circulant's Laplacian without its zero: the smaller, the sharper the fit."""
    total = 0.0
    for k in range(1, n):
        total += 1.0 / sum((1 if 2 * d == n else 2) * (1.0 - cos(2 * pi * k * d / n)) for d in chosen)
    return total


def _degree(n: int, chosen: list[int]) -> int:
    return sum(1 if 2 * offset == n else 2 for offset in chosen)
