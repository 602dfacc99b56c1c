"""A folder to work in, from which the processes of stages find this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tenet.pipeline.world import LABELS, ROOT, votes, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a file of labels and a pipeline over it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    votes(tmp_path / "votes.csv")
    write(tmp_path / "people.yaml", LABELS)
    return tmp_path
