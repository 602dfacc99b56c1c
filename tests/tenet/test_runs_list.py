"""`tenet runs list` tells of every run what its small files say, newest first, and opens no shard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tenet.cli import cli
from tenet.records import Finish, Sample
from tenet.runs import Fingerprint, Row, Run
from tenet.runs_cli import size


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(name: str, created: str, *, config: dict[str, Any] | None = None, finished: bool = True) -> Run:
    run = Run.open(
        Path("runs") / name, config or {"name": name}, Fingerprint({"m": 1}), command="tenet generate run.yaml"
    )
    stage = run.stage("samples", Sample)
    stage.put(0, [Row(f"k{n}", Sample(f"s{n}", "p", 0, "t", "m", Finish.STOP), True) for n in range(3)])
    stage.publish(0)
    if finished:
        run.finish()
    file = run.path / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "created": created}))
    return run


def listed(*words: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(cli, ["runs", "list", *words, "--json"])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, list)
    return found


def test_runs_come_newest_first_with_their_state() -> None:
    make("old", "2026-01-01T10:00:00+0000").close()
    make("half", "2026-01-02T10:00:00+0000", finished=False).close()
    with make("busy", "2026-01-03T10:00:00+0000", finished=False):
        Path("runs/bad").mkdir()
        Path("runs/bad/run.json").write_text("{")
        Path("runs/no-run").mkdir()
        found = listed()
        assert [(one["name"], one["state"]) for one in found] == [
            ("busy", "running"), ("half", "stopped"), ("old", "finished"), ("bad", "damaged"),
        ]  # fmt: skip
        assert "run.json" in found[-1]["problem"]
        result = CliRunner().invoke(cli, ["runs", "list"])
        assert next(line.split()[:2] for line in result.stdout.splitlines()[2:6]) == ["busy", "running"]
        assert "bad: The run folder cannot be read" in result.stderr


def test_a_run_tells_its_rows_size_judge_principles_tokens_and_cost() -> None:
    config: dict[str, Any] = {
        "name": "r", "principles": "/home/me/principles/kind.yaml", "judge": {"model": "org/judge"},
        "prices": {"judge": {"prompt": 2.0, "completion": 4.0, "cached": 1.0}, "currency": "EUR"},
    }  # fmt: skip
    run = make("r", "2026-01-01T10:00:00+0000", config=config)
    spent = {
        "calls": 1,
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "cached_tokens": 400,
        "told": 1000,
        "seconds": 1.0,
    }
    run.write_json("stats.json", {"usage": {"samples": spent, "judgements": spent}})
    run.close()
    (one,) = listed()
    assert (one["judge"], one["principles"], one["samples"], one["pairs"]) == ("org/judge", "kind", 3, 0)
    assert one["tokens"] == 2200
    assert one["cost"] == pytest.approx(
        (600 * 2 + 400 * 1 + 100 * 4) / 1e6
    )  # the judge's alone: the policy has no price
    assert one["currency"] == "EUR"
    assert one["size"] == sum(path.stat().st_size for path in Path("runs/r").rglob("*") if path.is_file())


def test_no_shard_is_opened() -> None:
    make("r", "2026-01-01T10:00:00+0000").close()
    (shard,) = Path("runs/r/samples").glob("*.parquet")
    shard.write_bytes(b"x" * 10)
    assert listed()[0]["samples"] == 3


def test_a_panel_and_a_folder_elsewhere() -> None:
    config: dict[str, Any] = {"name": "r", "judge": {"kind": "panel", "members": [{"model": "a"}, {"model": "b"}]}}
    make("r", "2026-01-01T10:00:00+0000", config=config).close()
    Path("runs").rename("elsewhere")
    assert listed("elsewhere")[0]["judge"] == "panel of 2"
    result = CliRunner().invoke(cli, ["runs", "list"])
    assert result.exit_code == 3
    assert "There is no folder runs" in result.stderr
    Path("runs").mkdir()
    assert "No runs in runs" in CliRunner().invoke(cli, ["runs", "list"]).stderr


@pytest.mark.parametrize(
    ("count", "text"), [(812, "812 B"), (4096, "4.0 KiB"), (200 * 2**20, "200 MiB"), (2**50, "1024 TiB")]
)
def test_sizes_are_short(count: int, text: str) -> None:
    assert size(count) == text
