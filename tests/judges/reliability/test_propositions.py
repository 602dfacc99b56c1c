"""Propositions: descriptions by hand, fitted weights that find the truth, and rules that veto."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from judges.probability import LOGIT_CLIP
from judges.reliability.propositions import PropositionWeights, describe, fit
from tenet.errors import UsageError

NAMES = ("apology", "again", "never", "noise")


def test_descriptions_by_hand() -> None:
    # again repeats apology in 7 of 8; never is constant
    said = [
        [1, 1, 0, 1],
        [1, 1, 0, 0],
        [1, 1, 0, 1],
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
    ]
    apology, again, never, noise = describe(said, [1, 1, 1, 0, 0, 0, 0, 0], NAMES)
    assert (apology.fires, again.fires, never.fires) == (0.5, 0.375, 0.0)
    assert not never.estimable
    assert (never.association, never.redundancy, never.redundant_with) == (None, None, None)
    assert apology.redundant_with == "again"
    assert apology.redundancy == pytest.approx(
        3 * 4 / math.sqrt(4 * 4 * 3 * 5)
    )  # phi = (ad - bc) / sqrt of the margins
    assert again.association == pytest.approx(1.0)
    assert noise.association == pytest.approx((2 * 3 - 1 * 2) / math.sqrt(4 * 4 * 3 * 5))


def test_weights_come_back_and_constant_propositions_weigh_nothing() -> None:
    rng = np.random.default_rng(0)
    said = np.column_stack([rng.random((4000, 3)) < 0.5, np.zeros(4000)]).astype(float)
    wanted = rng.random(4000) < expit(said[:, :3] @ [2.0, -1.0, 0.0] - 0.5)
    found = fit(said, wanted)
    assert found.values == pytest.approx([2.0, -1.0, 0.0, 0.0], abs=0.25)
    assert found.values[3] == 0.0
    assert found.p(said).mean() == pytest.approx(wanted.mean(), abs=0.01)
    assert fit(said, wanted).values.tolist() == found.values.tolist()


def test_two_responses_compare_by_their_scores_and_rules_veto() -> None:
    weights = PropositionWeights(np.array([1.0, 5.0]), 0.3, 1.0)
    first, second = (
        np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.9], [0.0, 1.0]]),
        np.array([[0.0, 0.0]] * 3 + [[1.0, 1.0]]),
    )
    p = weights.p_first(first, second, rules=[False, True])
    least = expit(-LOGIT_CLIP)
    assert p == pytest.approx([expit(1.0), least, least, expit(-1.0)])
    assert weights.p_first(second, first, rules=[False, True]) == pytest.approx(1.0 - p)
    assert weights.p_first(first[:1], second[:1]) == pytest.approx([expit(1.0)])


@pytest.mark.parametrize(
    ("said", "wanted", "why"),
    [([[0.0], [1.0]], [1, 1], "both occur"), ([[0.0], [math.nan]], [0, 1], "no probability"),
     ([[0.0], [1.0]], [0, 1], "too few"), ([[1.0]] * 20, [0, 1] * 10, "no proposition varies"), ([], [], "do not fit")],
)  # fmt: skip
def test_what_cannot_be_fitted(said: list[list[float]], wanted: list[int], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        fit(said, wanted)
