"""The command `tenet train`: files, flags, exit codes, and a help page that loads nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tests.train.world import pair_rows, write_jsonl

pytest.importorskip("trl")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from tenet.cli import cli\n"
        "for words in (['train', '--help'], ['train', 'dpo', '--help'], ['evaluate', '--help']):\n"
        "    try: cli.main(words)\n"
        "    except SystemExit as done: assert done.code == 0\n"
        "print([name for name in ('torch', 'transformers', 'trl', 'datasets', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Examples:" in done.stdout


def test_flags_are_enough(tiny_model: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(12))
    words = ["train", "reward", "--model", str(tiny_model), "--data", str(data), "--out", str(tmp_path / "out")]
    words += ["--set", "max_steps=2", "--set", "batch_size=4", "--set", "device=cpu", "--json"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert (result["method"], result["steps"]) == ("reward", 2)
    again = CliRunner().invoke(cli, words)
    assert again.exit_code == 2
    assert "--resume" in again.stderr
    resumed = CliRunner().invoke(cli, [*words, "--resume"])
    assert resumed.exit_code == 0
    assert json.loads(resumed.stdout)["metrics"] == result["metrics"]


def test_a_file_and_flags_on_top(tiny_model: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "pairs.jsonl", pair_rows(12))
    file = tmp_path / "train.yaml"
    file.write_text(f"model: {tiny_model}\ndata: ./pairs.jsonl\nmax_steps: 9\ndevice: cpu\n", encoding="utf-8")
    words = ["train", "dpo", str(file), "--out", str(tmp_path / "out"), "--set", "max_steps=1", "--json"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["steps"] == 1
    record = json.loads((tmp_path / "out" / "train.json").read_text(encoding="utf-8"))
    assert record["config"]["data"] == str(tmp_path / "pairs.jsonl")


def test_errors_have_their_exit_codes(tiny_model: Path, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "pairs.jsonl", pair_rows(8))

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["train", "dpo", *words, "--out", str(tmp_path / "out")])
        return done.exit_code, done.stderr

    assert run() == (2, run()[1])
    assert "--model and --data" in run()[1]
    code, said = run("--model", str(tiny_model), "--data", str(data), "--set", "betaa=1")
    assert code == 2
    assert 'did you mean "beta"' in said
    code, said = run("--model", str(tmp_path / "none"), "--data", str(data))
    assert code == 2
    assert "there is no" in said
    code, said = run("--model", str(tmp_path), "--data", str(data))
    assert code == 3
    assert "config.json" in said
    code, said = run("--model", str(tiny_model), "--data", str(data), "--set", "max_length=5")
    assert code == 4
    assert "--set max_length=" in said
