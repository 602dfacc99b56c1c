"""Chooses which pairs of a ranked prompt to train on. Knows no text and asks no judge.

`p_chosen` is what the judge said of this very pair, both orders averaged; where the pair was not judged in
both orders (or in one, where no more was asked for) it is the probability that the fitted scores give. Either way
it is selected, not sampled: the best of N is partly the luckiest of N, so p of a best-vs-worst pair runs high (the
winner's curse), more so as N grows. Calibrate and score a judge on pairs chosen this way, never on a random sample
of all pairs, and the two effects meet.

Scores of responses that no chain of judgements links cannot be compared: the best, the worst and the random one are
looked for in the largest linked group (`generate.rank.parts`).

Where people's labels are there, p goes through the fit that was made on them before it becomes `p_chosen`, and a pair whose p is
not sure enough for the agreement that was asked for is put aside for people (`generate.calibrated`). Scores and margins stay as
the judge gave them.

A pair whose direct comparison and ranking do not name the same winner is left out: one of the two is wrong,
and nothing here can say which. A tie (p = 0.5) is a row worth training on, since it says that the gap should
be nil; it is kept only if asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from generate.calibrated import AS_GIVEN, Labelling
from generate.rank import both_orders, parts, scores_of
from judges.probability import sigmoid
from tenet.errors import UsageError
from tenet.ids import content_id, unit_interval
from tenet.records import Preference, PreferencePair, Ranking

if TYPE_CHECKING:
    from tenet.runconfig import PairsConfig

_EVEN = 1e-9


class LeftOut(StrEnum):
    """Why a candidate pair is not in the dataset."""

    NO_OPINION = "no response pair was judged"
    NOT_JUDGED = "fewer than two responses were judged in both orders"
    TIE = "a tie"
    MARGIN = "margin below min_margin"
    CONTRADICTED = "the direct comparison and the ranking do not name the same winner"
    FOR_PEOPLE = "left to people: the judge is not sure enough for the agreement that was asked for"


@dataclass(frozen=True, slots=True)
class Selection:
    """The pairs of one prompt, why how many candidates were left out (1 where nothing was judged), and those left to people."""

    pairs: tuple[PreferencePair, ...]
    left_out: Mapping[LeftOut, int] = field(default_factory=dict)
    for_people: tuple[PreferencePair, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """All principles that a prompt's pairs were judged by, and their wordings."""

    principles: tuple[str, ...]
    versions: tuple[str, ...]


def select(ranking: Ranking, preferences: Iterable[Preference], config: PairsConfig, seed: int) -> list[PreferencePair]:
    """Choose the pairs of one prompt; see `choose`, which also counts what was left out."""
    return list(choose(ranking, preferences, config, seed).pairs)


def choose(
    ranking: Ranking, preferences: Iterable[Preference], config: PairsConfig, seed: int, *, one_order: bool = False,
    labelling: Labelling = AS_GIVEN,
) -> Selection:  # fmt: skip
    """Choose the pairs of one prompt; `one_order` as the ranking was made (see `generate.rank.rank`), `labelling` makes `p_chosen` of p.

    `config.select`: `best-vs-worst`; `best-vs-random` (the other response drawn by content of `seed`, so it
    is the same on every run); `all`, every pair judged in both orders (or in one, with `one_order`), each
    weighing one over the pairs of its prompt. `config.min_margin` is in log-odds of the scores and does not bind ties. Pairs come out by
    falling margin, then id.
    """
    if len(ranking.sample_ids) < 2:
        return Selection((), {LeftOut.NOT_JUDGED: 1})
    usable = [p for p in preferences if one_order or both_orders(p)]
    direct = {frozenset((p.a_id, p.b_id)): p for p in usable}
    linked, *_ = [*parts(usable, one_order=one_order), frozenset(ranking.sample_ids)]
    asked = Asked(
        tuple(sorted({name for p in usable for name in p.principles})),
        tuple(sorted({name for p in usable for name in p.principle_versions})),
    )
    scores = scores_of(ranking)
    kept: list[PreferencePair] = []
    waiting: list[PreferencePair] = []
    left_out: Counter[LeftOut] = Counter()
    for better, worse in _candidates(ranking, linked, direct.keys(), config.select, seed):
        pair = _pair(ranking.prompt_id, better, worse, scores, direct.get(frozenset((better, worse))), asked)
        labelled = replace(pair, p_chosen=labelling.p(pair.p_chosen))
        reason = _objection(pair, config) or _objection(labelled, config)
        if reason is None and not labelling.accepts(pair.p_chosen):
            waiting.append(labelled)
            reason = LeftOut.FOR_PEOPLE
        if reason is None:
            kept.append(labelled)
        else:
            left_out[reason] += 1
    weight = 1.0 / len(kept) if config.select == "all" and kept else 1.0
    kept.sort(key=lambda pair: (-pair.judge_margin, pair.id))
    return Selection(tuple(replace(pair, weight=weight) for pair in kept), dict(left_out), tuple(waiting))


def _candidates(
    ranking: Ranking, linked: Set[str], judged: Set[frozenset[str]], how: str, seed: int
) -> Iterator[tuple[str, str]]:
    """Pairs of ids, the higher ranked first."""
    best, *others = (name for name in ranking.sample_ids if name in linked)
    if how == "all":
        yield from (pair for pair in combinations(ranking.sample_ids, 2) if frozenset(pair) in judged)
    elif how == "best-vs-random":
        yield (
            best,
            max(others, key=lambda other: unit_interval("best-vs-random", seed, ranking.prompt_id, other)),
        )
    elif how == "best-vs-worst":
        yield best, others[-1]
    else:
        raise UsageError(f"pairs.select is {how!r}", hint="choose best-vs-worst, best-vs-random or all")


def _pair(
    prompt_id: str,
    better: str,
    worse: str,
    scores: Mapping[str, float],
    direct: Preference | None,
    asked: Asked,
) -> PreferencePair:
    """Make the pair as the ranking orients it; `p_chosen` may still lie below 0.5.

    The id has no orientation. A pair that was not judged itself owes its scores to all principles `asked`.
    """
    told = direct if direct is None or direct.a_id == better else direct.flip()
    p = told.p_a if told else sigmoid(scores[better] - scores[worse])
    return PreferencePair(
        id=content_id("pair", prompt_id, *sorted((better, worse))),
        prompt_id=prompt_id,
        chosen_id=better,
        rejected_id=worse,
        p_chosen=0.5 if abs(p - 0.5) <= _EVEN else p,
        weight=1.0,
        score_chosen=scores[better],
        score_rejected=scores[worse],
        source="ai",
        principles=told.principles if told else asked.principles,
        flipped=told.flipped if told else False,
        judgements=told.judgements if told else 0,
        principle_versions=told.principle_versions if told else asked.versions,
    )


def _objection(pair: PreferencePair, config: PairsConfig) -> LeftOut | None:
    """Why the pair must not be kept; None if it may."""
    if pair.p_chosen == 0.5:
        return None if config.keep_ties else LeftOut.TIE
    if pair.p_chosen < 0.5 or pair.judge_margin <= _EVEN:
        return LeftOut.CONTRADICTED
    return LeftOut.MARGIN if pair.judge_margin < config.min_margin else None
