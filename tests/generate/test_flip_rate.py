"""The interval of a share of a finite whole, against numbers worked by hand and against every sample there is."""

from __future__ import annotations

import pytest
from scipy.stats import hypergeom

from generate.flip_rate import share


def test_numbers_worked_by_hand() -> None:
    # n = 50 x 99 / 50 = 99, z^2 = 3.8415: centre (0.2 + 0.019401) / 1.038803, half 1.95996 / 1.038803 x sqrt(0.16 / 99 + 3.8415 / 39204)
    found = share(10, 50, 100)
    assert (found.value, found.low, found.high) == (
        0.2,
        pytest.approx(0.13308, abs=1e-4),
        pytest.approx(0.28933, abs=1e-4),
    )


def test_a_whole_that_was_seen_has_no_interval() -> None:
    assert share(3, 12, 12) == share(3, 12, 12).scaled(1.0)
    assert (share(3, 12, 12).low, share(3, 12, 12).high) == (0.25, 0.25)
    assert (share(0, 0, 0).low, share(0, 0, 0).high) == (0.0, 0.0)
    assert (share(0, 0, 9).low, share(0, 0, 9).high) == (0.0, 1.0)


def test_an_interval_keeps_to_what_the_sample_proves() -> None:
    found = share(0, 90, 100)
    assert found.low == 0.0
    assert found.high <= 0.10
    assert share(90, 90, 100).low >= 0.90


@pytest.mark.parametrize(("hits", "drawn", "whole"), [(-1, 2, 3), (3, 2, 3), (1, 4, 3)])
def test_impossible_counts_are_refused(hits: int, drawn: int, whole: int) -> None:
    with pytest.raises(ValueError, match="hits of"):
        share(hits, drawn, whole)


@pytest.mark.parametrize("drawn", [60, 200, 380])
@pytest.mark.parametrize("rate", [0.05, 0.1, 0.25, 0.5, 0.75, 0.9])
def test_intervals_cover_the_truth_over_all_samples(rate: float, drawn: int) -> None:
    """The exact coverage: every number of hits a sample can have, by its hypergeometric chance, for rates around the one named."""
    whole = 600
    covered = []
    for turned in range(round(rate * whole) - 5, round(rate * whole) + 6):
        chances = hypergeom(whole, turned, drawn)
        intervals = (
            (hits, share(hits, drawn, whole)) for hits in range(max(0, drawn + turned - whole), min(drawn, turned) + 1)
        )
        covered.append(sum(chances.pmf(hits) for hits, one in intervals if one.low <= turned / whole <= one.high))
    assert 0.93 <= sum(covered) / len(covered) <= 0.97
