"""Whether judges agree with one another by more than chance: what has to hold before votes alone may weigh them. Knows numbers only.

Two judges are compared on the items where each names a side (ties and votes that cancel between the orders name none). Chance is what
their own shares of side a would give, as in Cohen's kappa (1960); the share of equal answers is held against it by a one-sided binomial
test, and the p-values of all pairs are corrected together by Holm's method (1979). Items must be independent: of several pairs of one
prompt take one.

Dawid-Skene needs three judges that agree pairwise: with two, any split of their disagreements fits the votes equally well (three is the
least number that identifies accuracies; Zhang et al. 2016). Agreement is necessary, not sufficient: judges with one fault in common
agree too.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from judges.reliability.votes import Votes
from tenet.errors import UsageError

SIGNIFICANCE: Final = 0.05
LEAST_JUDGES: Final = 3


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two judges, by place: over `items` both named a side of, how often the same, Cohen's kappa (nan where chance is certain
    agreement), and the p-value of the agreement after Holm's correction; `above_chance` at `SIGNIFICANCE`.
    """

    first: int
    second: int
    items: int
    agreed: float
    kappa: float
    p_value: float
    above_chance: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """All pairs of judges, and `circle`: the largest group of judges each two of which agree above chance (the first by places)."""

    pairs: tuple[PairAgreement, ...]
    circle: tuple[int, ...]


def agreement(votes: Votes) -> Agreement:
    """Test every pair of judges; pairs that share no item count as not agreeing."""
    from scipy.stats import binomtest
    from statsmodels.stats.multitest import multipletests

    sides = np.sign(np.round(votes.net, 9))
    found: list[tuple[int, int, int, float, float, float]] = []
    for i, j in combinations(range(votes.judges), 2):
        both = (sides[:, i] != 0) & (sides[:, j] != 0)
        n = int(both.sum())
        if n == 0:
            found.append((i, j, 0, np.nan, np.nan, 1.0))
            continue
        same = int((sides[both, i] == sides[both, j]).sum())
        a_i, a_j = float((sides[both, i] > 0).mean()), float((sides[both, j] > 0).mean())
        chance = a_i * a_j + (1.0 - a_i) * (1.0 - a_j)
        kappa = (same / n - chance) / (1.0 - chance) if chance < 1.0 else np.nan
        found.append((i, j, n, same / n, kappa, float(binomtest(same, n, min(chance, 1.0), "greater").pvalue)))
    if not found:
        return Agreement((), tuple(range(votes.judges)))
    passed, corrected, *_ = multipletests([one[-1] for one in found], alpha=SIGNIFICANCE, method="holm")
    pairs = tuple(
        PairAgreement(i, j, n, agreed, kappa, float(p), bool(above))
        for (i, j, n, agreed, kappa, _), p, above in zip(found, corrected, passed, strict=True)
    )
    return Agreement(
        pairs, _largest_circle(votes.judges, {(one.first, one.second) for one in pairs if one.above_chance})
    )


def require_agreement(votes: Votes, names: tuple[str, ...]) -> Agreement:
    """The agreement of judges whose votes alone are to weigh them.

    Raises:
        UsageError: fewer than `LEAST_JUDGES` agree pairwise above chance; the message names them, the hint the cures.
    """
    found = agreement(votes)
    if len(found.circle) >= LEAST_JUDGES:
        return found
    told = "; ".join(
        f"{names[one.first]} and {names[one.second]} on {one.agreed:.1%} of {one.items:,}, p = {one.p_value:.2g}"
        if one.items else f"{names[one.first]} and {names[one.second]} share no item"
        for one in found.pairs
    )  # fmt: skip
    raise UsageError(
        f"the judges cannot be weighted by their votes alone: that takes {LEAST_JUDGES} judges which agree pairwise above chance, and "
        f"{'no two' if len(found.circle) < 2 else f'only {len(found.circle)}'} of {votes.judges} do ({told or 'one judge alone'})",
        hint="give human anchors: --anchors labels.jsonl; or name one judge. An equal vote is never used in their place.",
    )


def _largest_circle(judges: int, edges: set[tuple[int, int]]) -> tuple[int, ...]:
    """The largest set of judges that are all linked pairwise, by growing sets in the order of places."""
    best: tuple[int, ...] = (0,)
    growing: list[tuple[int, ...]] = [(one,) for one in range(judges)]
    while growing:
        best = growing[0]
        growing = [
            (*held, more) for held in growing for more in range(held[-1] + 1, judges)
            if all((one, more) in edges for one in held)
        ]  # fmt: skip
    return best
