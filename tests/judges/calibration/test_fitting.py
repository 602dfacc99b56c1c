"""Fits against numbers worked by hand and on judges whose temperature is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from judges.anchors import SPLIT_FROM, Anchor
from judges.calibration.choice import folds_of
from judges.calibration.fit import CROSS, HELD, fit_judge
from judges.calibration.fitting import (
    LEAST_ANCHORS,
    LEAST_ISOTONIC,
    applied,
    careful_slope,
    fit_isotonic,
    fit_slope,
    maps_for,
    slope_interval,
)
from judges.calibration.maps import Isotonic, Slope
from judges.calibration.scores import expected_calibration_error, reliability, scores
from tenet.errors import UsageError


def people(taste: np.ndarray, seed: int) -> list[Anchor]:
    """One person a pair, who prefers a with the log-odds `taste`."""
    wins = np.random.default_rng(seed).random(len(taste)) < 1 / (1 + np.exp(-taste))
    return [Anchor(f"p{n}", f"a{n}", f"b{n}", int(one), int(not one)) for n, one in enumerate(wins)]


def votes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What one person says of each of the pairs of `taste`, and weights of 1."""
    return np.array([one.share for one in people(taste(n, seed), seed + 1000)]), np.ones(n)


def said(taste: np.ndarray, factor: float) -> list[float]:
    return [float(one) for one in 1 / (1 + np.exp(-factor * taste))]


def taste(n: int, seed: int = 0) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(seed).normal(0, 1.5, n)
    return found


def test_a_slope_by_hand() -> None:
    # Of 98 votes at p = 0.9 and their mirror images 73.5 are right with Platt's targets: 73 of 98, drawn in by (1 - 2y)/100.
    p, y = np.full(98, 0.9), np.array([1.0] * 73 + [0.0] * 25)
    right = (73 * 0.99 + 25 * 0.01) / 98
    assert fit_slope(p, y, np.ones(98)).slope == pytest.approx(math.log(right / (1 - right)) / math.log(9))
    mirrored = np.where(np.arange(98) % 2, p, 1 - p), np.where(np.arange(98) % 2, y, 1 - y)
    assert fit_slope(*mirrored, np.ones(98)).slope == pytest.approx(math.log(right / (1 - right)) / math.log(9))


def test_weights_are_rows() -> None:
    p, y = np.array([0.9] * 40), np.array([1.0] * 30 + [0.0] * 10)
    heavy = fit_slope(p, y, np.array([1.0] * 30 + [3.0] * 10))
    assert heavy.slope == pytest.approx(0.0, abs=1e-6), "30 against 3 x 10 is even"


def test_a_judge_that_people_contradict_falls_silent_and_one_without_mistakes_stays_finite() -> None:
    p, ones = np.full(50, 0.8), np.ones(50)
    assert fit_slope(p, np.zeros(50), ones).slope == 0.0
    sure = fit_slope(p, np.ones(50), ones)
    assert sure(0.8) == pytest.approx(51 / 52)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        x = taste(300, seed)
        y = np.array([one.share for one in people(x, seed + 1000)])
        p, ones = np.array(said(x, 2.0)), np.ones(300)
        found = slope_interval(fit_slope(p, y, ones), p, y, ones, np.arange(300))
        held += found.low <= 0.5 <= found.high
    assert held >= 52


def test_a_careful_slope_by_hand() -> None:
    # 200 votes at p = 0.9, of which q are right: with x = log 9 the careful b has 200 KL(q || sigmoid(b x)) = z^2 / 2 (inflation 200/199).
    p, ones = np.full(200, 0.9), np.ones(200)
    y = (np.arange(200) < 140).astype(float)
    found, likeliest = careful_slope(p, y, ones, np.arange(200)), fit_slope(p, y, ones)
    q = likeliest(0.9)
    r = found(0.9)
    divergence = q * math.log(q / r) + (1 - q) * math.log((1 - q) / (1 - r))
    wrong = y - q + (1 - 2 * y) / 202  # Platt's targets less q: their variance is what the votes show
    inflation = (wrong**2).sum() * 200 / 199 / (200 * q * (1 - q))
    assert 200 * divergence == pytest.approx(2.5758293**2 / 2 * inflation, rel=1e-6)
    assert q < r < 0.9


