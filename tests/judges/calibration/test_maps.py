"""Maps of probabilities: symmetric, increasing, read back as they were stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.calibration.maps import Isotonic, Slope, map_from_json
from tenet.errors import UsageError

MAPS = [Slope(0.0), Slope(0.4), Slope(3.0), Isotonic((0.0, 0.1, 0.4), (0.0, 0.0, 0.3)), Isotonic((0.0,), (0.0,))]


@given(st.floats(0, 1), st.sampled_from(MAPS))
def test_the_other_response_has_the_rest(p: float, fit: Slope | Isotonic) -> None:
    assert fit(1.0 - p) == pytest.approx(1.0 - fit(p), abs=1e-9)
    assert fit(0.5) == 0.5


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(MAPS))
def test_no_verdict_is_turned_round(p: float, q: float, fit: Slope | Isotonic) -> None:
    low, high = sorted((p, q))
    assert fit(low) <= fit(high) + 1e-12


def test_by_hand() -> None:
    assert Slope(0.5)(0.9) == pytest.approx(3 / 4)  # odds 9 become 3
    bent = Isotonic((0.0, 0.1, 0.4), (0.0, 0.0, 0.3))
    assert bent(0.6) == 0.5
    assert bent(0.75) == pytest.approx(0.65)  # half way from 0.6 to 0.9
    assert bent(0.99) == pytest.approx(0.8)  # level beyond the last knot


@pytest.mark.parametrize("fit", MAPS)
def test_stored_maps_read_back(fit: Slope | Isotonic) -> None:
    assert map_from_json(fit.as_json()) == fit


@pytest.mark.parametrize(
    "value",
    [{}, {"map": "slope"}, {"map": "slope", "slope": -1.0}, {"map": "isotonic", "x": [0.0, 0.2], "y": [0.0, -0.1]}],
)
def test_what_is_no_map_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        map_from_json(value)  # type: ignore[arg-type]
