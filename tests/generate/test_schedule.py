"""Which pairs are judged: exact question sets, the same whatever the order of the samples, and rounds that follow results."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations, groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.graph import edges, offsets, spread
from generate.orders import CALIBRATION_PROMPTS, make_asking
from generate.schedule import (
    Auto,
    Knockout,
    Pair,
    Regular,
    RoundRobin,
    Schedule,
    field_of,
    make_schedule,
    round_robin,
    shuffled,
)
from tenet.records import Finish, Sample
from tenet.runconfig import ScheduleConfig


def samples_of(*texts: str) -> list[Sample]:
    return [Sample(f"s{n}", "p", n, text, "policy", Finish.STOP) for n, text in enumerate(texts)]


def ids_of(n: int) -> list[str]:
    return [f"{number:03}" for number in range(n)]


def better(pair: Pair) -> float:
    """The larger id is better; pairs have the smaller in front."""
    assert pair[0] < pair[1]
    return 0.2


def played(schedule: Schedule, ids: list[str]) -> list[list[Pair]]:
    """The pairs of each round against a judge who likes large ids."""
    results: dict[Pair, float | None] = {}
    rounds: list[list[Pair]] = []
    while owed := schedule.owed("p", ids, results):
        assert not set(owed) & results.keys()
        rounds.append(owed)
        results |= {pair: better(pair) for pair in owed}
    return rounds


def test_every_pair_in_both_orders_once() -> None:
    pairs = [(first.id, second.id) for first, second in round_robin(samples_of("a", "b", "c", "d"))]
    assert len(pairs) == len(set(pairs)) == 12
    assert all((second, first) in pairs for first, second in pairs)


def test_pairs_with_the_same_first_response_stand_together() -> None:
    firsts = [first.id for first, _ in round_robin(samples_of("a", "b", "c"))]
    assert len(list(groupby(firsts))) == 3


def test_identical_and_unusable_texts_are_left_out_and_counted() -> None:
    failed = Sample("bad", "p", 9, "some words", "policy", Finish.ERROR, reason="cut")
    field = field_of([*samples_of("a", " a\n", "b", "", "  ", "b"), failed])
    assert [sample.text for sample in field.samples] == ["a", "b"]
    assert (field.identical, field.unusable, field.pairs) == (2, 3, 1)


def test_nothing_to_compare() -> None:
    assert round_robin([]) == []
    assert round_robin(samples_of("same", "same", "same")) == []


def test_cut_off_texts_are_compared() -> None:
    cut = Sample("cut", "p", 1, "a long answ", "policy", Finish.LENGTH)
    assert len(round_robin([*samples_of("a"), cut])) == 2


def test_a_round_robin_owes_every_pair_once() -> None:
    assert played(RoundRobin(), ids_of(3)) == [[("000", "001"), ("000", "002"), ("001", "002")]]
    assert RoundRobin().owed("p", ids_of(3), {("000", "002"): None}) == [("000", "001"), ("001", "002")]


def linked(pairs: list[Pair], ids: list[str]) -> bool:
    reached, todo = {ids[0]}, [ids[0]]
    while todo:
        here = todo.pop()
        near = {name for pair in pairs if here in pair for name in pair} - reached
        reached |= near
        todo += near
    return reached == set(ids)


@pytest.mark.parametrize("degree", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("n", [*range(2, 18), 40])
def test_a_regular_graph_is_linked_and_everyone_meets_as_many(n: int, degree: int) -> None:
    schedule, ids = Regular(degree, seed=7), ids_of(n)
    (pairs,) = played(schedule, ids)
    met = Counter(name for pair in pairs for name in pair)
    expected = min(n - 1, degree + (degree % 2 and n % 2))
    assert set(met.values()) == {expected}
    assert set(met) == set(ids)
    assert linked(pairs, ids)
    assert schedule.pairs(n) == len(pairs) == len(set(pairs)) == n * expected // 2


def test_the_graph_is_the_sharpest_circulant() -> None:
    assert edges(6, 2) == ((0, 1), (0, 5), (1, 2), (2, 3), (3, 4), (4, 5))
    assert offsets(8, 4) == (1, 3)
    assert offsets(8, 3) == (1, 4)
    for n in (9, 12, 16):
        best = min(spread(n, [1, other]) for other in range(2, (n + 1) // 2))
        assert spread(n, list(offsets(n, 4))) == pytest.approx(best)
    with pytest.raises(ValueError, match="falls apart"):
        edges(4, 1)


def test_the_pairs_follow_from_content_and_not_from_the_order_of_samples() -> None:
    ids = ids_of(12)
    for schedule in (Regular(4, seed=3), Knockout(seed=3), Auto(4, seed=3), RoundRobin()):
        first = schedule.owed("p", ids, {})
        for turn in range(5):
            mixed = random.Random(turn).sample(ids, len(ids))
            assert schedule.owed("p", mixed, {}) == first
    assert Regular(4, seed=3).owed("p", ids, {}) != Regular(4, seed=4).owed("p", ids, {})
    assert Regular(4, seed=3).owed("p", ids, {}) != Regular(4, seed=3).owed("q", ids, {})


def test_a_knockout_by_hand() -> None:
    bracket = shuffled(0, "p", ["a", "b", "c", "d"])
    first, *rest = played(Knockout(), ["a", "b", "c", "d"])
    expected = [tuple(sorted(bracket[:2])), tuple(sorted(bracket[2:]))]
    assert first == sorted(expected)
    winners, losers = sorted(max(pair) for pair in expected), sorted(min(pair) for pair in expected)
    assert rest == [sorted([tuple(winners), tuple(losers)])]


@pytest.mark.parametrize("n", range(2, 20))
def test_a_knockout_finds_best_and_worst_in_few_pairs(n: int) -> None:
    schedule, ids = Knockout(seed=1), ids_of(n)
    rounds = played(schedule, ids)
    pairs = [pair for one in rounds for pair in one]
    assert len(pairs) == len(set(pairs)) == schedule.pairs(n)
    assert len(rounds) == schedule.rounds(n)
    lost = {min(pair) for pair in pairs}
    won = {max(pair) for pair in pairs}
    assert set(ids) - lost == {ids[-1]}  # beaten by nobody: the best
    assert set(ids) - won == {ids[0]}
    assert linked(pairs, ids)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.randoms(use_true_random=False))
def test_a_knockout_has_the_same_size_whatever_the_results(n: int, rng: random.Random) -> None:
    schedule, ids = Knockout(), ids_of(n)
    results: dict[Pair, float | None] = {}
    rounds = 0
    while owed := schedule.owed("p", ids, results):
        rounds += 1
        results |= {pair: rng.choice([None, 0.5, rng.random()]) for pair in owed}
    assert len(results) == schedule.pairs(n)
    assert rounds == schedule.rounds(n)
    assert n < 3 or linked(list(results), ids)


def test_a_round_goes_on_only_when_it_is_settled() -> None:
    schedule, ids = Knockout(), ids_of(8)
    first = schedule.owed("p", ids, {})
    assert len(first) == 4
    assert schedule.owed("p", ids, {first[0]: 0.9}) == first[1:]


def test_auto_takes_the_full_round_robin_for_few_and_a_graph_for_many() -> None:
    auto = Auto(4, seed=5)
    for n in range(2, 8):
        assert auto.owed("p", ids_of(n), {}) == sorted(combinations(ids_of(n), 2))
        assert auto.pairs(n) == n * (n - 1) // 2
    assert auto.owed("p", ids_of(8), {}) == Regular(4, seed=5).owed("p", ids_of(8), {})
    assert auto.pairs(16) == 32


def test_one_sample_or_none_owes_nothing() -> None:
    for kind in ("round-robin", "regular", "knockout", "auto"):
        schedule = make_schedule(ScheduleConfig(kind), 0)  # type: ignore[arg-type]
        assert schedule.owed("p", [], {}) == schedule.owed("p", ["a"], {}) == []
        assert (schedule.pairs(1), schedule.rounds(1)) == (0, 0)


def test_a_configuration_names_schedule_and_orders() -> None:
    asking = make_asking(ScheduleConfig("knockout", second_order="close", close_within=0.5), 9)
    assert asking.schedule == Knockout(9)
    assert (asking.orders.close_within, asking.orders.seed) == (0.5, 9)
    assert asking.waves(8) == 6
    assert asking.orders.calibrates(CALIBRATION_PROMPTS - 1)
    assert not asking.orders.calibrates(CALIBRATION_PROMPTS)
    always = make_asking(ScheduleConfig("regular", 6), 9)
    assert always.schedule == Regular(6, 9)
    assert not always.adaptive
    assert always.orders.calibrates(10**9)


def test_which_response_is_shown_first_is_even_and_settled() -> None:
    orders = make_asking(ScheduleConfig(second_order="close"), 0).orders
    pairs = list(combinations(ids_of(40), 2))
    shown = [orders.shown("p", pair) for pair in pairs]
    assert shown == [orders.shown("p", pair) for pair in pairs]
    assert (
        abs(sum(one == pair for one, pair in zip(shown, pairs, strict=True)) - len(pairs) / 2) < 3 * len(pairs) ** 0.5
    )
