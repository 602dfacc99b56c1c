"""Datasets go to a hub, and prompts and models come from one: the hub's own library against a hub in memory, over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pocket
from generate.hubids import hub_ids
from generate.publish import Target
from tenet.config import make_config
from tenet.errors import MissingInput, UsageError
from tenet.hub import HubId, is_cached
from tenet.runconfig import RunConfig
from tests.generate.fake_hub import TOKEN, FakeHub, Repo, fake_hub
from tests.generate.runs_example import ROOT, make_order, quiet, write_rows

Tenet = Callable[..., subprocess.CompletedProcess[str]]
JUDGED = {"judge": {"engine": "scripted", "model": "longer"}, "critique": "none"}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as running:
        yield running


@pytest.fixture
def tenet(hub: FakeHub, tmp_path: Path) -> Tenet:
    """The command in a folder, as a person would give it who has logged in to the hub."""

    def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        told = {
            **os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_XET": "1", **environment,
        }  # fmt: skip
        told.pop("HF_HUB_OFFLINE", None) if "HF_HUB_OFFLINE" not in environment else None
        return subprocess.run(
            [sys.executable, "-m", "tenet", *words], env=told, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )

    return command


@pytest.fixture
def run(tmp_path: Path) -> Path:
    from generate.pipeline import generate

    rows = [{"prompt": f"Question {n}?", "responses": ["short", "longer " * (2 + n)]} for n in range(6)]
    order = make_order(tmp_path, "r", {"samples": {"path": write_rows(tmp_path / "s.jsonl", rows)}, **JUDGED})
    return generate(order, quiet()).path


def test_a_dataset_is_pushed_private_and_replaced_by_the_next(hub: FakeHub, tenet: Tenet, run: Path) -> None:
    planned = tenet("export", str(run), "--push", "lab/r", "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    assert hub.asked == []
    told = json.loads(planned.stdout)
    assert (told["repository"], told["visibility"], told["uploaded"]) == ("lab/r", "private", None)

    done = tenet("export", str(run), "--push", "lab/r", "--json")
    assert done.returncode == 0, done.stderr
    repo = hub.repos["datasets/lab/r"]
    assert repo.private
    assert {name: len(held) for name, held in repo.files.items()} == {
        one["name"]: one["bytes"] for one in told["files"]
    }
    assert repo.files["README.md"] == (run / "dataset/README.md").read_bytes()
    assert json.loads(done.stdout)["uploaded"] == f"{hub.address}/datasets/lab/r"
    assert TOKEN not in done.stdout + done.stderr

    repo.files |= {"LICENSE": b"mine", "trl-preference/train-00007.parquet": b"of an earlier, larger export"}
    again = tenet("export", str(run), "--push", "lab/r")
    assert again.returncode == 0, again.stderr
    assert repo.files["LICENSE"] == b"mine"
    assert "trl-preference/train-00007.parquet" not in repo.files
    assert repo.commits == ["Dataset of the run r, by tenet export"] * 2


def test_prompts_and_a_model_come_from_the_hub_and_then_from_its_cache(
    hub: FakeHub, tenet: Tenet, tmp_path: Path
) -> None:
    hub.repos["datasets/lab/prompts"] = Repo(files={"train.jsonl": b'{"prompt": "one?"}\n{"prompt": "two?"}\n'})
    held = {path.name: path.read_bytes() for path in Path(pocket.POLICY_PATH).iterdir() if path.is_file()}
    hub.repos["models/lab/policy"] = Repo(files=held)
    (tmp_path / "run.yaml").write_text(
        "name: g\nprinciples: helpfulness\nprompts: {dataset: lab/prompts}\ncritique: none\n"
        "policy: {model: lab/policy, samples: 2, max_tokens: 4}\njudge: {engine: scripted, model: longer}\n"
    )
    done = tenet("generate", "run.yaml")
    assert done.returncode == 0, done.stderr
    assert "2 prompts" in done.stderr
    assert "4" in done.stdout
    assert ("GET", "/api/models/lab/policy") in hub.asked
    asked = len(hub.asked)
    offline = tenet("generate", "run.yaml", "--set", "name=again", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0, offline.stderr
    assert len(hub.asked) == asked


def test_what_the_hub_does_not_have_is_told_at_once_before_any_work(hub: FakeHub, tenet: Tenet, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "name: g\nprinciples: helpfulness\nprompts: {dataset: lab/none}\ncritique: none\n"
        "policy: {model: lab/secret}\njudge: {model: lab/nobody}\n"
    )
    hub.repos["models/lab/secret"] = Repo(gated=True)
    done = tenet("generate", "run.yaml")
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert lines[0] == "Error: the Hugging Face Hub does not give what is asked for:"
    assert [line.strip().split(":")[0] for line in lines[1:]] == ["prompts.dataset", "policy.model", "judge.model"]
    assert "it is gated" in lines[2]
    assert not (tmp_path / "runs").exists()

    away = tenet("generate", "run.yaml", "--dry-run", HF_ENDPOINT="http://127.0.0.1:9")
    assert away.returncode == 3
    assert "http://127.0.0.1:9 cannot be reached" in away.stderr
    assert "lab/none (prompts.dataset), lab/secret (policy.model), lab/nobody (judge.model)" in away.stderr

    off = tenet("generate", "run.yaml", HF_HUB_OFFLINE="1")
    assert off.returncode == 3
    assert off.stderr.startswith("Error: HF_HUB_OFFLINE is set")
    assert "hf download --repo-type dataset lab/none; hf download lab/secret; hf download lab/nobody" in off.stderr


def test_a_push_that_cannot_succeed_is_refused_before_the_dataset_is_written(
    hub: FakeHub, run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="does not say whose"):
        Target("r").check()
    with pytest.raises(UsageError, match="no id of the hub"):
        Target("lab/r--x..y").check()
    with pytest.raises(MissingInput, match="no token"):
        Target("lab/r").check()
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    with pytest.raises(MissingInput, match="does not accept the token"):
        Target("lab/r").check()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(UsageError, match="belong to others"):
        Target("others/r").check()
    Target("lab/r").check()
    hub.repos["datasets/lab/open"] = Repo()
    with pytest.raises(UsageError, match="everybody can read it"):
        Target("lab/open").check()
    Target("lab/open", public=True).check()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(MissingInput, match="HF_HUB_OFFLINE"):
        Target("lab/r").check()


def test_hub_ids_are_what_engines_load_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "local").mkdir()
    told = {
        "name": "n", "principles": "helpfulness", "prompts": {"dataset": "lab/p:config"},
        "policy": [{"model": "lab/m", "options": {"revision": "v2"}}, {"model": "local"}, {"model": "lab/m", "name": "twin"}],
        "judge": {"engine": "http", "model": "lab/served", "base_url": "http://127.0.0.1:1/v1"},
    }  # fmt: skip
    assert hub_ids(make_config(told, RunConfig)) == [
        HubId("dataset", "lab/p", "prompts.dataset"),
        HubId("model", "lab/m", "policy.model", "v2"),
        HubId("model", "lab/m", "policy.model"),
    ]


def test_a_model_is_cached_when_every_file_of_its_weights_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--lab--m"
    snapshot = folder / "snapshots/abc"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("abc")
    one = HubId("model", "lab/m", "policy.model")
    for name, held, there in (
        ("config.json", "{}", False),
        ("model.safetensors.index.json", '{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}', False),
        ("1.safetensors", "", False),
        ("2.safetensors", "", True),
    ):
        (snapshot / name).write_text(held)
        assert is_cached(one) is there
