"""The whole road on HH-RLHF's harmless pairs, from one file: small, with real parts, as people run it.

The shorter road, SFT and DPO, has no stage that this one lacks but DPO; `benchmarks.hh_road` runs both at their own sizes.
"""

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
ROAD = "sft-reward-ppo"
SMALL = ("rows=24", "max_length=128", "max_dropped=0.9", "prompts=4", "max_tokens=8", "held_out=40", "ppo_steps=2")

needs_data = pytest.mark.skipif(not DATA.is_file(), reason="the shared HH-RLHF file is not here")


def road(folder: Path) -> list[dict[str, Any]]:
    words = [sys.executable, "-m", "tenet", "pipeline", str(ROOT / f"examples/{ROAD}.yaml"), "--json"]
    words += [word for one in (f"data={DATA}", f"folder={folder}", *SMALL) for word in ("--set", one)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)["stages"]
    return found


@needs_data
@pytest.mark.slow
def test_one_file_takes_the_whole_road(tmp_path: Path) -> None:
    stages = road(tmp_path)
    assert {one["did"] for one in stages} == {"run"}
    for model in ("sft", "reward", "ppo"):
        assert (tmp_path / model / "model.safetensors").is_file()
        assert "base_model" in (tmp_path / model / "README.md").read_text(encoding="utf-8")
    results = {one["stage"]: one["result"] for one in stages}
    assert results["evaluate"]["judge"]["win_rate"]["count"] > 0
    (row,) = (one for one in results["reward-accuracy"]["rows"] if one["column"] == "all")
    assert row["length_only"]["accuracy"]["count"] == row["model"]["accuracy"]["count"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Before and after" in page
    assert "length only" in page
    assert {one["did"] for one in road(tmp_path)} == {"skip"}
