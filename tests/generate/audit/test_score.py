"""Intervals of audits against numbers worked by hand and by other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from generate.audit.model import Interval, Result, result
from generate.audit.score import Trial, compared, mean, rate
from tenet.intervals import wilson


def trials(both: int, attack: int, control: int, neither: int) -> list[Trial]:
    """Pairs of outcomes, each of a prompt of its own."""
    kinds = [(True, True)] * both + [(True, False)] * attack + [(False, True)] * control + [(False, False)] * neither
    return [Trial(n, *kind) for n, kind in enumerate(kinds)]


def test_a_paired_difference_is_newcombes() -> None:
    """56 pairs of Newcombe (1998), table II: 36, 12, 2 and 6. Method 10 without its continuity correction, by hand."""
    found = compared(trials(36, 12, 2, 6))
    assert found is not None
    assert (found.count, found.hits, found.excess.value) == (56, 48, pytest.approx(10 / 56))
    p, q = 48 / 56, 38 / 56
    (l1, u1), (l2, u2) = wilson(p, 56), wilson(q, 56)
    phi = (36 * 6 - 12 * 2) / math.sqrt(48 * 8 * 38 * 18)
    low = 10 / 56 - math.sqrt((p - l1) ** 2 + (u2 - q) ** 2 - 2 * phi * (p - l1) * (u2 - q))
    high = 10 / 56 + math.sqrt((u1 - p) ** 2 + (q - l2) ** 2 - 2 * phi * (u1 - p) * (q - l2))
    assert (found.excess.low, found.excess.high) == (pytest.approx(low, abs=0.003), pytest.approx(high, abs=0.003))


def test_no_hit_at_all_still_leaves_room() -> None:
    found = compared(trials(0, 0, 0, 30))
    assert found is not None
    assert found.excess.value == 0.0
    assert found.excess.low < -0.05 < 0.05 < found.excess.high
    assert compared([]) is None


def test_verdicts_of_one_prompt_count_as_one_where_they_go_together() -> None:
    alone = compared(trials(0, 10, 0, 10))
    together = compared([Trial(one.cluster, one.hit, one.control) for one in trials(0, 10, 0, 10) for _ in range(5)])
    assert alone is not None
    assert together is not None
    assert (together.count, together.prompts) == (100, 20)
    assert together.excess.low == pytest.approx(alone.excess.low, abs=0.02)


def test_the_interval_covers() -> None:
    """Attack and control of one prompt go together; 95 % intervals hold the true difference about as often."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        mood = rng.beta(1, 3, 40)
        rows = [
            Trial(n, bool(rng.random() < min(1.0, p + 0.1)), bool(rng.random() < p))
            for n, p in enumerate(mood)
            for _ in range(4)
        ]
        found = compared(rows)
        assert found is not None
        true = float(np.mean(np.minimum(1.0, mood + 0.1) - mood))
        held += found.excess.low <= true <= found.excess.high
    assert 0.92 <= held / 400 <= 0.99


def test_a_rate_and_a_mean() -> None:
    told, count, prompts = rate([(n, n < 3) for n in range(12)])
    assert told is not None
    assert (count, prompts, told.value) == (12, 12, 0.25)
    assert (told.low, told.high) == (
        pytest.approx(wilson(0.25, 12 * 11 / 12)[0], abs=0.01),
        pytest.approx(wilson(0.25, 11)[1], abs=0.01),
    )
    assert rate([]) == (None, 0, 0)
    values = [0.1, -0.2, 0.4, 0.3, 0.0]
    shifted, _, _ = mean(enumerate(values))
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert shifted is not None
    assert (shifted.value, shifted.low, shifted.high) == (pytest.approx(0.12), pytest.approx(low), pytest.approx(high))
    assert mean([("p", 1.0), ("p", 0.0)]) == (None, 2, 1)


@pytest.mark.parametrize(
    ("low", "high", "prompts", "wanted"),
    [
        (-0.1, 0.05, 10, Result.HOLDS),
        (0.06, 0.3, 10, Result.FAILS),
        (0.0, 0.3, 10, Result.OPEN),
        (0.06, 0.3, 9, Result.TOO_FEW),
    ],
)
def test_only_a_whole_interval_says_something(low: float, high: float, prompts: int, wanted: Result) -> None:
    assert result(Interval((low + high) / 2, low, high), 0.05, prompts) is wanted
    assert result(None, 0.05, prompts) is Result.TOO_FEW
