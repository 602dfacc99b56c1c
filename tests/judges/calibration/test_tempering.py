"""A judge that nobody checked may not claim more than its flips allow."""

from __future__ import annotations

import pytest

from judges.calibration.tempering import Sureness
from tenet.records import Preference


def told(p_a: float, *, flipped: bool = False, both: bool = True) -> Preference:
    return Preference("p", "a", "b", p_a, p_a, p_a if both else None, flipped, 2, ("x",))


def test_a_claim_above_the_bound_is_brought_down_to_it() -> None:
    held = Sureness()
    held.add([told(0.99)] * 60 + [told(0.01, flipped=True)] * 40)
    assert held.most == pytest.approx(0.8)
    assert held.mean() == pytest.approx(0.99)
    fit = held.tempered()
    assert 0 < fit.slope < 1
    assert fit(0.99) == pytest.approx(0.8, abs=1e-4)
    assert held.mean(fit.slope) <= 0.8


def test_a_modest_judge_stays_as_it_is() -> None:
    held = Sureness()
    held.add([told(0.7), told(0.4, flipped=True)])
    assert held.tempered().slope == 1.0
    assert Sureness().tempered().slope == 1.0


def test_what_was_asked_one_way_does_not_count() -> None:
    held = Sureness()
    held.add([told(0.999, both=False)] * 5 + [told(0.6)])
    assert held.pairs == 1
