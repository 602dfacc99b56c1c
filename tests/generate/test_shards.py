"""Shards of tasks that are made on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import pytest

from generate.shards import LazyShards
from tenet.console import Console, Progress
from tenet.records import Finish, Sample
from tenet.runs import Row, Stage
from tenet.runs.manifest import ManifestFile
from tenet.workers.local import Task, run_stage
from tenet.workers.survey import distinct


class Made:
    """Shards of four tasks each, and which were made, in their order; the task `fault` cannot be made."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.events: list[str] = []

    def __call__(self, shard: int) -> Iterator[Task[str]]:
        for number in range(4):
            key = f"k{shard}{number}"
            if key == self.fault:
                raise OSError(f"no {key}")
            self.events.append(f"made {key}")
            yield Task(key, key)
            if number == 1:
                yield Task(key, key)  # equal ones count once

    def work(self, tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        for task in tasks:
            self.events.append(f"asked {task.key}")
            yield Row(task.key, Sample(task.key, "p", 0, "hi", "m", Finish.STOP), ok=True)


def settle(folder: Path, made: Made, shards: LazyShards[str]) -> Stage[Sample]:
    stage = Stage("samples", Sample, ManifestFile(folder))
    with Progress(Console(err=StringIO()), "samples") as progress:
        run_stage(stage, shards, made.work, progress=progress)
    return stage


def test_a_task_is_asked_before_the_next_is_made(tmp_path: Path) -> None:
    made = Made()
    stage = settle(tmp_path, made, LazyShards(2, made, lambda _: 4))
    keys = [f"k{shard}{number}" for shard in range(2) for number in range(4)]
    assert made.events == [event for key in keys for event in (f"made {key}", f"asked {key}")]
    assert [row.key for row in stage.rows()] == keys
    assert not stage.unpublished


def test_a_shard_is_not_published_before_all_its_tasks_are_made(tmp_path: Path) -> None:
    made = Made(fault="k12")
    with pytest.raises(OSError, match="no k12"):
        settle(tmp_path, made, LazyShards(2, made, lambda _: 4))
    stage = Stage("samples", Sample, ManifestFile(tmp_path))
    assert stage.published(0)
    assert not stage.published(1)
    assert set(stage.keys(1)) == {"k10", "k11"}
    mended = Made()
    settle(tmp_path, mended, LazyShards(2, mended, lambda _: 4))
    assert [event for event in mended.events if event.startswith("asked")] == ["asked k12", "asked k13"]


def test_tasks_that_were_streamed_are_kept() -> None:
    made = Made()
    shards = LazyShards(2, made)
    first = list(shards.stream(0))
    assert shards[0] == first
    assert list(shards.stream(0)) == first
    assert shards.size(0) == len(distinct(first)) == 4
    assert len(made.events) == 4
