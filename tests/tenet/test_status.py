"""`tenet status` tells the truth about a run: untouched, at work, stopped, damaged, finished."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tenet.cli import cli
from tenet.records import Finish, Ranking, Sample
from tenet.runs import Fingerprint, Row, Run
from tenet.runs.overview import overview


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened() -> Run:
    return Run.open(Path("runs/r"), {"name": "r"}, Fingerprint({"m": 1}), command="tenet generate run.yaml")


def row(number: int, *, ok: bool = True) -> Row[Sample]:
    finish = Finish.STOP if ok else Finish.ERROR
    return Row(f"k{number}", Sample(f"s{number}", "p", 0, "t", "m", finish), ok, reason="" if ok else "no")


def status(*words: str) -> Result:
    result = CliRunner().invoke(cli, ["status", "r", *words])
    assert result.exit_code == 0, result.stderr
    return result


def as_json() -> Any:
    return json.loads(status("--json").stdout)


def test_a_run_without_rows() -> None:
    opened().close()
    result = status()
    assert "nothing recorded yet" in result.stdout
    assert "Go on with: tenet generate run.yaml" in result.stderr
    assert as_json()["stages"] == []


def test_a_run_at_work_and_stopped() -> None:
    with opened() as run:
        stage = run.stage("samples", Sample)
        stage.plan(10)
        stage.put(0, [row(1), row(2)])
        stage.publish(0)
        stage.put(1, [row(3), row(4, ok=False)])
        result = status()
        assert f"Process {os.getpid()} on" in result.stderr
        (view,) = as_json()["stages"]
        assert (view["recorded"], view["failed"], view["owed"]) == (3, 1, 6)
        assert view["outcomes"] == {"error": 1, "stop": 3}
        assert (view["published"], view["open"]) == (1, 1)
        assert view["last_write"].startswith("20")
    data = as_json()
    assert data["writer"] is None
    assert data["next"] == "tenet generate run.yaml"
    assert "Go on with: tenet generate run.yaml" in status().stderr
    assert [line.split()[:4] for line in status().stdout.splitlines() if "samples" in line] == [
        ["samples", "3", "1", "6"]
    ]


def test_rows_of_an_earlier_plan_do_not_hide_what_is_owed() -> None:
    with opened() as run:
        stage = run.stage("samples", Sample)
        stage.put(0, [row(1), row(2)])
        stage.plan(2, strays=2)
    assert as_json()["stages"][0]["owed"] == 2


def test_a_finished_run_says_what_comes_next() -> None:
    with opened() as run:
        stage = run.stage("samples", Sample)
        stage.plan(2)
        stage.put(0, [row(1), row(2, ok=False)])
        stage.publish(0)
        run.stage("rankings", Ranking)
        run.finish()
    result = status()
    assert "1 rows failed and were given up; ask again with: tenet generate run.yaml --retry-failed" in result.stderr
    assert "Next: tenet report runs/r" in result.stderr
    assert [stage["name"] for stage in as_json()["stages"]] == ["samples", "rankings"]
    grown = Fingerprint({"m": 1}, {"prompts": "more"})
    with Run.open(Path("runs/r"), {"name": "r"}, grown, command="tenet generate run.yaml") as run:
        run.accept()
    assert as_json()["finished"] is None


def test_shards_set_aside_are_mentioned() -> None:
    with opened() as run:
        stage = run.stage("samples", Sample)
        stage.put(0, [row(1)])
        stage.publish(0)
    path = Path("runs/r/samples/00000.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    with Run.open(Path("runs/r"), {"name": "r"}, Fingerprint({"m": 1}), command="c", say=lambda _: None) as run:
        assert run.stage("samples", Sample).keys(0) == {}
    assert "1 damaged shards were set aside" in status().stderr


def test_looking_changes_nothing() -> None:
    with opened() as run:
        run.stage("samples", Sample).put(0, [row(1)])

    def files() -> list[tuple[str, int]]:
        """All but SQLite's own shared memory and log, which a reader may bring along."""
        found = [
            path for path in Path("runs").rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))
        ]
        return sorted((str(path), path.stat().st_mtime_ns) for path in found)

    before = files()
    overview(Path("runs/r"))
    with Run.read(Path("runs/r")) as reader:
        assert len(list(reader.stage("samples", Sample).rows())) == 1
    assert files() == before
