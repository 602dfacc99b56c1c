"""How far annotators agree: accuracy, Cohen's and Fleiss' kappa, Krippendorff's alpha, the human ceiling, the alt-test.

Pure functions of arrays. An opinion is a code: 0 for a, 1 for b, 2 for a tie, `NONE` where there is none. Knows no record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from judges.card.bootstrap import Bools, Floats, Ints, Resampler, ratio, share
from judges.card.figures import Figure, unknown
from tenet.ids import Json

A: Final = 0
B: Final = 1
TIE: Final = 2
NONE: Final = -1
CODES: Final = 3
FEWEST_ITEMS: Final = 30


def accuracy(said: Ints, truth: Ints, groups: Ints, draws: Resampler, weights: Floats | None = None) -> Figure:
    """Share of verdicts that name what people do; one that is no opinion is wrong. Rows without a `truth` are left out."""
    known = truth != NONE
    rows = share(said[known] == truth[known], None if weights is None else weights[known])
    more: dict[str, Json] = {"weighted": True} if len(np.unique(rows[:, 1])) > 1 else {}
    return draws.figure(rows, groups[known], ratio, none="no verdict is about a pair on which people agree", more=more)


def tables(one: Ints, other: Ints, weights: Floats | None = None) -> Floats:
    """Contingency rows: a one in the cell (row's code, column's code) of a flattened table; (n, 9)."""
    cells = np.zeros((len(one), CODES * CODES))
    cells[np.arange(len(one)), one * CODES + other] = 1.0 if weights is None else weights
    return cells


def kappa_of(sums: Floats) -> Floats:
    """Cohen's kappa of flattened tables (..., 9); NaN where chance agreement is complete (Cohen 1960)."""
    table = sums.reshape(*sums.shape[:-1], CODES, CODES)
    total = table.sum(axis=(-2, -1))
    seen = np.trace(table, axis1=-2, axis2=-1) / total
    chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2
    return np.asarray(np.where(chance < 1.0, (seen - chance) / (1.0 - chance), np.nan))


def cohen_kappa(one: Ints, other: Ints, groups: Ints, draws: Resampler, weights: Floats | None = None) -> Figure:
    """Agreement beyond chance of two annotators where both have an opinion."""
    both = (one != NONE) & (other != NONE)
    if not both.any():
        return unknown("no pair has an opinion of both")
    rows = tables(one[both], other[both], None if weights is None else weights[both])
    return draws.figure(
        rows, groups[both], kappa_of, none="both gave the same single answer throughout, so chance explains all"
    )


def counts_of(opinions: Ints) -> Ints:
    """How many annotators said each code: (items, annotators) to (items, 3)."""
    return np.stack([(opinions == code).sum(axis=1) for code in range(CODES)], axis=1)


def krippendorff_alpha(opinions: Ints, groups: Ints, draws: Resampler) -> Figure:
    """Nominal alpha over items with at least two opinions, any number of annotators (Krippendorff 2011, coincidences)."""
    counts = counts_of(opinions).astype(np.float64)
    several = counts.sum(axis=1) >= 2
    counts, own = counts[several], groups[several]
    if not len(counts):
        return unknown("no pair has two opinions")
    return draws.figure(
        coincidences(counts), own, alpha_of, none="all opinions are the same, so nothing can be told from chance"
    )


def coincidences(counts: Floats) -> Floats:
    """An item's coincidence matrix, flattened: ordered pairs of its values over one less than their number; (n, 9)."""
    values = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, range(CODES), range(CODES)] -= counts
    return np.asarray((pairs / (values - 1.0)[:, None, None]).reshape(len(counts), -1))


def alpha_of(sums: Floats) -> Floats:
    """1 - observed over expected disagreement, of flattened coincidences (..., 9); NaN where one value alone was used."""
    table = sums.reshape(*sums.shape[:-1], CODES, CODES)
    values = table.sum(axis=-1)
    total = values.sum(axis=-1)
    observed = total - np.trace(table, axis1=-2, axis2=-1)
    expected = (total**2 - (values**2).sum(axis=-1)) / (total - 1.0)
    return np.asarray(np.where(expected > 0.0, 1.0 - observed / expected, np.nan))


