"""Queues: what is targeted, what is drawn at random, and that the stated probabilities are the true ones."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from judges.humans.gain import NEXT, TARGET, worth
from judges.humans.queue import RANDOM, Candidate, Queue, draw, strata_of
from tenet.errors import UsageError
from tenet.intervals import wilson


def candidates(count: int = 40) -> list[Candidate]:
    """Doubt falls with the number; the first quarter is apart, every third is of safety; two strata, one small; some tie in doubt."""
    return [
        Candidate(
            (f"prompt {number}", "a", "b"), 0.5 + (number // 4) / 30, (10 - number) / 10 if number < 10 else 0.0,
            number % 3 == 0, "rare" if number < 5 else "common",
        )
        for number in range(count)
    ]  # fmt: skip


def number(pair: tuple[str, str, str]) -> int:
    return int(pair[0].split()[1])


@pytest.mark.parametrize("kind", list(Queue))
@pytest.mark.parametrize("budget", [1, 7, 15, 30, 40, 99])
def test_the_stated_probability_is_that_of_being_drawn(kind: Queue, budget: int) -> None:
    pool, draws = candidates(), 400
    stated: dict[tuple[str, str, str], set[float]] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for seed in range(draws):
        plan = draw(pool, kind, budget, seed)
        assert len({one.pair for one in plan.chosen}) == len(plan.chosen) == min(budget, 40)
        assert sum(one.random for one in plan.chosen) >= RANDOM * len(plan.chosen) - 1e-9
        for one in plan.chosen:
            seen[one.pair] += 1
            stated.setdefault(one.pair, set()).add(round(one.probability, 12))
    assert all(len(values) == 1 for values in stated.values()), "it does not depend on the draw"
    for pair, values in stated.items():
        expected = next(iter(values))
        spread = (expected * (1 - expected) / draws) ** 0.5
        assert abs(seen[pair] / draws - expected) <= 4.5 * spread + 1e-9
    assert sum(next(iter(values)) for values in stated.values()) <= min(budget, 40) + 1e-9


def test_weighted_labels_tell_the_truth_of_all_pairs() -> None:
    pool = candidates()
    truth = sum(number(one.pair) for one in pool) / len(pool)
    found = []
    for seed in range(2000):
        chosen = draw(pool, Queue.UNCERTAIN, 15, seed).chosen
        found.append(sum(number(one.pair) / one.probability for one in chosen) / len(pool))
    assert sum(found) / len(found) == pytest.approx(truth, rel=0.03)
    plain = sum(number(one.pair) for one in draw(pool, Queue.UNCERTAIN, 15, 0).chosen) / 15
    assert plain < 0.75 * truth, "which they would not without the weights"


def test_what_each_queue_is_after() -> None:
    pool = candidates()

    def targeted(kind: Queue, budget: int) -> list[int]:
        return sorted(number(one.pair) for one in draw(pool, kind, budget, 3).chosen if not one.random)

    assert targeted(Queue.RANDOM, 10) == []
    assert targeted(Queue.UNCERTAIN, 10) == list(range(8))
    assert targeted(Queue.DISAGREEMENT, 10) == list(range(8))
    every = {number(one.pair) for one in draw(pool, Queue.DISAGREEMENT, 30, 3).chosen if one.probability == 1.0}
    assert every == set(range(10)), "no more than there are"
    assert all(one % 3 == 0 for one in targeted(Queue.SAFETY, 10))
    strata = Counter("rare" if one < 5 else "common" for one in targeted(Queue.STRATIFIED, 10))
    assert strata == {"rare": 4, "common": 4}
    plan = draw(pool, Queue.STRATIFIED, 20, 3)
    rare = {one.probability for one in plan.chosen if number(one.pair) < 5}
    common = {one.probability for one in plan.chosen if number(one.pair) >= 5}
    assert rare == {1.0}
    assert list(common) == pytest.approx([12 / 35 + (1 - 12 / 35) * 3 / 23]), (
        "what a small stratum leaves goes to the others"
    )


def test_the_random_stratum_stands_for_all_pairs() -> None:
    pool = candidates()
    seen: Counter[int] = Counter()
    draws, size = 3000, 0
    for seed in range(draws):
        plan = draw(pool, Queue.UNCERTAIN, 20, seed)
        assert sum(one.probability == 1.0 for one in plan.chosen) >= 16, "an overlap leaves room for more"
        sample = [number(one.pair) for one in plan.chosen if one.random]
        size += len(sample)
        seen.update(sample)
    sought = sum(seen[one] for one in range(16)) / size
    assert sought == pytest.approx(16 / 40, abs=0.06), "as many of the targeted as there are in the pool"


def test_a_queue_depends_on_the_pairs_and_the_seed_alone() -> None:
    pool = candidates()
    mixed = random.Random(1).sample(pool, len(pool))
    assert draw(pool, Queue.UNCERTAIN, 15, 1) == draw(mixed, Queue.UNCERTAIN, 15, 1)
    assert draw(pool, Queue.UNCERTAIN, 15, 1) != draw(pool, Queue.UNCERTAIN, 15, 2)


def test_doubt_is_what_a_label_mends_on_average() -> None:
    plan = draw([Candidate(("p", "a", "b"), 0.9), Candidate(("q", "a", "b"), 0.3)], Queue.UNCERTAIN, 2, 0)
    assert plan.mended == pytest.approx((0.1 + 0.3) / 2)


@pytest.mark.parametrize(
    ("pool", "kind", "hint"),
    [
        ([], Queue.RANDOM, "judge some first"),
        ([Candidate(("p", "a", "b"), 0.9), Candidate(("q", "a", "b"), 0.9)], Queue.SAFETY, "--safety-tag"),
        ([Candidate(("p", "a", "b"), 0.9), Candidate(("q", "a", "b"), 0.9)], Queue.DISAGREEMENT, "--queue uncertain"),
    ],
)
def test_a_queue_with_nothing_to_go_by(pool: list[Candidate], kind: Queue, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        draw(pool, kind, 1, 0)


def test_a_pair_stands_for_its_rarest_name() -> None:
    names = {("p", "a", "b"): ("kind", "safe"), ("q", "a", "b"): ("kind",), ("r", "a", "b"): ()}
    assert strata_of(names) == {("p", "a", "b"): "safe", ("q", "a", "b"): "kind", ("r", "a", "b"): ""}


def test_what_a_label_is_worth() -> None:
    found = worth([1.0] * 75 + [0.0] * 25, [1.0] * 100)
    assert (found.labels, found.effective, found.agreement) == (100, pytest.approx(100), 0.75)
    assert (found.low, found.high) == wilson(0.75, 100)
    low, high = wilson(0.75, 100 + NEXT)
    assert found.next_narrow == pytest.approx((found.high - found.low - high + low) / 2)
    assert found.to_target is not None
    low, high = wilson(0.75, 100 + found.to_target)
    assert (high - low) / 2 <= TARGET
    low, high = wilson(0.75, 100 + found.to_target - 1)
    assert (high - low) / 2 > TARGET
    assert found.pays
    assert not worth([1.0] * 750 + [0.0] * 250, [1.0] * 1000).pays
    assert worth([1.0] * 750 + [0.0] * 250, [1.0] * 1000).to_target == 0


def test_uneven_weights_make_labels_worth_less() -> None:
    even, uneven = worth([1.0, 0.0] * 20, [1.0] * 40), worth([1.0, 0.0] * 20, [1.0, 9.0] * 20)
    assert uneven.effective == pytest.approx(40 * 100 / 164)
    assert uneven.agreement == pytest.approx(0.1)
    assert uneven.per_label < even.per_label
    assert worth([], []).agreement is None
    assert worth([], []).pays
