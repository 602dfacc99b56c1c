"""Trainings are found by their data also after the project was moved or the run renamed; those on other data are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generate.report.data import gather
from generate.report.learnt import training_folders
from tenet.ids import digest
from tests.generate.report_run import make_run
from train.config import Method
from train.sources import digests, locate


def trained(project: Path, name: str, data: Path, *, kept: str | None = None) -> Path:
    """The record that `tenet train` leaves of a training on a folder of data, by default with its digest."""
    folder = project / "train" / name
    folder.mkdir(parents=True)
    identity = {"data": kept or digest(digests(locate(str(data), Method.DPO)))}
    config = {"data": str(data), "out": str(folder)}
    (folder / "train.json").write_text(
        json.dumps({"status": "finished", "method": "dpo", "config": config, "identity": identity})
    )
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 0.7}\n')
    return folder


def data_in(folder: Path, text: str) -> Path:
    """A folder of exports with one format of two splits and a card."""
    place = folder / "trl-preference"
    place.mkdir(parents=True)
    for split in ("train", "test"):
        (place / f"{split}.jsonl").write_text(json.dumps({"chosen": text, "rejected": split}) + "\n")
    (place / "README.md").write_text("a card is no data")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a run, its dataset, a blend, another run's data, and a training on each."""
    home = tmp_path / "support"
    home.mkdir()
    run = make_run(home)
    data_in(run / "dataset", "of the run")
    blend = data_in(run / "blends" / "routed", "of the blend")
    other = data_in(home / "runs" / "other" / "dataset", "of another run")
    trained(home, "run", run)
    trained(home, "blend", blend)
    trained(home, "file", run / "dataset" / "trl-preference" / "train.jsonl")
    trained(home, "other", other)
    trained(home, "hub", run, kept="an/id")  # its data were written anew since, or stood on the Hub
    return run


MINE = ["blend", "file", "hub", "run"]


def names(run: Path) -> list[str]:
    return [folder.name for folder in training_folders(run)]


def test_trainings_are_found_where_they_were_made(project: Path) -> None:
    assert names(project) == MINE


def test_a_moved_project_keeps_its_trainings(project: Path) -> None:
    run = project.relative_to(project.parents[1])
    moved = project.parents[1].rename(project.parents[1].with_name("moved"))
    assert names(moved / run) == MINE
    assert sorted(one.name for one in gather(moved / run).trainings) == MINE


def test_a_renamed_run_keeps_those_whose_data_it_still_holds(project: Path) -> None:
    renamed = project.rename(project.with_name("renamed"))
    assert names(renamed) == ["blend", "file", "run"]
    (renamed / "dataset" / "trl-preference" / "train.jsonl").write_text("{}\n")
    assert names(renamed) == ["blend"]
