"""The Bradley-Terry fit: numbers worked by hand, and properties that hold for any judgements."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.rank import parts, rank, scores_of
from judges.probability import LOGIT_CLIP, sigmoid
from judges.reliability.bradley_terry import fit
from tenet.records import Preference

LN2, LN3, LN4 = math.log(2), math.log(3), math.log(4)


def preference(a: str, b: str, p: float, *, one_order: bool = False) -> Preference:
    return Preference("p", a, b, p, p, None if one_order else p, flipped=False, judgements=2, principles=("kind",))


def test_two_samples_differ_by_their_log_odds() -> None:
    ranking = rank("p", [preference("a", "b", 0.2)])
    assert ranking.sample_ids == ("b", "a")
    assert ranking.scores == pytest.approx((LN4 / 2, -LN4 / 2), abs=1e-5)


def test_consistent_judgements_give_their_log_odds_and_mean_logits() -> None:
    # odds a:b = 2, b:c = 3, a:c = 6: scores differ by ln 2 and ln 3; their mean logits are the same numbers.
    ranking = rank("p", [preference("a", "b", 2 / 3), preference("b", "c", 3 / 4), preference("a", "c", 6 / 7)])
    assert ranking.sample_ids == ("a", "b", "c")
    a, b, c = ranking.scores
    assert (a - b, b - c) == pytest.approx((LN2, LN3), abs=1e-5)
    assert a == pytest.approx((LN2 + LN2 + LN3) / 3, abs=1e-5)


def test_a_perfect_cycle_is_a_draw_ordered_by_id() -> None:
    ranking = rank("p", [preference("a", "b", 0.8), preference("b", "c", 0.8), preference("a", "c", 0.2)])
    assert ranking.scores == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert ranking.sample_ids == ("a", "b", "c")


def test_a_chain_adds_up() -> None:
    # nobody compared a with c: their gap is the sum of the links, ln 4 + ln 4
    scores = scores_of(rank("p", [preference("a", "b", 0.8), preference("b", "c", 0.8)]))
    assert scores["a"] - scores["c"] == pytest.approx(2 * LN4, abs=1e-4)


def test_balanced_design_ranks_by_summed_probability() -> None:
    # With every pair judged once, the fit's sufficient statistic is each sample's summed probability.
    table = {
        ("a", "b"): 0.3,
        ("a", "c"): 0.9,
        ("a", "d"): 0.9,
        ("b", "c"): 0.6,
        ("b", "d"): 0.6,
        ("c", "d"): 0.5,
    }
    sums = {"a": 0.3 + 0.9 + 0.9, "b": 0.7 + 0.6 + 0.6, "c": 0.1 + 0.4 + 0.5, "d": 0.1 + 0.4 + 0.5}
    ranking = rank("p", [preference(a, b, p) for (a, b), p in table.items()])
    assert ranking.sample_ids == tuple(sorted(sums, key=lambda name: (-sums[name], name)))


def test_certainty_is_clipped_to_a_finite_score() -> None:
    scores = scores_of(rank("p", [preference("a", "b", 1.0)]))
    assert scores["a"] - scores["b"] == pytest.approx(LOGIT_CLIP, abs=0.01)


def test_one_order_alone_is_left_out_unless_asked() -> None:
    lone = [preference("a", "b", 0.9, one_order=True)]
    assert rank("p", lone).sample_ids == ()
    assert rank("p", lone, one_order=True).sample_ids == ("a", "b")


def test_parts_are_what_the_usable_judgements_link() -> None:
    told = [preference("a", "b", 0.9), preference("c", "d", 0.9), preference("d", "e", 0.6)]
    assert parts(told) == [{"c", "d", "e"}, {"a", "b"}]
    bridge = preference("b", "c", 0.8, one_order=True)
    assert parts([*told, bridge]) == [{"c", "d", "e"}, {"a", "b"}]
    assert parts([*told, bridge], one_order=True) == [{"a", "b", "c", "d", "e"}]
    assert parts([]) == []
    assert parts([preference("c", "d", 0.9), preference("a", "b", 0.9)]) == [{"a", "b"}, {"c", "d"}]


def test_prompts_fitted_together_get_what_each_gets_alone() -> None:
    rng = np.random.default_rng(1)
    wins = rng.uniform(0.01, 1.0, (20, 5, 5)) * rng.integers(0, 3, (20, 5, 5))
    np.einsum("pii->pi", wins)[:] = 0.0
    together = fit(wins)
    assert together.shape == (20, 5)
    assert together == pytest.approx(np.stack([fit(one) for one in wins]), abs=1e-6)


def test_true_scores_come_back_from_a_sparse_graph_with_unequal_counts() -> None:
    true = np.array([1.5, 0.2, -0.4, -1.3, 0.6])
    wins = np.zeros((5, 5))
    for (i, j), times in zip([(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)], [1, 3, 1, 2, 5], strict=True):
        p = sigmoid(true[i] - true[j])
        wins[i, j], wins[j, i] = times * p, times * (1 - p)
    assert fit(wins) == pytest.approx(true - true.mean(), abs=1e-3)


def test_nothing_judged_gives_an_empty_ranking() -> None:
    ranking = rank("p", [])
    assert (ranking.prompt_id, ranking.sample_ids, ranking.scores) == ("p", (), ())


def test_fit_meets_the_likelihood_equations() -> None:
    rng = np.random.default_rng(0)
    n = 7
    wins = np.zeros((n, n))
    for i, j in combinations(range(n), 2):
        p, weight = rng.uniform(0.01, 0.99), rng.integers(0, 3)
        wins[i, j], wins[j, i] = weight * p, weight * (1 - p)
    scores = fit(wins)
    expected = (wins + wins.T) / (1 + np.exp(scores[None, :] - scores[:, None]))
    np.fill_diagonal(expected, 0.0)
    assert np.abs(wins.sum(axis=1) - expected.sum(axis=1)).max() < 1e-4


tables = st.integers(2, 6).flatmap(
    lambda n: st.lists(
        st.one_of(st.none(), st.floats(0.0, 1.0, allow_nan=False)),
        min_size=n * (n - 1) // 2,
        max_size=n * (n - 1) // 2,
    ).map(lambda ps: [(*pair, p) for pair, p in zip(combinations("abcdef"[:n], 2), ps, strict=True) if p is not None])
)


@settings(max_examples=60, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_arrival_and_the_side_told_do_not_matter(table, rng) -> None:  # type: ignore[no-untyped-def]
    plain = [preference(*row) for row in table]
    expected = rank("p", plain)
    told = [one.flip() if rng.random() < 0.5 else one for one in plain]
    rng.shuffle(told)
    found = rank("p", told)
    assert set(found.sample_ids) == set(expected.sample_ids)
    scores = scores_of(found)
    assert [scores[name] for name in expected.sample_ids] == pytest.approx(list(expected.scores), abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_turning_every_judgement_around_turns_the_scores_around(table) -> None:  # type: ignore[no-untyped-def]
    scores = scores_of(rank("p", [preference(a, b, p) for a, b, p in table]))
    turned = scores_of(rank("p", [preference(a, b, 1.0 - p) for a, b, p in table]))
    assert {name: -score for name, score in turned.items()} == pytest.approx(scores, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_scores_are_finite_centred_and_falling(table) -> None:  # type: ignore[no-untyped-def]
    ranking = rank("p", [preference(*row) for row in table])
    assert all(math.isfinite(score) for score in ranking.scores)
    assert math.fsum(ranking.scores) == pytest.approx(0.0, abs=1e-9)
    assert list(ranking.scores) == sorted(ranking.scores, key=lambda score: -round(score, 9))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=6))
def test_true_scores_come_back_from_consistent_judgements(truth: list[float]) -> None:
    names = "abcdef"[: len(truth)]
    true = dict(zip(names, truth, strict=True))
    scores = scores_of(rank("p", [preference(a, b, sigmoid(true[a] - true[b])) for a, b in combinations(names, 2)]))
    mean = sum(truth) / len(truth)
    assert scores == pytest.approx({name: value - mean for name, value in true.items()}, abs=1e-3)
