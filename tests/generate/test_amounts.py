"""Amounts add up, and intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from generate.amounts import NOTHING, Amount, Kind, loosened, predicted, total


def test_kinds_and_sums() -> None:
    exact, interval, bounds = Amount.exact(5), Amount(10, 8, 12), Amount.bounds(0, 7)
    assert [one.kind for one in (exact, interval, bounds)] == [Kind.EXACT, Kind.INTERVAL, Kind.BOUNDS]
    assert exact + interval == Amount(15, 13, 17)
    assert interval + bounds == Amount(None, 8, 19, bounded=True)
    assert total([]) == NOTHING
    assert Amount.bounds(3, 3) == Amount.exact(3)
    assert Amount(10, 8, 12).within(9, 11) == Amount(10, 9, 11)
    assert exact.as_json() == {"expected": 5, "low": 5, "high": 5, "kind": "exact"}
    assert bounds.as_json()["expected"] is None


def test_a_prediction_by_hand() -> None:
    # Two prompts of 1 and 3 drawn, one to come: mean 2, variance 2, error variance 2 (1 + 1/2) = 3, t(1) = 12.706.
    found = predicted(np.array([[1.0]]), np.array([[1.0], [3.0]]))
    assert found.expected == 2.0
    assert found.high == pytest.approx(2 + 12.7062 * 3**0.5, rel=1e-4)
    assert found.low == 0.0
    with pytest.raises(ValueError, match="two drawn prompts"):
        predicted(np.array([[1.0]]), np.array([[1.0]]))


@pytest.mark.parametrize("drawn", [8, 15, 40])
def test_intervals_hold_the_total_about_as_often_as_they_say_though_responses_to_a_prompt_resemble_each_other(
    drawn: int,
) -> None:
    draw = np.random.default_rng(drawn)
    held = plain = 0
    for _ in range(600):
        prompts, to_come = drawn + 60, 60
        means = draw.gamma(4.0, 25.0, size=prompts)
        lengths = np.clip(means[:, None] + draw.normal(0, 10, size=(prompts, 4)), 0, None)
        weights = draw.uniform(0.5, 2.0, size=(to_come, 1))
        truth = float((weights[:, 0] * lengths[drawn:].sum(axis=1)).sum())
        held += predicted(weights, lengths[:drawn].sum(axis=1, keepdims=True)).holds(truth)
        single = predicted(np.repeat(weights, 4, axis=0), lengths[:drawn].reshape(-1, 1))
        plain += single.holds(truth)
    assert 0.92 <= held / 600 <= 0.98
    assert plain < 0.85 * 600  # with responses as observations it would promise too much


def test_where_all_drawn_were_alike_the_interval_still_has_a_width() -> None:
    alike = predicted(np.ones((90, 1)), np.full((30, 1), 6.0))
    assert alike == Amount.exact(540)
    loose = loosened(alike, 30, 0.0, 540.0)
    assert (loose.expected, loose.low, loose.high) == (540, pytest.approx(486), 540)
    assert loose.kind is Kind.INTERVAL
    wide = Amount(10, 8, 12)
    assert loosened(wide, 30, 0, 100) == wide
