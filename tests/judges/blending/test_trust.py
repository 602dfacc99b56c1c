"""How far a judge is believed: by principle where there are labels enough, so that one read upside down does not spoil the other."""

from __future__ import annotations

import random

import pytest

from judges.anchors import Anchor
from judges.blending.trust import Stated, group_of, trust
from judges.calibration.fitting import LEAST_ANCHORS
from judges.calibration.maps import Slope
from judges.calibration.store import AnchorRow


def anchors(group: str, count: int, right: float, seed: int = 0) -> list[tuple[str, AnchorRow]]:
    """A judge that says 0.95 of the response that a person prefers in a share `right` of pairs, of a prompt each."""
    rng, found = random.Random(f"{group} {seed}"), []
    for number in range(count):
        agrees, a = rng.random() < right, rng.random() < 0.5
        anchor = Anchor(f"{group}-{number}", "a", "b", int(a), int(not a))
        found.append((group, AnchorRow(anchor, 0.95 if agrees is a else 0.05)))
    return found


def test_a_principle_read_upside_down_is_silent_and_the_other_stays() -> None:
    found = trust([*anchors("good", 80, 0.95), *anchors("bad", 80, 0.05)], Stated(0.8))
    good, bad = found.of("good"), found.of("bad")
    assert bad.fit == Slope(0.0)
    assert good.fit is not None
    assert good.fit(0.95) > 0.85
    assert good.rule is not None
    assert good.rule.accepts(0.95)
    assert bad.rule is not None
    assert not bad.rule.accepts(0.999)
    assert found.whole.rule is not None
    assert not found.whole.rule.accepts(0.95)


def test_all_as_one_judge_where_asked() -> None:
    found = trust([*anchors("good", 80, 0.95), *anchors("bad", 80, 0.05)], Stated(0.8), apart=False)
    assert found.groups == {}
    assert found.of("good") is found.whole


def test_a_principle_with_too_few_labels_is_heard_as_all_are() -> None:
    found = trust([*anchors("good", 80, 0.95), *anchors("new", LEAST_ANCHORS - 1, 0.0)])
    assert set(found.groups) == {"good"}
    assert found.of("new") is found.whole
    assert found.whole.anchors == 80 + LEAST_ANCHORS - 1
    assert found.whole.rule is None, "no agreement was asked for"


def test_without_anchors_nothing_is_fitted_and_nothing_accepted() -> None:
    found = trust([], Stated(0.8))
    assert found.whole.fit is None
    assert found.whole.rule is not None
    assert not found.whole.rule.accepts(1.0)


@pytest.mark.parametrize(("names", "group"), [(("b", "a"), "a+b"), (("",), ""), ((), "")])
def test_principles_that_were_asked_together_are_one_judge(names: tuple[str, ...], group: str) -> None:
    assert group_of(names) == group
