"""Intervals against published and hand-worked numbers."""

import pytest

from tenet.intervals import wilson
from train.intervals import Estimate, difference, mean, mean_difference, share


def test_wilson_of_eight_in_ten() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_wilson_is_honest_at_the_ends() -> None:
    low, high = wilson(1.0, 50)
    assert (low, high) == (pytest.approx(1 / (1 + 1.96**2 / 50), abs=1e-3), 1.0)
    assert wilson(0.0, 50)[0] == 0.0


def test_newcombes_difference() -> None:
    # Newcombe 1998 (comparison), example (a): 56/70 - 48/80 = 0.20, method 10: 0.0524 to 0.3339
    before, after = (Estimate(p, *wilson(p, n), n) for p, n in ((48 / 80, 80), (56 / 70, 70)))
    found = difference(before, after)
    assert found.value == pytest.approx(0.20)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_shares_count_prompts_not_responses() -> None:
    found = share([1.0, 1.0, 0.0, 0.5], ["a", "a", "b", "b"])
    assert (found.value, found.count) == (0.625, 2)
    assert (found.low, found.high) == wilson(0.625, 2)


def test_means_are_bootstrapped_over_prompts() -> None:
    values, prompts = [1.0] * 40 + [3.0] * 40, [i // 2 for i in range(80)]
    found = mean(values, prompts, seed=1)
    assert (found.value, found.count) == (2.0, 40)
    assert 1.6 < found.low < 1.8 < 2.2 < found.high < 2.4  # 2 +- 1.96 / sqrt(40)
    assert found == mean(values, prompts, seed=1)


def test_paired_means() -> None:
    found = mean_difference({"a": 1.0, "b": 5.0, "only": 9.0}, {"a": 2.0, "b": 6.0})
    assert found is not None
    assert (found.value, found.low, found.high, found.count) == (1.0, 1.0, 1.0, 2)
    assert mean_difference({"a": 1.0}, {"b": 1.0}) is None


def test_nothing_has_no_share() -> None:
    with pytest.raises(ValueError, match="no values"):
        share([], [])
    with pytest.raises(ValueError, match="no values"):
        mean([], [])
