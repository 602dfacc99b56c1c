"""Several processes write shards of one run: each only what it has taken, and nobody after the driver is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenet.errors import RunLocked
from tenet.records import Finish, Sample
from tenet.runs import Fingerprint, Row, Run
from tenet.runs.lock import FileLock, Locked
from tenet.runs.run import WORKERS, await_workers


def row(key: str) -> Row[Sample]:
    return Row(key, Sample(key, "p", 0, "hi", "m", Finish.STOP), ok=True)


def opened(path: Path) -> Run:
    return Run.open(path, {}, Fingerprint({"seed": 0}), command="tenet generate run.yaml", say=lambda _: None)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with opened(tmp_path / "run") as run:
        run.stage("samples", Sample)
        yield run


def test_a_worker_writes_what_it_has_taken_and_reads_the_rest(run: Run) -> None:
    stage = run.stage("samples", Sample)
    stage.put(0, [row("a")])
    stage.publish(0)
    with Run.attach(run.path, run.driver) as one, Run.attach(run.path, run.driver) as other:
        here, there = one.stage("samples", Sample), other.stage("samples", Sample)
        with pytest.raises(ValueError, match="shard 1 before it was taken"):
            here.put(1, [row("b")])
        here.take(1)
        here.put(1, [row("b")])
        with pytest.raises(Locked):
            there.take(1)
        assert there.keys(1) == {"b": True}  # looked at beside the writer
        there.take(0)
        there.reopen(0)
        there.put(0, [row("c")])
        there.publish(0)
        here.publish(1)
        here.give_back(1)
        there.take(1)
        for forbidden in (lambda: here.plan(3), lambda: here.settle("x"), lambda: one.write_json("a.json", {})):
            with pytest.raises(ValueError, match=r"shared|opened for reading"):
                forbidden()
    assert [one.key for one in stage.rows()] == ["a", "c", "b"]


def test_a_worker_leaves_what_a_crash_left_to_the_driver(run: Run) -> None:
    leftover = run.path / "samples/.00000.parquet.1.tmp"
    leftover.write_text("half")
    with Run.attach(run.path, run.driver) as worker:
        worker.stage("samples", Sample)
        assert leftover.exists()


def test_a_driver_that_is_gone_has_no_workers_and_the_next_one_waits_for_them(tmp_path: Path) -> None:
    said: list[str] = []
    with opened(tmp_path / "run") as run:
        driver = run.driver
        worker = Run.attach(run.path, driver)
    with pytest.raises(RunLocked, match="is not open for process"):
        Run.attach(tmp_path / "run", driver)
    with pytest.raises(RunLocked, match="workers of an earlier command"):
        await_workers(tmp_path / "run", said.append, seconds=0.2)
    assert said == ["waiting for the workers of an earlier command to end"]
    worker.close()
    opened(tmp_path / "run").close()
    assert not list((tmp_path / "run" / WORKERS).iterdir())


def test_locks_of_ended_workers_are_swept_and_those_of_living_ones_stay(run: Run) -> None:
    with Run.attach(run.path, run.driver) as worker:
        worker.stage("samples", Sample).take(3)
        assert (run.path / "samples/.00003.lock").exists()
    held = FileLock(run.path / WORKERS / "alive.lock")
    run.close()
    assert held.path.exists()
    assert (run.path / "samples/.00003.lock").exists()
    held.release()
    opened(run.path).close()
    assert not held.path.exists()
    assert not (run.path / "samples/.00003.lock").exists()
