"""The rule that marks over-optimisation, on curves whose truth is known."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from train.measures.parting import Parting, parting


def curve(
    mean: Callable[[int], float], *, prompts: int = 200, noise: float = 0.2, seed: int = 0, points: int = 9
) -> list[dict[str, float]]:
    """Values by prompt: a level of the prompt's own, the checkpoint's mean, and noise."""
    rng = random.Random(seed)
    levels = [rng.gauss(0.0, 0.5) for _ in range(prompts)]
    return [{str(n): levels[n] + mean(k) + rng.gauss(0.0, noise) for n in range(prompts)} for k in range(points)]


def rising(k: int) -> float:
    return 0.2 * k


def turning(k: int) -> float:
    """Up to the fourth checkpoint, then down."""
    return 0.2 * k if k <= 4 else 0.8 - 0.2 * (k - 4)


def test_the_mark_is_where_gold_turns_and_before_it_falls() -> None:
    for seed in range(5):
        found = parting(curve(rising, seed=seed), curve(turning, seed=seed + 100), seed=seed)
        assert found == Parting(4, 5, 200)


def test_curves_that_rise_together_are_not_marked() -> None:
    for seed in range(5):
        assert parting(curve(rising, seed=seed), curve(rising, seed=seed + 100)).at is None


def test_a_plateau_parts_and_does_not_fall() -> None:
    found = parting(curve(rising), curve(lambda k: min(0.2 * k, 0.6), seed=7))
    assert found.at == 3
    assert found.falls is None


def test_a_training_that_changes_nothing_is_not_marked() -> None:
    marked = [parting(curve(lambda k: 0.0, seed=s), curve(lambda k: 0.0, seed=s + 50)).at for s in range(10)]
    assert sum(at is not None for at in marked) <= 2


def test_gold_that_falls_from_the_start() -> None:
    assert parting(curve(rising), curve(lambda k: -0.2 * k, seed=3)) == Parting(0, 1, 200)


def test_a_proxy_that_turns_too_is_no_over_optimisation() -> None:
    found = parting(curve(turning), curve(turning, seed=5))
    assert found.at is None
    assert found.falls == 5


def test_with_few_prompts_it_errs_on_the_side_of_warning() -> None:
    found = parting(curve(rising, prompts=4, noise=0.05), curve(lambda k: 0.01 * k, prompts=4, noise=0.3, seed=2))
    assert found.at is not None


def test_only_prompts_with_all_values_count() -> None:
    proxy, gold = curve(rising, points=3), curve(turning, points=3)
    del gold[1]["7"], proxy[2]["9"]
    assert parting(proxy, gold).prompts == 198
    with pytest.raises(ValueError, match="no prompt"):
        parting([{"a": 1.0}], [{"b": 1.0}])
    with pytest.raises(ValueError, match="checkpoints"):
        parting([{"a": 1.0}], [])


def test_equal_differences_need_no_chance() -> None:
    """Every prompt differs by the same: no spread, and still a plain answer."""
    up = [{str(n): float(k) for n in range(5)} for k in range(3)]
    flat = [{str(n): 0.0 for n in range(5)} for _ in range(3)]
    assert parting(up, up) == Parting(None, None, 5)
    assert parting(up, flat) == Parting(0, None, 5)
    assert parting(up, list(reversed(up))) == Parting(0, 1, 5)