def test_a_careful_slope_leaves_a_calibrated_judge_and_follows_many_anchors() -> None:
    kept = sum(
        careful_slope(np.array(said(taste(200, n), 1.0)), *votes(200, n), np.arange(200)).slope == 1.0
        for n in range(60)
    )
    assert kept >= 57
    x = taste(6000, 1)
    y = np.array([one.share for one in people(x, 2)])
    found = careful_slope(np.array(said(x, 3.0)), y, np.ones(6000), np.arange(6000)).slope
    assert 1 / 3 < found < 0.38


def test_a_careful_slope_does_not_depend_on_the_scale_of_weights_and_counts_prompts_once() -> None:
    p, (y, ones) = np.array(said(taste(300), 3.0)), votes(300, 0)
    one = careful_slope(p, y, ones, np.arange(300)).slope
    assert careful_slope(p, y, 7.0 * ones, np.arange(300)).slope == pytest.approx(one)
    four = [np.repeat(column, 4) for column in (p, y, ones, np.arange(300))]
    assert careful_slope(*four).slope == pytest.approx(one, abs=0.01)
    assert careful_slope(*four[:3], np.arange(1200)).slope < one - 0.05, "taken for 1,200 prompts they show more"


def test_a_judge_without_mistakes_and_one_always_wrong_have_careful_slopes() -> None:
    p, ones = np.full(50, 0.8), np.ones(50)
    assert 1.0 <= careful_slope(p, np.ones(50), ones, np.arange(50)).slope < 4.0
    assert careful_slope(p, np.zeros(50), ones, np.arange(50)).slope == 0.0, "silent"
    coin = careful_slope(p, (np.arange(50) < 24).astype(float), ones, np.arange(50)).slope
    assert 0.0 < coin < 0.6, "as likely a coin as contradicted"


def test_a_free_shape_is_taken_only_beyond_a_standard_error() -> None:
    x = taste(900, 4)
    straight = fit_judge(people(x, 5), {"x": said(x, 2.0)})
    assert straight.fit.name == "slope"
    bent = np.where(np.abs(x) > 1.0, 6.0 * np.sign(x), 0.2 * x)
    assert fit_judge(people(x, 5), {"x": said(bent, 1.0)}).fit.name == "isotonic"


def test_pairs_of_one_prompt_widen_the_interval() -> None:
    x = np.repeat(taste(100), 4)
    y = np.repeat([one.share for one in people(taste(100), 1)], 4)
    p, ones = np.array(said(x, 1.0)), np.ones(400)
    fit = fit_slope(p, y, ones)
    apart = slope_interval(fit, p, y, ones, np.arange(400))
    together = slope_interval(fit, p, y, ones, np.repeat(np.arange(100), 4))
    assert together.high - together.low > 1.7 * (apart.high - apart.low)


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
def test_a_known_temperature_comes_back_and_calibration_improves(factor: float) -> None:
    x = taste(4000)
    found = fit_judge(people(x, 7), {"pairwise": said(x, factor)})
    assert found.slope.value * factor == pytest.approx(1.0, abs=0.1)
    assert found.slope.low * factor < 1.0 < found.slope.high * factor
    assert found.after.ece < found.before.ece
    assert found.after.log_loss < found.before.log_loss
    assert (found.scored, found.fitted_anchors + found.scored_anchors) == (HELD, 4000)


def test_an_isotonic_map_is_exactly_symmetric_and_finds_a_bend() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(0.5, 1.0, 4000)
    y = (rng.random(4000) < np.where(p < 0.8, 0.5, 0.9)).astype(float)
    fit = fit_isotonic(p, y, np.ones(4000))
    assert isinstance(fit, Isotonic)
    assert fit(0.7) == pytest.approx(0.5, abs=0.05)
    assert fit(0.9) == pytest.approx(0.9, abs=0.05)
    for one in (0.01, 0.33, 0.62, 0.97):
        assert fit(one) + fit(1 - one) == pytest.approx(1.0, abs=1e-12)
    anchors = [Anchor(f"p{n}", "a", "b", int(one), 1 - int(one)) for n, one in enumerate(y)]
    assert fit_judge(anchors, {"pairwise": p.tolist()}).fit.name == "isotonic"


def test_the_way_of_asking_that_agrees_best_is_chosen() -> None:
    x = taste(120)
    noisy = x + np.random.default_rng(5).normal(0, 3, 120)
    found = fit_judge(people(x, 2), {"critique first": said(noisy, 1.0), "direct": said(x, 3.0)})
    assert found.column == "direct"
    assert {one.column for one in found.candidates} == {"critique first", "direct"}
    assert found.scored == CROSS


