"""What is counted before a training, and when it stops."""

import math

import pytest

from tenet.errors import EXIT_TOO_MANY_FAILURES, TooManyFailures
from train.census import census_of, require_enough
from train.rows import Reason


def test_counts_by_hand() -> None:
    reasons = ["", "", "over_long", "", "equal", "over_long"]
    flipped = [False, True, True, False, False, False]
    census = census_of(reasons, [10, 20, 900, 30, 0, 800], flipped, [1, 0.75, 0, 0.5, 0, 0])
    assert (census.rows, census.kept, census.flipped, census.ties) == (6, 3, 1, 1)
    assert census.dropped == {Reason.EQUAL: 1, Reason.OVER_LONG: 2}
    assert census.mean_p == pytest.approx(0.75)
    entropies = [0.0, -0.75 * math.log(0.75) - 0.25 * math.log(0.25), math.log(2)]
    assert census.entropy == pytest.approx(sum(entropies) / 3)
    assert (census.longest, census.fitting[0.5]) == (900, 30)
    assert "3 of 6 rows" in census.lines()[0]
    assert any("longer than max_length" in line for line in census.lines())


def test_rows_without_labels_have_no_mean() -> None:
    census = census_of(["", ""], [5, 6], [False, False], None)
    assert census.mean_p is None
    assert census.entropy is None


def test_a_few_left_out_are_fine() -> None:
    census = census_of([""] * 95 + ["empty"] * 5, [9] * 100, [False] * 100, None)
    require_enough(census, "data", max_dropped=0.05, max_length=512)


def test_too_many_over_long_rows_stop_with_the_length_that_helps() -> None:
    lengths = [100] * 80 + [700] * 16 + [3000] * 4
    reasons = [""] * 80 + ["over_long"] * 20
    with pytest.raises(TooManyFailures) as caught:
        require_enough(census_of(reasons, lengths, [False] * 100, None), "data", max_dropped=0.05, max_length=512)
    said = str(caught.value)
    assert "20 of 100 rows (20.0 %)" in said
    assert "--set max_length=700" in said
    assert "--set max_dropped=0.2" in said
    assert caught.value.exit_code == EXIT_TOO_MANY_FAILURES


def test_nothing_usable_always_stops() -> None:
    census = census_of(["equal"] * 3, [0] * 3, [False] * 3, None)
    with pytest.raises(TooManyFailures, match="chosen equals rejected") as caught:
        require_enough(census, "data", max_dropped=0.99, max_length=512)
    assert "max_dropped" not in str(caught.value)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_cure(reason: Reason) -> None:
    census = census_of([reason.value, ""], [3, 3], [False, False], None)
    with pytest.raises(TooManyFailures) as caught:
        require_enough(census, "data", max_dropped=0.0, max_length=512)
    assert caught.value.hint
