"""Whether a judge contradicts itself over three responses: a over b, b over c, c over a. Knows no record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from judges.card.bootstrap import Resampler, ratio
from judges.card.figures import Figure


def transitivity_violations(winners: Mapping[tuple[int, str, str], str], draws: Resampler) -> Figure:
    """Share of triples of responses to one prompt, each two with a winner, that go round in a circle.

    `winners` gives the winner's id by (prompt, a, b) with a < b. A judge that tosses coins would make a quarter.
    """
    beaten: defaultdict[int, dict[tuple[str, str], str]] = defaultdict(dict)
    for (prompt, a, b), winner in winners.items():
        beaten[prompt][a, b] = winner
    rows, groups = [], []
    for prompt, games in sorted(beaten.items()):
        round_, triples = _count(games)
        if triples:
            rows.append((float(round_), float(triples)))
            groups.append(prompt)
    total = int(sum(triples for _, triples in rows))
    return draws.figure(
        np.array(rows).reshape(-1, 2), np.array(groups, dtype=np.int64), ratio,
        none="no three responses to one prompt were all compared with a winner", count=total,
    )  # fmt: skip


def _count(games: Mapping[tuple[str, str], str]) -> tuple[int, int]:
    """Circles and triples among the games of one prompt."""
    names = sorted({name for pair in games for name in pair})
    circles = triples = 0
    for a, b, c in combinations(names, 3):
        won = [games.get(pair) for pair in ((a, b), (b, c), (a, c))]
        if None not in won:
            triples += 1
            circles += len(set(won)) == 3
    return circles, triples
