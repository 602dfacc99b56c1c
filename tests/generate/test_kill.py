"""SIGKILL amid a run, then the same command: nothing is lost, doubled or changed. `benchmarks.kill_and_resume` kills more often."""

from __future__ import annotations

import pytest

from benchmarks.kill_and_resume import main
from benchmarks.victims import asked_again


@pytest.mark.slow
def test_killed_runs_export_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "scripted", "--prompts", "80", "--kills", "3", "--json"]) == 0
    assert '"kills": 3' in capsys.readouterr().out


def test_a_question_counts_for_the_kill_that_lost_it() -> None:
    log = ["a", "b", "b", "command", "b", "c", "worker", "d", "server", "c", "d", "d"]
    assert asked_again(log) == [1, 1, 1]  # b; c, two kills later; d; not the repeats without a kill between
    assert asked_again(["a", "a"]) == []
