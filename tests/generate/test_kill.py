"""SIGKILL amid a run, then the same command: nothing is lost, doubled or changed. `benchmarks.kill_and_resume` kills more often."""

from __future__ import annotations

import pytest

from benchmarks.kill_and_resume import main


@pytest.mark.slow
def test_killed_runs_export_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "scripted", "--prompts", "80", "--kills", "3", "--json"]) == 0
    assert '"kills": 3' in capsys.readouterr().out
