"""The length-controlled win rate on verdicts whose cause is known."""

from __future__ import annotations

import math
import random

import pytest

from train.measures.length_control import LEAST_PROMPTS, length_controlled


def logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def test_a_judge_of_length_alone_is_even_at_equal_length() -> None:
    """The trained model writes more and a judge of length prefers it; at equal length nothing is left."""
    rng = random.Random(0)
    gaps = [rng.gauss(1.0, 1.0) for _ in range(400)]
    spread = _spread(gaps)
    p = [logistic(2.0 * math.tanh(gap / spread)) for gap in gaps]
    assert sum(p) / len(p) > 0.7
    found = length_controlled(p, gaps, list(range(400)))
    assert found.rate is not None
    assert found.phi is not None
    assert found.rate.value == pytest.approx(0.5, abs=0.005)
    assert found.phi.value == pytest.approx(2.0, abs=0.02)


def test_quality_is_left_where_length_says_nothing() -> None:
    rng = random.Random(1)
    gaps = [rng.gauss(0.0, 5.0) for _ in range(300)]
    votes = [float(rng.random() < logistic(1.0)) for _ in gaps]
    found = length_controlled(votes, gaps, list(range(300)))
    assert found.rate is not None
    assert found.rate.low < logistic(1.0) < found.rate.high
    assert found.rate.value == pytest.approx(sum(votes) / 300, abs=0.03)
    assert found.phi is not None
    assert found.phi.low < 0 < found.phi.high


def test_answers_to_one_prompt_do_not_count_as_many() -> None:
    rng = random.Random(2)
    gaps = [rng.gauss(0.0, 5.0) for _ in range(40)]
    votes = [float(rng.random() < 0.7) for _ in gaps]
    once = length_controlled(votes, gaps, list(range(40)))
    often = length_controlled(
        [v for v in votes for _ in range(5)],
        [g for g in gaps for _ in range(5)],
        [n for n in range(40) for _ in range(5)],
    )
    assert once.rate is not None
    assert often.rate is not None
    assert often.rate.value == pytest.approx(once.rate.value)
    assert often.rate.high - often.rate.low == pytest.approx(once.rate.high - once.rate.low, rel=0.1)
    assert often.rate.count == 40


@pytest.mark.parametrize(
    ("p", "gaps", "why"),
    [
        ([0.6] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], "too few"),
        ([0.6] * LEAST_PROMPTS, [3.0] * LEAST_PROMPTS, "same length"),
        ([float(n % 2) for n in range(40)], [float(2 * (n % 2) - 1) for n in range(40)], "without exception"),
    ],
)
def test_what_cannot_be_told(p: list[float], gaps: list[float], why: str) -> None:
    found = length_controlled(p, gaps, list(range(len(p))))
    assert found.rate is None
    assert why in found.reason
    assert found.as_json()["win_rate"] is None


def _spread(gaps: list[float]) -> float:
    middle = sum(gaps) / len(gaps)
    return math.sqrt(sum((gap - middle) ** 2 for gap in gaps) / len(gaps))
