"""Signals that a command is stopped by, where there are no process groups."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tenet.pipeline.process import _PassedOn


def test_without_process_groups_ctrl_c_is_left_to_the_console_and_the_rest_ends_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("os.killpg")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        passed = _PassedOn()
        passed.to(process)
        passed._hear(signal.SIGINT, None)
        assert process.poll() is None
        passed._hear(signal.SIGTERM, None)
        assert process.wait(30) == -signal.SIGTERM
    assert passed.heard
