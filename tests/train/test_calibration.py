"""Held-out scores against numbers worked by hand, and on models that are calibrated by construction."""

import math
from pathlib import Path

import numpy as np
import pytest

from judges.calibration.scores import expected_calibration_error
from train.calibration import Link, held_out_metrics
from train.config import Method
from train.session import TrainResult, summary


def test_scores_by_hand() -> None:
    # s(ln 3) = 0.75, s(0) = 0.5, s(-ln 3) = 0.25
    found = held_out_metrics([math.log(3), 0.0, -math.log(3)], [1.0, 0.75, 0.5], [1.0, 1.0, 1.0])
    assert found["brier"] == pytest.approx((0.0625 + 0.0625 + 0.0625) / 3)
    assert found["pair_accuracy"] == pytest.approx((1.0 + 0.5) / 2)  # the tie is no vote, a gap of 0 counts half
    losses = [-math.log(0.75), math.log(2), -0.5 * math.log(0.75) - 0.5 * math.log(0.25)]
    assert found["log_loss"] == pytest.approx(sum(losses) / 3)
    entropies = [0.0, -0.75 * math.log(0.75) - 0.25 * math.log(0.25), math.log(2)]
    assert found["entropy"] == pytest.approx(sum(entropies) / 3)
    assert found["pairs"] == 3


def test_weights_count() -> None:
    found = held_out_metrics([1.0, -1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 0.5], [3.0, 1.0, 2.0, 9.0])
    assert found["pair_accuracy"] == pytest.approx(4 / 6)
    assert (found["pairs_right"], found["pairs_decided"], found["pairs"]) == (1.5, 3.0, 4.0)


def test_no_rows_give_no_scores() -> None:
    assert held_out_metrics([], [], []) == {}


def test_only_ties_give_no_accuracy() -> None:
    assert "pair_accuracy" not in held_out_metrics([1.0], [0.5], [1.0])


def test_a_calibrated_model_of_hard_labels_has_no_calibration_error() -> None:
    # Says 0.8 for the response that wins eight times in ten; stored with the winner first, p is always 1.
    guess = np.array([0.8] * 80 + [0.2] * 20)
    error = expected_calibration_error(guess, np.ones(100), np.ones(100))
    assert error == pytest.approx(0.0, abs=1e-9)
    assert held_out_metrics(list(np.log(guess / (1 - guess))), [1.0] * 100, [1.0] * 100)["ece"] == pytest.approx(0.0)


def test_an_overconfident_model_is_off_by_its_overconfidence() -> None:
    guess = np.array([0.99] * 80 + [0.01] * 20)
    assert expected_calibration_error(guess, np.ones(100), np.ones(100)) == pytest.approx(0.19, abs=1e-9)


def test_extreme_gaps_stay_finite() -> None:
    found = held_out_metrics([800.0, -800.0], [1.0, 1.0], [1.0, 1.0])
    assert found["log_loss"] == pytest.approx(400.0)
    assert all(math.isfinite(value) for value in found.values())


def test_gaps_of_ipo_are_probabilities_on_a_line() -> None:
    found = held_out_metrics([0.3, -0.1, 0.9], [0.8, 0.6, 1.0], [1.0, 1.0, 1.0], Link.LINEAR)
    assert found["brier"] == pytest.approx((0.0 + 0.2**2 + 0.0) / 3)  # 0.8, 0.4, and 1.4 cut off at 1
    assert found["pair_accuracy"] == pytest.approx(2 / 3)
    assert "log_loss" not in found


def test_gaps_of_the_hinge_have_an_order_and_nothing_else() -> None:
    assert held_out_metrics([1.0, -0.5], [0.8, 0.6], [1.0, 1.0], Link.NONE) == {
        "pairs": 2.0, "pair_accuracy": 0.5, "pairs_right": 1.0, "pairs_decided": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (
            held_out_metrics([1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [4.0, 1.0, 1.0]),
            "accuracy 0.667 by weight (1 of 3 pairs)",
        ),
        (held_out_metrics([1.0, -1.0, -1.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]), "accuracy 0.333, Brier"),
    ],
)
def test_a_summary_says_where_an_accuracy_is_weighted(metrics: dict[str, float], words: str) -> None:
    found = {"train_loss": 0.5} | {f"eval_{key}": value for key, value in metrics.items()}
    assert f"held out (3): {words}" in summary(TrainResult(Method.REWARD, Path("reward"), found, 5, 1.0, 30, 3))
