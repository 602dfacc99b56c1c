"""Real processes: two learn what one learns, tell their errors once, stop together at Ctrl-C and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from tenet.console import Console
from tenet.errors import TenetError
from tests.train.world import pair_rows, write_jsonl
from train.config import DpoConfig
from train.launch.plan import Asked
from train.launch.start import Died, train_launched

ROOT = Path(__file__).parents[3]
FUNCTION = "train.dpo:train_dpo"


def config_for(model: Path, folder: Path, name: str, **more: Any) -> DpoConfig:
    rows = [{**row, "p_chosen": 0.7, "weight": 0.5 + place % 3} for place, row in enumerate(pair_rows(32))]
    data = write_jsonl(folder / "pairs.jsonl", rows)
    settings = {"eval_share": 0.0, "max_steps": 3, "learning_rate": 5e-4, "seed": 3, **more}
    return DpoConfig(model=str(model), data=str(data), out=str(folder / name), **settings)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def difference(one: Path, other: Path) -> float:
    from safetensors.torch import load_file

    ours, theirs = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tiny_model: Path, tmp_path: Path) -> None:
    from train.dpo import train_dpo

    two = config_for(tiny_model, tmp_path, "two", batch_size=16)
    told = train_launched(two, FUNCTION, Asked("cpu:2"), resume=False, command="tenet train dpo")
    assert (told["method"], told["steps"]) == ("dpo", 3)
    one = config_for(tiny_model, tmp_path, "one", batch_size=32)
    train_dpo(one, console=Console(quiet=True))
    assert difference(tmp_path / "one", tmp_path / "two") <= 1e-3
    record = json.loads((tmp_path / "two" / "train.json").read_text(encoding="utf-8"))
    assert record["processes"] == {"processes": 2, "sharding": "none", "stage": 0}


@pytest.mark.slow
def test_ctrl_c_stops_all_after_the_step_with_a_checkpoint(tiny_model: Path, tmp_path: Path) -> None:
    config = config_for(tiny_model, tmp_path, "out", batch_size=4, max_steps=100_000, precompute_reference=False)
    words = [sys.executable, "-m", "tenet", "train", "dpo", "--model", config.model, "--data", config.data]
    words += ["--out", str(config.out), "--set", "max_steps=100000", "--set", "batch_size=4", "--set", "log_every=1"]
    words += ["--set", "eval_share=0.0", "--set", "precompute_reference=false"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    metrics = tmp_path / "out" / "metrics.jsonl"
    started = subprocess.Popen([*words, "--launch", "cpu:2"], env=environment, stderr=subprocess.PIPE, text=True)
    while not metrics.exists() and started.poll() is None:
        time.sleep(0.2)
    started.send_signal(signal.SIGINT)
    said = started.communicate()[1]
    assert started.returncode == 130, said
    assert said.count("go on with:") == 1
    assert "--launch cpu:2 --resume" in said
    done = json.loads(metrics.read_text(encoding="utf-8").splitlines()[-1])["step"]
    checkpoints = [path.name for path in (tmp_path / "out" / "checkpoints").glob("checkpoint-*")]
    assert f"checkpoint-{done}" in checkpoints


def test_an_error_of_the_training_is_told_once_with_its_exit_code(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = DpoConfig(model="m", data="d", out=str(tmp_path / "out"))
    with pytest.raises(TenetError, match=r"no good\n  do better") as caught:
        train_launched(
            config, "tests.train.launch.launched:refuse", Asked("cpu:2"), resume=False, command="tenet train"
        )
    assert caught.value.exit_code == 4
    assert capfd.readouterr().err == ""


def test_a_process_that_is_killed_ends_the_others(tmp_path: Path) -> None:
    config = DpoConfig(model="m", data="d", out=str(tmp_path / "out"))
    with pytest.raises(Died, match="process 1 of the training was ended by SIGKILL"):
        train_launched(
            config, "tests.train.launch.launched:be_killed", Asked("cpu:2"), resume=False, command="tenet train"
        )


@pytest.mark.slow
def test_ray_train_starts_processes_that_talk_and_tells_their_errors(tmp_path: Path) -> None:
    pytest.importorskip("ray.train.torch")
    config = DpoConfig(model="m", data="d", out=str(tmp_path / "out"))
    told = train_launched(
        config, "tests.train.launch.launched:count", Asked("ray:2"), resume=False, command="tenet train"
    )
    assert told == {"processes": 2}
    with pytest.raises(TenetError, match=r"no good\n  do better") as caught:
        train_launched(
            config, "tests.train.launch.launched:refuse", Asked("ray:2"), resume=False, command="tenet train"
        )
    assert caught.value.exit_code == 4
