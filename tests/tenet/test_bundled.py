"""`pocket/policy` and `pocket/judge` name the bundled models wherever a model is named; a folder of that name goes first."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pocket
from engines.loading import find_model
from generate.exporting import uses_pocket
from generate.hubids import hub_ids
from tenet.bundled import JUDGE, POLICY, is_bundled, model_folder
from tenet.runconfig import JudgeConfig, PolicyConfig, RunConfig
from train.measures.kinship import ancestry_of


@pytest.mark.parametrize(("name", "folder"), [(POLICY, pocket.POLICY_PATH), (JUDGE, pocket.JUDGE_PATH)])
def test_a_bundled_model_is_the_one_in_its_folder(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model(name) == find_model(str(folder))
    assert ancestry_of(name, None) == ancestry_of(str(folder), None)
    assert is_bundled(name)
    assert is_bundled(str(folder))
    assert not is_bundled("org/policy")


def test_a_folder_of_that_name_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = shutil.copytree(pocket.POLICY_PATH, tmp_path / "pocket" / "policy")
    assert model_folder(POLICY).resolve() == mine
    (mine / "config.json").write_text((mine / "config.json").read_text() + "\n")
    assert find_model(POLICY).revision != find_model(str(pocket.POLICY_PATH)).revision


def test_nobody_looks_for_them_on_the_hub() -> None:
    config = RunConfig(name="r", principles="p", policy=(PolicyConfig(model=POLICY),), judge=JudgeConfig(model=JUDGE))
    assert hub_ids(config) == []
    assert uses_pocket({"policy": {"model": POLICY}, "judge": {"model": "org/judge"}})
