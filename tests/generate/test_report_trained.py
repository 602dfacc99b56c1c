"""The page about trainings without a run: what was written down is there, texts are escaped, what is missing is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner

from tenet.cli import cli
from tenet.ids import Json

RATE = {"value": 0.61, "low": 0.55, "high": 0.67, "count": 400}


def folder_of(path: Path) -> Path:
    """A folder with two trainings, a reward model's measurement and an evaluation, as the commands write them."""
    for name, method in (("sft", "sft"), ("reward", "reward"), ("ppo", "ppo"), ("sft.before-1", "sft")):
        place = path / name
        place.mkdir(parents=True)
        record = {"status": "finished", "method": method, "config": {"learning_rate": 1e-4}, "data": {"train_rows": 40}}
        write(place / "train.json", record)
        (place / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n', encoding="utf-8")
    steps = [{"step": step, "reward": step / 2, "kl_k1": step / 4} for step in (1, 2)]
    (path / "ppo/metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in steps), encoding="utf-8")
    length = {"accuracy": {**RATE, "value": 0.55}}
    row = {"column": "all", "name": "all pairs", "pairs": 400, "model": {"accuracy": RATE}, "length_only": length}
    write(path / "reward-evaluation.json", {"reward_model": "reward", "rows": [row], "notes": ["<b>a note</b>"]})
    win = {"name": "a judge", "win_rate": RATE, "self_judged": False}
    write(path / "evaluation.json", {"attributes": [], "prompts": {"count": 40}, "judge": win, "base": {"name": "sft"}})
    answers = {"prompt": "<script>x</script>", "base": "before", "trained": "after"}
    (path / "evaluation-responses.jsonl").write_text(json.dumps(answers) + "\n", encoding="utf-8")
    return path


def write(path: Path, value: Mapping[str, Json]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def test_a_folder_of_trainings_has_a_page(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "hh")
    done = CliRunner().invoke(cli, ["report", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "3 trainings, measured on 40 held-out prompts" in page
    for words in (
        "Reward model reward",
        "Fine-tuning",
        "Policy by PPO",
        "Distance from the start",
        "length only",
        "all pairs",
        "Before and after",
        "a judge",
    ):
        assert words in page
    assert "61" in page
    assert "<script" not in page
    assert "&lt;b&gt;a note" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    (folder / "evaluation.json").unlink()
    (folder / "reward-evaluation.json").unlink()
    assert CliRunner().invoke(cli, ["report", str(folder), "--out", str(tmp_path / "page.html")]).exit_code == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "3 trainings</h1>" in page
    assert "Before and after" not in page


def test_a_folder_without_any_is_no_run(tmp_path: Path) -> None:
    refused = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert (refused.exit_code, "is no run folder" in refused.stderr) == (3, True)
