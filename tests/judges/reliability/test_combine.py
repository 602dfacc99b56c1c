"""What a judge of known accuracy brings, and tempering."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from judges.probability import LOGIT_CLIP
from judges.reliability.combine import heard, temper
from tenet.errors import UsageError


def test_a_hard_vote_brings_the_log_odds_of_its_judge() -> None:
    odds = heard([[1.0, 0.0, 0.5, 1.0, math.nan, 1.0]], [0.8, 0.8, 0.8, 0.2, 0.8, math.nan])
    ln4 = math.log(4)
    assert odds[0] == pytest.approx([ln4, -ln4, 0.0, -ln4, 0.0, 0.0])


def test_a_soft_vote_is_a_mixture_by_hand() -> None:
    # p = 3/4 of a judge right in 4 of 5: (3/4 x 4/5 + 1/4 x 1/5) = 13/20 against 7/20
    assert heard([[0.75]], [0.8])[0, 0] == pytest.approx(math.log(13 / 7))


def test_no_certainty_brings_more_than_the_clip() -> None:
    assert heard([[1.0, 0.0]], [1.0, 1.0])[0].tolist() == [LOGIT_CLIP, -LOGIT_CLIP]


def test_tempering_reaches_its_ceiling_and_never_sharpens() -> None:
    odds = np.array([3.0, -4.0, 0.5])
    slope = temper(odds, 0.7)
    assert expit(np.abs(slope * odds)).mean() == pytest.approx(0.7)
    assert temper(odds, 1.0) == 1.0
    assert temper(odds, 0.5) == pytest.approx(0.0, abs=1e-9)
    assert temper(np.zeros(3), 0.5) == 1.0
    with pytest.raises(UsageError, match="ceiling"):
        temper(odds, 0.4)
