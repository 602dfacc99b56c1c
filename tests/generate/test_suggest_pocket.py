"""An annotator's hidden principle in the pocket world, found by the real pocket judge, and the draft that comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.suggest_recovery import bench, make_run, write_material
from constitution.load import load
from constitution.model import Status
from tenet.cli import cli


@pytest.mark.slow
def test_a_hidden_principle_is_recovered_from_noisy_labels(tmp_path: Path) -> None:
    found = bench(tmp_path, 0, labels=48, mode="each")
    assert found.recovered
    assert found.fixed > found.broken


@pytest.mark.slow
def test_the_draft_is_a_principles_file_in_which_nothing_new_applies(tmp_path: Path) -> None:
    responses, labels = write_material(tmp_path, "brief", 3, 40, 0.0)
    run = make_run(tmp_path, "pocket/courteous", responses, "transformers", "sampled")
    draft = tmp_path / "draft.yaml"
    pool = [word for name in ("brief", "thorough", "courteous") for word in ("--pool", f"pocket/{name}")]
    words = ["principles", "suggest", str(run), "--humans", str(labels), *pool, "--to", str(draft)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    assert "The labels contradict thorough" in result.stdout
    assert "courteous is left out: it says what the file's courteous says" in result.stderr
    assert "nothing applies yet" in result.stderr
    written = load(draft)
    assert written.digest == load("pocket/courteous").digest
    assert [(one.id, one.status) for one in written.principles] == [
        ("courteous", Status.ACTIVE),
        ("brief", Status.DRAFT),
    ]
    assert written.get("brief").source.startswith("suggested from 40 labelled pairs")
    assert CliRunner().invoke(cli, ["principles", "check", str(draft)]).exit_code == 0
    again = CliRunner().invoke(cli, words)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    first = draft.read_text()
    told = CliRunner().invoke(cli, [*words, "--force", "--json"])
    assert json.loads(told.stdout)["asked"]["calls"] == 0
    assert draft.read_text() == first
