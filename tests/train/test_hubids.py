"""Models and data that are not on this machine: told all at once, before any work. (The hub itself: tests/generate/test_hub.py.)"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tenet.config import make_config
from tenet.hub import HubId
from tests.train.world import pair_rows, write_jsonl
from train.config import DpoConfig, OnlineDpoConfig, PpoConfig
from train.hubids import evaluation_ids, training_ids
from train.measures.model import EvaluateConfig


def test_what_trainings_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "local").mkdir()
    told = {"model": "lab/m", "revision": "v2", "data": "lab/pairs:config", "reference": "lab/m"}
    assert training_ids(make_config(told, DpoConfig)) == [
        HubId("model", "lab/m", "model", "v2"), HubId("dataset", "lab/pairs", "data"), HubId("model", "lab/m", "reference"),
    ]  # fmt: skip
    judge = {"model": "lab/judge", "principles": "helpfulness", "options": {"revision": "v3"}}
    told = {"model": "local", "data": "not-yet.jsonl", "judge": judge}
    assert training_ids(make_config(told, OnlineDpoConfig)) == [HubId("model", "lab/judge", "judge.model", "v3")]
    served = {
        "model": "lab/judge",
        "principles": "helpfulness",
        "engine": "http",
        "base_url": ["http://127.0.0.1:1/v1"],
    }
    told = {"model": "local", "data": "local", "judge": served, "critic": "lab/critic"}
    assert training_ids(make_config(told, PpoConfig)) == [HubId("model", "lab/critic", "critic")]


def test_what_an_evaluation_takes(tmp_path: Path) -> None:
    prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Why?"}])
    told = {"base": "lab/m", "trained": "lab/m", "prompts": str(prompts), "oracle": "pocket"}
    assert evaluation_ids(make_config(told, EvaluateConfig)) == [HubId("model", "lab/m", "base")]
    scripted = {**told, "engine": "scripted", "judge": {"model": "lab/judge", "principles": "helpfulness"}}
    assert evaluation_ids(make_config(scripted, EvaluateConfig)) == [HubId("model", "lab/judge", "judge.model")]


def test_offline_nothing_begins_without_its_models(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    out = tmp_path / "out"
    words = ["train", "dpo", "--model", "lab/m", "--data", str(data), "--out", str(out), "--set", "reference=lab/r"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 3
    assert "HF_HUB_OFFLINE is set" in done.stderr
    assert "model: lab/m is neither here nor in the local cache" in done.stderr
    assert "hf download lab/m; hf download lab/r" in done.stderr
    assert not out.exists()

    prompts = write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Why?"}])
    words = [
        "evaluate",
        "lab/m",
        "lab/one",
        "lab/two",
        "--prompts",
        str(prompts),
        "--oracle",
        "pocket",
        "--out",
        str(out),
    ]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 3
    assert "hf download lab/m; hf download lab/one; hf download lab/two" in done.stderr
    assert not out.exists()


def test_a_misspelt_bundled_model_or_run_is_told_without_asking_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(4))
    ask = CliRunner().invoke
    done = ask(cli, ["train", "reward", "--model", "pocket/policyy", "--data", str(data), "--out", "out"])
    assert done.exit_code == 3
    assert done.stderr == (
        "Error: model: there is no bundled model pocket/policyy\n"
        "  the bundled models are pocket/policy and pocket/judge\n"
    )
    run = tmp_path / "runs/support"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    done = ask(cli, ["train", "dpo", "--model", "pocket/policy", "--data", "runs/nope", "--out", "out"])
    assert done.exit_code == 3
    assert done.stderr == "Error: There is no run runs/nope.\n  Runs in runs: support.\n"
    assert not (tmp_path / "out").exists()
