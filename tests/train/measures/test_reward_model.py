"""A reward model on pairs: numbers by hand, a length baseline, groups, and the command on a real (tiny) model."""

from __future__ import annotations

import json
import math
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tests.train.world import pair_rows, write_jsonl
from train.measures.pair_scores import LEAST_PROMPTS, Scored, fit_of, length_only, row_of


def scored(p: float, gap: float, words: float = 0.0, prompt: str = "p", weight: float = 1.0) -> Scored:
    return Scored(prompt, p, weight, gap, words, ())


def test_scores_by_hand() -> None:
    rows = [
        scored(1.0, 2.0, prompt="a"),
        scored(1.0, -1.0, prompt="b"),
        scored(0.5, 3.0, prompt="c"),
        scored(0.2, -0.5, prompt="d"),
    ]
    found = fit_of([row.gap for row in rows], rows, 0)
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(2 / 3)  # the even label is left out
    assert found.accuracy.count == 3

    def loss(p: float, gap: float) -> float:
        s = 1 / (1 + math.exp(-gap))
        return -(p * math.log(s) + (1 - p) * math.log(1 - s))

    assert found.log_loss.value == pytest.approx(sum(loss(row.p, row.gap) for row in rows) / 4)
    assert found.ece.low <= found.ece.value <= found.ece.high
    assert fit_of([0.0], [scored(0.5, 0.0)], 0).accuracy is None


def test_weights_count() -> None:
    rows = [scored(1.0, 1.0, prompt="a", weight=3.0), scored(1.0, -1.0, prompt="b", weight=1.0)]
    found = fit_of([row.gap for row in rows], rows, 0)
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(0.75)


def test_the_baseline_finds_out_which_way_length_points() -> None:
    rng = random.Random(0)
    rows = []
    for number in range(200):
        words = rng.choice([-10.0, -3.0, 4.0, 12.0])
        shorter_wins = rng.random() < 0.85
        rows.append(scored(float((words < 0) == shorter_wins), rng.gauss(0, 1), words, str(number)))
    base = length_only(rows)
    assert base is not None
    row = row_of("all", "all pairs", rows, base, 0)
    assert row.length is not None
    assert row.length.accuracy is not None
    assert row.length.accuracy.value == pytest.approx(0.85, abs=0.06)
    assert row.ahead is not None
    assert row.ahead.high < 0  # the model guesses
    assert length_only(rows[: LEAST_PROMPTS - 1]) is None


def test_a_baseline_of_equal_lengths_is_even() -> None:
    rows = [scored(1.0, 1.0, 0.0, str(number)) for number in range(40)]
    assert length_only(rows) == [0.0] * 40


@pytest.fixture(scope="module")
def reward_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random reward model of the shape that `tenet train reward` leaves."""
    import torch
    from transformers import AutoModelForSequenceClassification

    folder = tmp_path_factory.mktemp("models") / "reward"
    shutil.copytree(tiny_model, folder)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1)
    model.save_pretrained(folder)
    return folder


def test_the_command_groups_by_source_and_principle(reward_model: Path, tmp_path: Path) -> None:
    rows = [
        {**row, "source": "human" if n % 3 else "ai", "principles": ["kind", "brief"] if n % 2 else ["kind"]}
        for n, row in enumerate(pair_rows(40, p=lambda draw: 0.6 + 0.4 * draw.random()))
    ]
    rows.append({**rows[0], "rejected": rows[0]["chosen"]})
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    words = ["evaluate-reward", str(reward_model), "--data", str(data), "--out", str(tmp_path)]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for said in ("all pairs", "source: ai", "source: human", "principles: kind", "principles: brief", "length only"):
        assert said in done.stdout
    assert "does not say who made its labels" in done.stderr
    assert "left out, equal: 1" in done.stderr
    held = json.loads((tmp_path / "reward-evaluation.json").read_text())
    pairs = {(row["column"], row["name"]): row["pairs"] for row in held["rows"]}
    assert pairs == {
        ("all", "all pairs"): 40,
        ("principles", "brief"): 20,
        ("principles", "kind"): 40,
        ("source", "ai"): 14,
        ("source", "human"): 26,
    }
    again = CliRunner().invoke(cli, [*words, "--json", "--limit", "10"], catch_exceptions=False)
    assert json.loads(again.stdout)["rows"][0]["pairs"] == 10
    assert any("no length-only baseline" in note for note in json.loads(again.stdout)["notes"])


def test_what_was_trained_on_is_not_measured_on(reward_model: Path, tmp_path: Path) -> None:
    from tenet.console import Console
    from tenet.ids import digest
    from train.measures.reward_model import RewardEvaluationConfig, evaluate_reward
    from train.sources import digests

    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(60))
    trained = tmp_path / "trained"
    shutil.copytree(reward_model, trained)
    record = {
        "status": "finished",
        "identity": {"data": digest(digests(data))},
        "config": {"eval_share": 0.3, "split": "train"},
    }
    (trained / "train.json").write_text(json.dumps(record))
    found = evaluate_reward(RewardEvaluationConfig(model=str(trained), data=str(data)), console=Console(quiet=True))
    assert 5 < found.rows[0].pairs < 35
    assert any("30% of the prompts that it held out" in note for note in found.notes)
    record["config"] = {"eval_share": 0.0}
    (trained / "train.json").write_text(json.dumps(record))
    found = evaluate_reward(RewardEvaluationConfig(model=str(trained), data=str(data)), console=Console(quiet=True))
    assert found.rows[0].pairs == 60
    assert any("WARNING" in note for note in found.notes)
