"""Which pairs become training rows: hand-worked probabilities, weights and reasons."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.pairs import LeftOut, Selection, choose, select
from generate.rank import rank
from tenet.errors import UsageError
from tenet.records import Preference, Ranking
from tenet.runconfig import PairsConfig


def preference(a: str, b: str, p: float, *, one_order: bool = False) -> Preference:
    other = None if one_order else p
    return Preference("p", a, b, p, p, other, flipped=p == 0.55, judgements=2, principles=("kind",))


CONSISTENT = [preference("a", "b", 2 / 3), preference("b", "c", 3 / 4), preference("a", "c", 6 / 7)]


def chosen(preferences: list[Preference], *, seed: int = 0, **config: Any) -> Selection:
    return choose(rank("p", preferences), preferences, PairsConfig(**config), seed)


def test_best_vs_worst_takes_the_direct_probability() -> None:
    told = [preference("a", "b", 2 / 3), preference("b", "c", 3 / 4), preference("a", "c", 0.6)]
    (pair,) = chosen(told).pairs
    assert (pair.chosen_id, pair.rejected_id, pair.prompt_id) == ("a", "c", "p")
    assert pair.p_chosen == pytest.approx(0.6)
    assert (pair.weight, pair.source, pair.principles, pair.judgements) == (1.0, "ai", ("kind",), 2)
    assert pair.judge_margin == pytest.approx(pair.score_chosen - pair.score_rejected)
    assert pair.score_chosen > 0 > pair.score_rejected


def test_a_pair_that_was_not_judged_gets_the_probability_of_its_scores() -> None:
    (pair,) = chosen([preference("a", "b", 0.8), preference("b", "c", 0.8)]).pairs
    assert (pair.chosen_id, pair.rejected_id) == ("a", "c")
    assert pair.p_chosen == pytest.approx(16 / 17, abs=1e-5)
    assert (pair.principles, pair.judgements) == (("kind",), 0)


def test_a_pair_judged_in_one_order_counts_as_not_judged() -> None:
    told = [preference("a", "b", 0.8), preference("b", "c", 0.8), preference("a", "c", 0.1, one_order=True)]
    (pair,) = chosen(told).pairs
    assert pair.p_chosen == pytest.approx(16 / 17, abs=1e-5)
    assert chosen([preference("a", "b", 0.9, one_order=True)]).left_out == {LeftOut.NOT_JUDGED: 1}


def test_all_weighs_one_over_the_pairs_of_the_prompt_and_sorts_by_margin() -> None:
    pairs = chosen(CONSISTENT, select="all").pairs
    assert [(pair.chosen_id, pair.rejected_id) for pair in pairs] == [("a", "c"), ("b", "c"), ("a", "b")]
    assert [pair.weight for pair in pairs] == [pytest.approx(1 / 3)] * 3
    assert [pair.p_chosen for pair in pairs] == pytest.approx([6 / 7, 3 / 4, 2 / 3])
    assert [pair.judge_margin for pair in pairs] == pytest.approx([math.log(6), math.log(3), math.log(2)], abs=1e-5)


def test_min_margin_is_in_log_odds_and_counted() -> None:
    selection = chosen(CONSISTENT, select="all", min_margin=1.0)
    assert len(selection.pairs) == 2
    assert selection.left_out == {LeftOut.MARGIN: 1}
    assert [pair.weight for pair in selection.pairs] == [0.5, 0.5]
    assert chosen(CONSISTENT, min_margin=math.log(6) + 0.01).left_out == {LeftOut.MARGIN: 1}


def test_ties_are_kept_only_if_asked_and_no_margin_binds_them() -> None:
    tie = [preference("a", "b", 0.5)]
    assert chosen(tie).left_out == {LeftOut.TIE: 1}
    (pair,) = chosen(tie, keep_ties=True, min_margin=2.0).pairs
    assert pair.p_chosen == 0.5


def test_a_pair_told_from_the_other_side_is_the_same_pair() -> None:
    plain, turned = chosen(CONSISTENT).pairs, chosen([one.flip() for one in CONSISTENT]).pairs
    assert plain[0].id == turned[0].id
    assert plain[0].p_chosen == pytest.approx(turned[0].p_chosen)
    assert plain[0].chosen_id == turned[0].chosen_id


def test_a_direct_comparison_against_the_ranking_is_left_out() -> None:
    told = [preference("a", "b", 0.95), preference("b", "c", 0.95), preference("a", "c", 0.4)]
    assert chosen(told).left_out == {LeftOut.CONTRADICTED: 1}
    cycle = [preference("a", "b", 0.8), preference("b", "c", 0.8), preference("a", "c", 0.2)]
    assert chosen(cycle, select="all").left_out == {LeftOut.CONTRADICTED: 3}


def test_best_vs_random_depends_on_seed_and_content_alone() -> None:
    names = "abcdefgh"
    told = [preference(x, y, 0.7) for n, x in enumerate(names) for y in names[n + 1 :]]
    drawn = {seed: chosen(told, seed=seed, select="best-vs-random").pairs[0] for seed in range(60)}
    assert all(pair.chosen_id == "a" for pair in drawn.values())
    assert {pair.rejected_id for pair in drawn.values()} == set(names) - {"a"}
    again = chosen(told[::-1], seed=7, select="best-vs-random").pairs[0]
    assert again.rejected_id == drawn[7].rejected_id


def test_a_prompt_with_nothing_judged_says_so() -> None:
    empty = choose(Ranking("p", (), ()), [], PairsConfig(), 0)
    assert empty == Selection((), {LeftOut.NOT_JUDGED: 1})


def test_flips_are_carried_along_and_ids_differ_by_pair() -> None:
    told = [preference("a", "b", 0.55), preference("b", "c", 0.9), preference("a", "c", 0.9)]
    pairs = {(pair.chosen_id, pair.rejected_id): pair for pair in chosen(told, select="all").pairs}
    assert pairs["a", "b"].flipped
    assert not pairs["a", "c"].flipped
    assert len({pair.id for pair in pairs.values()}) == 3


def test_an_unknown_way_of_selecting_is_an_error() -> None:
    with pytest.raises(UsageError, match="best-vs-worst, best-vs-random or all"):
        chosen(CONSISTENT, select="middle")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.0, 1.0, allow_nan=False), min_size=6, max_size=6),
    st.sampled_from(["best-vs-worst", "best-vs-random", "all"]),
    st.booleans(),
    st.floats(0.0, 3.0),
)
def test_rows_are_oriented_weighed_and_counted(ps: list[float], how: str, ties: bool, margin: float) -> None:
    names = [(x, y) for n, x in enumerate("abcd") for y in "abcd"[n + 1 :]]
    told = [preference(x, y, p) for (x, y), p in zip(names, ps, strict=True)]
    selection = chosen(told, select=how, keep_ties=ties, min_margin=margin)
    assert len(selection.pairs) + sum(selection.left_out.values()) == (6 if how == "all" else 1)
    assert all(pair.p_chosen >= 0.5 and pair.chosen_id != pair.rejected_id for pair in selection.pairs)
    assert all(pair.p_chosen == 0.5 or pair.judge_margin >= margin for pair in selection.pairs)
    if selection.pairs:
        assert sum(pair.weight for pair in selection.pairs) == pytest.approx(1.0)
    assert list(selection.pairs) == select(rank("p", told), told, PairsConfig(how, margin, ties), 0)  # type: ignore[arg-type]


def test_best_and_worst_are_looked_for_where_judgements_link_them() -> None:
    told = [preference("a", "b", 0.99), preference("c", "d", 0.7), preference("d", "e", 0.7)]
    (pair,) = chosen(told).pairs
    assert (pair.chosen_id, pair.rejected_id) == ("c", "e")
    assert {(one.chosen_id, one.rejected_id) for one in chosen(told, select="all").pairs} == {
        ("a", "b"),
        ("c", "d"),
        ("d", "e"),
    }


def test_pairs_asked_in_one_order_on_purpose_count() -> None:
    told = [preference("a", "b", 0.8), preference("b", "c", 0.7), preference("a", "c", 0.6, one_order=True)]
    found = choose(rank("p", told, one_order=True), told, PairsConfig(), 0, one_order=True)
    assert [pair.p_chosen for pair in found.pairs] == [pytest.approx(0.6)]
    everything = choose(rank("p", told, one_order=True), told, PairsConfig(select="all"), 0, one_order=True)
    assert len(everything.pairs) == 3
