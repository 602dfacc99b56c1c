"""What a card says of the people themselves, and of how annotators, people or judges, agree two by two. Knows no run folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np

from judges.card import agreement, lengths
from judges.card.agreement import NONE, TIE
from judges.card.bootstrap import Ints, Resampler, ratio, share
from judges.card.figures import Figure, unknown
from judges.card.gather import CardData, code_of
from tenet.ids import Json

MOST: Final = 12
"""Annotators beyond which they are not held against each other two by two."""


def people_figures(data: CardData, draws: Resampler) -> dict[str, Figure]:
    """How far people agree with each other, and whether they prefer length."""
    opinions, groups = data.opinions, data.prompt_of
    several = (opinions != NONE).sum(axis=1) >= 2
    counts = agreement.counts_of(opinions)
    known = np.isfinite(data.gap)
    return {
        "krippendorff_alpha": agreement.krippendorff_alpha(opinions, groups, draws),
        "fleiss_kappa": agreement.fleiss_kappa(opinions, groups, draws),
        "human_ceiling": agreement.human_ceiling(opinions, groups, draws),
        "unanimous": draws.figure(
            share(counts[several].max(axis=1) == counts[several].sum(axis=1)),
            groups[several],
            ratio,
            none="no pair has two opinions",
        ),
        "tie_rate": draws.figure(
            share(data.truth[data.truth != NONE] == TIE),
            groups[data.truth != NONE],
            ratio,
            none="no pair has a majority",
        ),
        "longer_rate": lengths.longer_rate(data.truth[known], data.gap[known], groups[known], draws),
    }


def people_counts(data: CardData) -> dict[str, Json]:
    """How many labels there are, on how many pairs, by whom, and what the majority says."""
    said = Counter(data.truth.tolist())
    return {
        "labels": data.labels,
        "labels_of_other_pairs": data.unmatched,
        "annotators": len(data.annotators),
        "pairs": data.labelled,
        "majority": {"a": said[agreement.A], "b": said[agreement.B], "tie": said[TIE]},
        "no_majority": data.labelled - sum(said[code] for code in (agreement.A, agreement.B, TIE)),
    }


def between(data: CardData, draws: Resampler) -> dict[str, dict[str, Figure]]:
    """Annotators two by two, people among themselves and judges among themselves, under `ONE~OTHER`."""
    people = {name: data.opinions[:, place] for place, name in enumerate(data.annotators)}
    found: dict[str, dict[str, Figure]] = {}
    for columns, judged in ((people, False), (_judged(data), True)):
        if len(columns) > MOST:
            continue
        for one, other in combinations(sorted(columns), 2):
            found[f"{one}~{other}"] = _two(columns[one], columns[other], data, draws, judged=judged)
    return found


_NOT_ASKED: Final = -2


def _judged(data: CardData) -> Mapping[str, Ints]:
    """The verdict of each judge on every pair: combined, `NONE` where it failed, `_NOT_ASKED` where it was not asked."""
    columns: dict[str, Ints] = {}
    for name, rows in data.judges.items():
        column = np.full(len(data.ends), _NOT_ASKED, dtype=np.int64)
        column[rows.call_pair] = NONE
        for pair, p in rows.p_a.items():
            column[pair] = code_of(p)
        columns[name] = column
    return columns


def _two(one: Ints, other: Ints, data: CardData, draws: Resampler, *, judged: bool) -> dict[str, Figure]:
    """Agreement over pairs that both were asked about (a failure agrees with nothing), and kappa where both have an opinion."""
    asked = (one > _NOT_ASKED) & (other > _NOT_ASKED) if judged else (one != NONE) & (other != NONE)
    mine, theirs, groups = one[asked], other[asked], data.prompt_of[asked]
    found = {
        "agreement": draws.figure(
            share((mine == theirs) & (mine != NONE)), groups, ratio, none="no pair has an opinion of both"
        ),
        "cohen_kappa": agreement.cohen_kappa(mine, theirs, groups, draws),
    }
    if judged:
        found["right_where_agreed"] = (
            agreement.right_where_agreed(mine, theirs, data.truth[asked], groups, draws)
            if data.labelled
            else unknown("no labels of people: unvalidated")
        )
    return found
