"""Each metric against numbers worked by hand, or against a library that has it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from judges.card import agreement, certainty, cycles, lengths, order, principles
from judges.card.agreement import NONE, TIE, A, B
from judges.card.bootstrap import MOST_UNITS, Resampler, average, ratio, share
from judges.card.figures import Figure, unknown
from tenet.intervals import wilson


def codes(*rows: Any) -> Any:
    return np.array(rows, dtype=np.int64)


def each(count: int) -> Any:
    """Every row a prompt of its own."""
    return np.arange(count, dtype=np.int64)


def draws(prompts: int = 50) -> Resampler:
    return Resampler(prompts, replicates=200)


def test_a_figure_is_a_number_or_a_reason() -> None:
    assert unknown("no rows").as_json() == {"value": None, "reason": "no rows", "count": 0}
    for bad in ({"value": math.nan}, {"value": None}, {"value": 1.0, "reason": "but"}):
        with pytest.raises(ValueError, match="figure"):
            Figure(**bad)  # type: ignore[arg-type]


def test_the_bootstrap_has_the_spread_of_the_binomial() -> None:
    hits = np.array([1.0] * 80 + [0.0] * 320)
    found = Resampler(400, 2000).figure(share(hits), each(400), ratio, none="")
    assert found.value == 0.2
    assert found.low == pytest.approx(0.2 - 1.96 * math.sqrt(0.2 * 0.8 / 400), abs=0.006)
    assert found.high == pytest.approx(0.2 + 1.96 * math.sqrt(0.2 * 0.8 / 400), abs=0.006)
    assert found == Resampler(400, 2000).figure(share(hits), each(400), ratio, none=""), "seeded"


def test_rows_of_one_prompt_stand_and_fall_together() -> None:
    hits = np.array([1.0] * 20 + [0.0] * 80)
    alone = Resampler(100).figure(share(hits), each(100), ratio, none="")
    tenfold = Resampler(100).figure(share(np.repeat(hits, 10)), np.repeat(each(100), 10), ratio, none="")
    assert (tenfold.low, tenfold.high) == pytest.approx((alone.low, alone.high))
    assert tenfold.count == 1000
    one = Resampler(1).figure(share(hits), np.zeros(100, dtype=np.int64), ratio, none="")
    assert (one.value, one.low, one.high) == (0.2, None, None), "a single prompt has no interval"


def test_many_prompts_are_drawn_in_blocks() -> None:
    count = MOST_UNITS * 5
    rng = np.random.default_rng(0)
    hits = (rng.random(count) < 0.3).astype(float)
    blocks = Resampler(count, 300)
    assert blocks.weights.shape == (300, MOST_UNITS)
    found = blocks.figure(share(hits), each(count), ratio, none="")
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * math.sqrt(0.3 * 0.7 / count), rel=0.2)


def test_what_is_not_defined_has_a_reason() -> None:
    assert draws().figure(np.zeros((0, 2)), each(0), ratio, none="nothing").reason == "nothing"
    assert draws().figure(np.zeros((3, 2)), each(3), ratio, none="no weight").reason == "no weight"


def test_accuracy_counts_a_failure_as_wrong_and_leaves_out_pairs_without_a_majority() -> None:
    said, truth = codes(A, B, NONE, TIE, A), codes(A, A, A, TIE, NONE)
    found = agreement.accuracy(said, truth, each(5), draws())
    assert (found.value, found.count) == (0.5, 4)
    weighted = agreement.accuracy(said, truth, each(5), draws(), np.array([3.0, 1.0, 1.0, 1.0, 9.0]))
    assert weighted.value == pytest.approx(4 / 6)


def test_cohens_kappa_of_the_textbook_table() -> None:
    one = codes(*[A] * 25, *[B] * 25)
    other = codes(*[A] * 20, *[B] * 5, *[A] * 10, *[B] * 15)
    assert agreement.cohen_kappa(one, other, each(50), draws()).value == pytest.approx(0.4)
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(1)
    left, right = rng.integers(-1, 3, 300), rng.integers(-1, 3, 300)
    both = (left >= 0) & (right >= 0)
    found = agreement.cohen_kappa(left, right, each(300), draws(300)).value
    assert found == pytest.approx(cohen_kappa_score(left[both], right[both]))
    assert "single answer" in agreement.cohen_kappa(codes(A, A), codes(A, A), each(2), draws()).reason
    assert "no pair" in agreement.cohen_kappa(codes(A, NONE), codes(NONE, A), each(2), draws()).reason


def test_krippendorffs_alpha_of_his_own_example() -> None:
    meg, owen = (0, 1, 0, 0, 0, 0, 0, 0, 1, 0), (1, 1, 1, 0, 0, 1, 0, 0, 0, 0)
    opinions = np.array([meg, owen]).T
    found = agreement.krippendorff_alpha(opinions, each(10), draws()).value
    assert found == pytest.approx(1 - 19 * 4 / (14 * 6))  # 0.095 (Krippendorff 2011, section A)


def test_alpha_agrees_with_crowd_kit_where_opinions_are_missing() -> None:
    pandas = pytest.importorskip("pandas")
    metrics = pytest.importorskip("crowdkit.metrics.data")
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 80)
    opinions = np.where(rng.random((80, 4)) < 0.7, truth[:, None], rng.integers(0, 3, (80, 4)))
    opinions[rng.random((80, 4)) < 0.3] = NONE
    rows = [
        {"task": task, "worker": worker, "label": int(opinions[task, worker])}
        for task in range(80)
        for worker in range(4)
        if opinions[task, worker] != NONE and (opinions[task] != NONE).sum() >= 2
    ]
    found = agreement.krippendorff_alpha(opinions, each(80), draws(80)).value
    assert found == pytest.approx(metrics.alpha_krippendorff(pandas.DataFrame(rows)), abs=1e-9)


def test_alpha_of_one_opinion_each_or_of_one_value_is_not_told() -> None:
    assert "two opinions" in agreement.krippendorff_alpha(codes([A, NONE], [NONE, B]), each(2), draws()).reason
    assert "all opinions are the same" in agreement.krippendorff_alpha(codes([A, A], [A, A]), each(2), draws()).reason
    assert "two opinions" in agreement.krippendorff_alpha(np.zeros((4, 0), dtype=np.int64), each(4), draws()).reason


def test_fleiss_kappa_is_that_of_statsmodels_and_asks_for_full_rows() -> None:
    from statsmodels.stats.inter_rater import fleiss_kappa

    rng = np.random.default_rng(3)
    opinions = rng.integers(0, 3, (60, 4))
    found = agreement.fleiss_kappa(opinions, each(60), draws(60))
    assert found.value == pytest.approx(fleiss_kappa(agreement.counts_of(opinions), method="fleiss"))
    assert agreement.fleiss_kappa(codes([A, NONE]), each(1), draws()).reason
    assert "fewer than two" in agreement.fleiss_kappa(codes([A], [B]), each(2), draws()).reason


def test_the_human_ceiling_leaves_one_out() -> None:
    opinions = codes([A, A, B], [B, B, B], [A, B, TIE], [A, A, NONE])
    # Row 1: only the third faces a majority, and is wrong; row 2: three right; rows 3 and 4: nobody faces one.
    found = agreement.human_ceiling(opinions, each(4), draws())
    assert (found.value, found.count) == (0.75, 4)
    assert "three annotators" in agreement.human_ceiling(codes([A, A]), each(1), draws()).reason


def test_majority() -> None:
    opinions = codes([A, A, B], [A, B, TIE], [NONE, NONE, NONE], [TIE, TIE, B], [B, NONE, NONE])
    assert agreement.majority(agreement.counts_of(opinions)).tolist() == [A, NONE, NONE, TIE, B]


def test_alt_test_passes_a_judge_like_people_and_fails_one_unlike_them() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 200)

    def noisy(right: float) -> Any:
        return np.where(rng.random(200) < right, truth, 1 - truth)

    people = np.stack([noisy(0.85) for _ in range(3)], axis=1)
    good, bad = agreement.alt_test(noisy(0.9), people), agreement.alt_test(noisy(0.5), people)
    assert good.value == 1.0
    assert good.more["passes"] is True
    assert bad.value == 0.0
    assert bad.more["passes"] is False
    same = np.repeat(truth[:, None], 3, axis=1)
    assert agreement.alt_test(truth, same).value == 1.0, "no spread: equal throughout is no worse"
    assert agreement.alt_test(1 - truth, same).value == 0.0
    assert "fewer than 30" in agreement.alt_test(truth[:20], people[:20]).reason


def test_alt_test_needs_a_second_annotator() -> None:
    assert agreement.alt_test(codes(*[A] * 50), codes(*[[A]] * 50)).value is None


def test_order_of_showing() -> None:
    shown_a, shown_b = codes(A, A, B, NONE, NONE), codes(A, B, B, B, NONE)
    same = order.position_consistency(shown_a, shown_b, each(5), draws())
    assert (same.value, same.count) == (0.6, 5), "failing both times is the same, failing once is not"
    assert order.flip_rate(shown_a, shown_b, each(5), draws()).value == pytest.approx(0.4)
    assert order.consistency_of_opinions(shown_a, shown_b, each(5), draws()).value == pytest.approx(2 / 3)
    first = order.first_slot_rate(shown_a, shown_b, each(5), draws())
    assert first.value == pytest.approx(5 / 10)
    assert first.more["decided"] == 7
    assert first.more["p_value"] == pytest.approx(2 * (21 + 7 + 1) / 2**7)  # 5 or more of 7, both tails
    assert order.position_consistency(codes(), codes(), each(0), draws()).reason == order.ONE_ORDER
    assert order.first_slot_rate(codes(), codes(), each(0), draws()).reason == order.ONE_ORDER


def test_signed_gap_mass_and_repeats() -> None:
    gap = order.signed_gap(np.array([0.9, 0.6, np.nan]), np.array([0.7, 0.6, 0.5]), each(3), draws())
    assert gap.value == pytest.approx(0.1)
    assert order.signed_gap(np.array([np.nan]), np.array([0.5]), each(1), draws()).value is None
    mass = order.label_mass(np.array([0.5, 1.0, np.nan]), each(3), draws())
    assert (mass.value, mass.more["median"]) == (0.75, 0.75)
    assert order.label_mass(np.array([np.nan]), each(1), draws()).value is None
    assert order.repeat_stability(np.array([True, False]), each(2), draws()).value == 0.5


def test_certainty_by_hand() -> None:
    p, won, ones = np.array([0.8, 0.4]), np.array([1.0, 1.0]), np.ones(2)
    assert certainty.brier(p, won, each(2), draws(), ones).value == pytest.approx((0.04 + 0.36) / 2)
    assert certainty.log_loss(p, won, each(2), draws(), ones).value == pytest.approx(
        -(math.log(0.8) + math.log(0.4)) / 2
    )
    error = certainty.calibration_error(p, won, each(2), draws(), ones)
    assert (error.value, error.more["bins"]) == (pytest.approx((0.2 + 0.6) / 2), 2)
    certain = certainty.log_loss(np.array([1.0]), np.array([0.0]), each(1), draws(), np.ones(1))
    assert certain.value == pytest.approx(-math.log(certainty.CLIP), rel=1e-3), "clipped, not infinite"
    assert certainty.brier(p[:0], won[:0], each(0), draws(), ones[:0]).reason
    assert certainty.calibration_error(p[:0], won[:0], each(0), draws(), ones[:0]).reason


def test_certainty_does_not_depend_on_which_response_is_a() -> None:
    rng = np.random.default_rng(5)
    p, won = rng.random(200), (rng.random(200) < 0.5).astype(float)
    turned = rng.random(200) < 0.5
    q, lost = np.where(turned, 1 - p, p), np.where(turned, 1 - won, won)
    for metric in (certainty.brier, certainty.log_loss, certainty.calibration_error):
        one = metric(p, won, each(200), draws(200), np.ones(200)).value
        assert metric(q, lost, each(200), draws(200), np.ones(200)).value == pytest.approx(one)


def test_bins_of_equal_mass_keep_equal_values_together() -> None:
    values = np.repeat([0.5, 0.6, 0.9], [50, 10, 40])
    bins = certainty.equal_mass(values, 4)
    assert len({bins[0], bins[-1]}) == 2
    assert all(len(set(bins[values == one].tolist())) == 1 for one in (0.5, 0.6, 0.9))
    assert np.bincount(certainty.equal_mass(np.linspace(0.5, 1, 100), 10)).tolist() == [10] * 10


def test_length() -> None:
    said, truth, gap = codes(A, B, A, TIE, B), codes(B, B, A, A, NONE), np.array([10.0, -10.0, -5.0, 3.0, 0.0])
    assert lengths.longer_rate(said, gap, each(5), draws()).value == pytest.approx(2 / 3)
    assert lengths.longer_excess(said, truth, gap, each(5), draws()).value == pytest.approx(1 / 3)


def test_length_bias_finds_what_was_put_in() -> None:
    rng = np.random.default_rng(6)
    gap, truth = rng.normal(0, 100, 4000), rng.integers(0, 2, 4000)
    scale = np.sqrt(np.mean(gap**2))
    logits = np.where(truth == A, 1.0, -1.0) + 0.8 * np.tanh(gap / scale)
    said = np.where(rng.random(4000) < 1 / (1 + np.exp(-logits)), A, B)
    found = lengths.length_bias(said, truth, gap, each(4000), Resampler(4000, 400))
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.8 < found.high
    turned = rng.random(4000) < 0.5  # which response is called a must not matter
    other = lengths.length_bias(
        np.where(turned, 1 - said, said),
        np.where(turned, 1 - truth, truth),
        np.where(turned, -gap, gap),
        each(4000),
        draws(4000),
    )
    assert other.value == pytest.approx(found.value, abs=1e-6)
    from statsmodels.discrete.discrete_model import Logit

    inputs = np.column_stack([np.where(truth == A, 1.0, -1.0), np.tanh(gap / scale)])
    error = Logit((said == A).astype(float), inputs).fit(disp=0).bse[1]
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1.0, abs=0.15)


def test_length_bias_that_cannot_be_told() -> None:
    many = each(40)
    truth = codes(*[A, B] * 20)
    gap = np.where(truth == A, 1.0, -1.0)
    assert "same thing" in lengths.length_bias(truth, truth, gap, many, draws()).reason
    rng = np.random.default_rng(7)
    loose = rng.normal(size=40)
    assert "without exception" in lengths.length_bias(truth, truth, loose, many, draws()).reason
    assert "equal length" in lengths.length_bias(truth, truth, np.zeros(40), many, draws()).reason
    assert lengths.length_bias(np.full(40, NONE), truth, gap, many, draws()).reason


def test_cycles() -> None:
    circle = {(0, "a", "b"): "a", (0, "b", "c"): "b", (0, "a", "c"): "c"}
    line = {(1, "a", "b"): "a", (1, "b", "c"): "b", (1, "a", "c"): "a"}
    open_ = {(2, "a", "b"): "a", (2, "b", "c"): "b"}
    found = cycles.transitivity_violations(circle | line | open_, draws(3))
    assert (found.value, found.count) == (0.5, 2)
    assert cycles.transitivity_violations(open_, draws(3)).reason


def test_principles_of_pairs() -> None:
    pairs = each(40)
    winner = codes(*[A, B] * 20)
    opposite = 1 - winner
    said = {"kind": winner, "rude": opposite, "mute": np.full(40, TIE)}
    found = principles.of_pairs(dict.fromkeys(said, pairs), said, winner, pairs, draws())
    assert (found["kind"].fire_rate.value, found["kind"].agreement.value) == (1.0, 1.0)
    assert (found["kind"].redundancy.value, found["kind"].with_) == (-1.0, "rude")
    assert found["rude"].agreement.value == 0.0
    assert found["mute"].fire_rate.value == 0.0
    assert found["mute"].agreement.value is None
    assert found["mute"].redundancy.value is None


def test_principles_of_ratings() -> None:
    samples = [f"s{n}" for n in range(40)]
    half = {name: float(place < 20) for place, name in enumerate(samples)}
    ratings = {"one": half, "same": half, "never": dict.fromkeys(samples, 0.0)}
    prompts = {name: place for place, name in enumerate(samples)}
    classes = {name: "refuse" if place < 10 else "comply" for place, name in enumerate(samples)}
    found: Any = principles.of_ratings(ratings, prompts, classes, draws())
    assert found["one"]["fire_rate"]["value"] == 0.5
    assert (found["one"]["redundancy"]["value"], found["one"]["redundancy"]["with"]) == (pytest.approx(1.0), "same")
    phi = (10 * 20 - 10 * 0) / math.sqrt(20 * 20 * 10 * 30)
    assert found["one"]["association"]["refuse"]["value"] == pytest.approx(phi)
    assert found["one"]["association"]["comply"]["value"] == pytest.approx(-phi)
    assert found["never"]["fire_rate"]["value"] == 0.0
    assert "not estimable" in found["never"]["redundancy"]["reason"]
    assert "not estimable" in found["never"]["association"]["refuse"]["reason"]


@pytest.mark.parametrize("hit", [False, True])
def test_ten_rows_alike_are_not_certain(hit: bool) -> None:
    """The bootstrap of equal rows is a point; Wilson's interval of 10 of 10 starts at 72 %."""
    rows, groups, draws = share(np.full(10, hit)), np.arange(10), Resampler(10)
    found = draws.figure(rows, groups, ratio, none="")
    assert (found.low, found.high) == pytest.approx(wilson(float(hit), 10))
    assert found.high is not None
    assert found.low is not None
    assert found.high - found.low > 0.25
    fewer = draws.figure(rows, groups // 2, ratio, none="")
    assert (fewer.low, fewer.high) == pytest.approx(wilson(float(hit), 5)), "two rows of a prompt are one unit"
    weighed = draws.figure(share(np.full(10, hit), np.array([9.0] + [1.0] * 9)), groups, ratio, none="")
    assert (weighed.low, weighed.high) == pytest.approx(wilson(float(hit), 18**2 / 90)), "of unequal weights, fewer"
    mean = draws.figure(np.column_stack([np.zeros(10), np.ones(10)]), groups, average, none="")
    assert (mean.value, mean.low, mean.high) == (0.0, None, None), "no share, so nothing bounds it"
