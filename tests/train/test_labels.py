"""Which rows hard labels and margins leave out, and how margins turn with their rows."""

from __future__ import annotations

import math

import pytest

from tenet.errors import InvalidInput
from train.config import DpoConfig, Labels, Margin, RewardConfig
from train.labels import oriented, refusals, require_margin, takes_hard_labels, takes_margin
from train.rows import Reason

MARGINS = RewardConfig(model="m", data="d", labels=Labels.HARD, margin=Margin.JUDGE)


def test_margins_turn_with_their_rows() -> None:
    found = oriented([1.5, -2.0, None, "far", True, math.inf], [False, True, False, False, False, True])
    assert found[:2] == [1.5, 2.0]
    assert all(math.isnan(margin) for margin in found[2:5])
    assert found[5] == -math.inf


def test_what_is_left_out() -> None:
    before, p = ["", Reason.EQUAL.value, "", "", ""], [0.5, 0.5, 0.9, 0.9, 0.5]
    assert refusals(before, p, None, hard=False) == before
    assert refusals(before, p, None, hard=True) == ["tie", "equal", "", "", "tie"]
    margins = [1.0, 1.0, -0.5, math.nan, 0.0]
    assert refusals(before, p, margins, hard=False) == ["", "equal", "bad_margin", "bad_margin", ""]


def test_who_takes_what() -> None:
    assert takes_margin(MARGINS)
    assert takes_hard_labels(DpoConfig(model="m", data="d", labels=Labels.HARD))
    assert not takes_margin(DpoConfig(model="m", data="d"))
    require_margin(["prompt"], "d", RewardConfig(model="m", data="d"))
    require_margin(["judge_margin"], "d", MARGINS)
    with pytest.raises(InvalidInput, match="no column judge_margin"):
        require_margin(["prompt"], "d", MARGINS)