def fleiss_kappa(opinions: Ints, groups: Ints, draws: Resampler) -> Figure:
    """Fleiss' kappa over items that all annotators have an opinion of (Fleiss 1971); checked against statsmodels in tests."""
    if opinions.shape[1] < 2:
        return unknown("fewer than two annotators")
    full = (opinions != NONE).all(axis=1)
    if not full.any():
        return unknown("no pair has an opinion of every annotator")
    counts = counts_of(opinions[full]).astype(np.float64)
    raters = float(opinions.shape[1])
    agreed = (counts * (counts - 1.0)).sum(axis=1) / (raters * (raters - 1.0))
    rows = np.column_stack([counts / raters, agreed, np.ones(len(counts))])

    def statistic(sums: Floats) -> Floats:
        n = sums[..., -1]
        seen = sums[..., -2] / n
        chance = ((sums[..., :CODES] / n[..., None]) ** 2).sum(axis=-1)
        return np.asarray(np.where(chance < 1.0, (seen - chance) / (1.0 - chance), np.nan))

    return draws.figure(
        rows, groups[full], statistic, none="all opinions are the same, so nothing can be told from chance"
    )


def majority(counts: Ints) -> Ints:
    """What most say, of counts by code (items, 3); `NONE` where no single answer has the most votes."""
    most = counts.max(axis=1)
    alone = (counts == most[:, None]).sum(axis=1) == 1
    return np.where(alone & (most > 0), counts.argmax(axis=1), NONE)


def _without(counts: Ints, own: Ints) -> Ints:
    """The counts of the others, for items on which `own` (n,) are opinions that were counted."""
    rest = counts.copy()
    rest[np.arange(len(own)), own] -= 1
    return rest


def human_ceiling(opinions: Ints, groups: Ints, draws: Resampler) -> Figure:
    """Share of opinions that name the majority of the other annotators of the pair, where the others have one (leave one out).

    At least two others: a single other annotator would make this plain agreement.
    """
    counts = counts_of(opinions)
    rows: list[Floats] = []
    groups_of: list[Ints] = []
    for place in range(opinions.shape[1]):
        told = (opinions[:, place] != NONE) & (counts.sum(axis=1) >= 3)
        own = opinions[told, place]
        rest = majority(_without(counts[told], own))
        rows.append(share(own[rest != NONE] == rest[rest != NONE]))
        groups_of.append(groups[told][rest != NONE])
    if not sum(len(one) for one in rows):
        return unknown("no pair has opinions of three annotators: leave-one-out needs a majority of the others")
    return draws.figure(np.concatenate(rows), np.concatenate(groups_of), ratio, none="")


def alt_test(said: Ints, opinions: Ints, *, epsilon: float = 0.1, level: float = 0.05) -> Figure:
    """Whether the judge may stand in for an annotator: its winning rate over them (Calderon, Reichart and Dror 2025).

    For each annotator the judge's agreement with the others is held against that annotator's, pair by pair; the share of
    annotators over whom the judge is no worse by more than `epsilon` (one-sided t-tests, Benjamini-Yekutieli at `level`) is
    the winning rate, and the judge passes at half or more. `said` (items,) is one opinion of the judge an item. No
    bootstrap: the test has its own distribution.
    """
    from scipy import stats

    counts = counts_of(opinions)
    p_values: list[float] = []
    advantages: list[float] = []
    for place in range(opinions.shape[1]):
        told = (opinions[:, place] != NONE) & (counts.sum(axis=1) >= 2) & (said != NONE)
        if told.sum() < FEWEST_ITEMS:
            continue
        own = opinions[told, place]
        rest = _without(counts[told], own)
        here, others = np.arange(len(own)), rest.sum(axis=1)
        judge, person = rest[here, said[told]] / others, rest[here, own] / others
        advantages.append(float((judge >= person).mean()))
        gap = (person >= judge).astype(float) - (judge >= person)
        if gap.std() == 0.0:
            p_values.append(0.0 if gap.mean() < epsilon else 1.0)
        else:
            p_values.append(float(stats.ttest_1samp(gap, epsilon, alternative="less").pvalue))
    if not p_values:
        return unknown(f"fewer than {FEWEST_ITEMS} pairs with opinions of two annotators and of the judge")
    rejected = _benjamini_yekutieli(p_values, level)
    rate = sum(rejected) / len(rejected)
    more = {"epsilon": epsilon, "advantage": float(np.mean(advantages)), "passes": rate >= 0.5}
    return Figure(rate, count=len(p_values), more=more)


def _benjamini_yekutieli(p_values: Sequence[float], level: float) -> list[bool]:
    from statsmodels.stats.multitest import multipletests

    return [bool(one) for one in multipletests(p_values, alpha=level, method="fdr_by")[0]]


def right_where_agreed(one: Ints, other: Ints, truth: Ints, groups: Ints, draws: Resampler) -> Figure:
    """Of the pairs where two judges say the same, the share on which they are right."""
    same: Bools = (one == other) & (one != NONE) & (truth != NONE)
    return draws.figure(
        share(one[same] == truth[same]), groups[same], ratio, none="the two never agree on a labelled pair"
    )
