"""The whole road on HH-RLHF's harmless pairs, from one file each: small, with real parts, as people run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared/data/hh-rlhf/harmless-base.test.jsonl.gz"
SMALL = ("rows=24", "max_length=128", "max_dropped=0.9", "prompts=4", "max_tokens=8")
MODELS = {"sft-dpo": ("sft", "dpo"), "sft-reward-ppo": ("sft", "reward", "ppo")}

needs_data = pytest.mark.skipif(not DATA.is_file(), reason="the shared HH-RLHF file is not here")


def road(name: str, folder: Path, *overrides: str) -> list[dict[str, Any]]:
    words = [sys.executable, "-m", "tenet", "pipeline", str(ROOT / f"examples/{name}.yaml"), "--json"]
    given = (f"data={DATA}", f"folder={folder}", *SMALL, *overrides)
    words += [word for one in given for word in ("--set", one)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)["stages"]
    return found


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", list(MODELS))
def test_one_file_takes_the_whole_road(name: str, tmp_path: Path) -> None:
    more = ["held_out=40", "ppo_steps=2"] if name == "sft-reward-ppo" else []
    stages = road(name, tmp_path, *more)
    assert {one["did"] for one in stages} == {"run"}
    for model in MODELS[name]:
        assert (tmp_path / model / "model.safetensors").is_file()
        assert "base_model" in (tmp_path / model / "README.md").read_text(encoding="utf-8")
    results = {one["stage"]: one["result"] for one in stages}
    judged = results["evaluate"]["judge"]
    assert judged["win_rate"]["count"] > 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Before and after" in page
    if name == "sft-reward-ppo":
        (row,) = (one for one in results["reward-accuracy"]["rows"] if one["column"] == "all")
        assert row["length_only"]["accuracy"]["count"] == row["model"]["accuracy"]["count"]
        assert "length only" in page
    assert {one["did"] for one in road(name, tmp_path, *more)} == {"skip"}