def test_ties_pull_towards_even() -> None:
    p = [0.9] * 40

    def anchors(ties: int) -> list[Anchor]:
        return [Anchor(f"p{n}", "a", "b", 0 if n < ties else 1, 0, 1 if n < ties else 0) for n in range(40)]

    half = fit_judge(anchors(20), {"x": p})
    assert Slope(half.slope.value)(0.9) == pytest.approx(0.75, abs=0.03)
    assert 0.75 < half.fit(0.9) < 0.9, "as far as 40 anchors show"
    with pytest.raises(UsageError, match="people tie on every anchor"):
        fit_judge(anchors(40), {"x": p})


@pytest.mark.parametrize(
    ("count", "p", "match"),
    [
        (0, 0.9, "no anchor"),
        (1, 0.9, "1 anchor cannot"),
        (LEAST_ANCHORS - 1, 0.9, "at least 20"),
        (30, 0.5, "says 0.5 of every anchor"),
        (30, math.nan, "no number from 0 to 1"),
    ],
)
def test_what_cannot_be_fitted_says_so(count: int, p: float, match: str) -> None:
    anchors = [Anchor(f"p{n}", "a", "b", 1, 0) for n in range(count)]
    with pytest.raises(UsageError, match=match):
        fit_judge(anchors, {"pairwise": [p] * count})


def test_anchors_of_few_prompts_are_refused() -> None:
    anchors = [Anchor(f"p{n % 3}", f"a{n}", f"b{n}", n % 2, 1 - n % 2) for n in range(30)]
    with pytest.raises(UsageError, match="of 3 prompts"):
        fit_judge(anchors, {"pairwise": [0.7] * 30})


def test_one_class_is_no_special_case() -> None:
    # a always wins, as ids would have it: the fit is that of the mirrored pairs.
    anchors = [Anchor(f"p{n}", "a", "b", 1, 0) for n in range(40)]
    turned = [Anchor(f"p{n}", "a", "b", n % 2, 1 - n % 2) for n in range(40)]
    one = fit_judge(anchors, {"x": [0.8] * 30 + [0.2] * 10})
    p = [0.8] * 30 + [0.2] * 10
    other = fit_judge(turned, {"x": [q if n % 2 else 1 - q for n, q in enumerate(p)]})
    assert one.slope.value == pytest.approx(other.slope.value)


def test_folds_keep_prompts_together_and_are_even() -> None:
    prompts = [f"p{n // 2}" for n in range(100)]
    place = folds_of(prompts, 5, "folds")
    assert sorted(np.bincount(place)) == [20] * 5
    assert all(place[2 * n] == place[2 * n + 1] for n in range(50))


def test_a_free_shape_needs_many_anchors() -> None:
    assert maps_for(LEAST_ISOTONIC - 1) == ("slope",)
    assert maps_for(LEAST_ISOTONIC) == ("slope", "isotonic")
    assert LEAST_ISOTONIC <= SPLIT_FROM
    few = np.full(50, 0.7)
    with pytest.raises(UsageError, match="needs 200 anchors"):
        fit_isotonic(few, few, few)


def test_scores_by_hand() -> None:
    p, y, w = np.array([0.8, 0.4]), np.array([1.0, 0.5]), np.array([3.0, 1.0])
    found = scores(p, y, w)
    even = -0.5 * math.log(0.4) - 0.5 * math.log(0.6)
    assert found.log_loss == pytest.approx((3 * -math.log(0.8) + even) / 4)
    assert found.brier == pytest.approx((3 * 0.04 + 0.01) / 4)
    assert found.ece == pytest.approx((3 * 0.2 + 0.1) / 4)
    assert math.isfinite(scores(np.array([1.0]), np.array([0.0]), np.array([1.0])).log_loss)


def test_a_reliability_curve_is_symmetric_and_weighs_one() -> None:
    p = np.array([0.8] * 10)
    y = np.array([1.0] * 7 + [0.0] * 3)
    low, high = reliability(p, y, np.ones(10))
    assert (high.said, high.found) == (pytest.approx(0.8), pytest.approx(0.7))
    assert (low.said, low.found) == (pytest.approx(0.2), pytest.approx(0.3))
    assert low.share + high.share == pytest.approx(1.0)
    assert expected_calibration_error(p, y, np.ones(10)) == pytest.approx(0.1)


def test_a_map_on_an_array_is_the_map_on_each() -> None:
    fit = fit_slope(np.full(30, 0.7), np.ones(30), np.ones(30))
    assert applied(fit, np.array([0.2, 0.7])).tolist() == [fit(0.2), fit(0.7)]
