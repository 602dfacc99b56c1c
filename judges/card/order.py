"""What the order of showing does to a judge, whether it repeats itself, and how its calls ended. Pure functions of arrays.

A question is one judge asked one principle about one pair. Its answers in the two orders are codes (`judges.card.agreement`) told of
the same a and b; failed answers are `NONE`. Knows no record.
"""

from __future__ import annotations

import numpy as np

from judges.card.agreement import NONE, A, B
from judges.card.bootstrap import Bools, Floats, Ints, Resampler, average, ratio, share
from judges.card.figures import Figure, unknown

ONE_ORDER = "no question was asked in both orders"


def position_consistency(shown_a: Ints, shown_b: Ints, groups: Ints, draws: Resampler) -> Figure:
    """Share of questions with the same verdict whichever response was shown first; two failures are the same, one alone is not."""
    return draws.figure(share(shown_a == shown_b), groups, ratio, none=ONE_ORDER)


def flip_rate(shown_a: Ints, shown_b: Ints, groups: Ints, draws: Resampler) -> Figure:
    """One less the position consistency."""
    return draws.figure(share(shown_a != shown_b), groups, ratio, none=ONE_ORDER)


def consistency_of_opinions(shown_a: Ints, shown_b: Ints, groups: Ints, draws: Resampler) -> Figure:
    """The same among questions that have an opinion in both orders."""
    both = (shown_a != NONE) & (shown_b != NONE)
    return draws.figure(
        share(shown_a[both] == shown_b[both]), groups[both], ratio, none="no question has an opinion in both orders"
    )


def first_slot_rate(shown_a: Ints, shown_b: Ints, groups: Ints, draws: Resampler) -> Figure:
    """Share of verdicts won by the response shown first, over questions asked in both orders.

    A tie or a failure is no win. The p-value is that of a binomial test against one half among verdicts that name a winner.
    """
    if not len(shown_a):
        return unknown(ONE_ORDER)
    from scipy import stats

    firsts = int((shown_a == A).sum() + (shown_b == B).sum())
    decided = int(np.isin(shown_a, (A, B)).sum() + np.isin(shown_b, (A, B)).sum())
    p_value = float(stats.binomtest(firsts, decided).pvalue) if decided else None
    rows = np.concatenate([share(shown_a == A), share(shown_b == B)])
    return draws.figure(
        rows, np.concatenate([groups, groups]), ratio, none=ONE_ORDER, more={"decided": decided, "p_value": p_value}
    )


def signed_gap(p_shown_a: Floats, p_shown_b: Floats, groups: Ints, draws: Resampler) -> Figure:
    """Mean of P(a better) when a was shown first less when b was: above 0 the first place helps. NaN: no probability."""
    known = np.isfinite(p_shown_a) & np.isfinite(p_shown_b)
    rows = np.column_stack([p_shown_a[known] - p_shown_b[known], np.ones(int(known.sum()))])
    return draws.figure(rows, groups[known], average, none="no question has a probability in both orders")


def repeat_stability(same: Bools, groups: Ints, draws: Resampler) -> Figure:
    """Share of repeated questions (same pair, order and principle) whose later answer is the first one."""
    return draws.figure(share(same), groups, ratio, none="no question was asked twice in the same order")


def outcome_rate(outcome: Bools, groups: Ints, draws: Resampler) -> Figure:
    """Share of calls that ended in this way."""
    return draws.figure(share(outcome), groups, ratio, none="no calls")


def label_mass(mass: Floats, groups: Ints, draws: Resampler) -> Figure:
    """Mean of P(A) + P(B) over the calls that tell it (NaN: not told), with the median and the tenth below."""
    known = np.isfinite(mass)
    if not known.any():
        return unknown("the judge gives no label mass")
    rows = np.column_stack([mass[known], np.ones(int(known.sum()))])
    median, tenth = (float(one) for one in np.quantile(mass[known], [0.5, 0.1]))
    return draws.figure(rows, groups[known], average, none="", more={"median": median, "lowest_tenth": tenth})
