"""Shells complete commands, options, runs and principles files, quickly, and in the words that each shell reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tenet.cli import COMMANDS, cli
from tenet.completion import SHELLS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("support", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    (tmp_path / "runs" / "no-run").mkdir()
    (tmp_path / "principles").mkdir()
    (tmp_path / "principles" / "mine.yaml").write_text("")


def complete(line: str) -> list[str]:
    """What bash is told of a line that ends where the cursor is."""
    words = line.split()
    place = len(words) if line.endswith(" ") else len(words) - 1
    variables = {
        **os.environ,
        "COMP_WORDS": line,
        "COMP_CWORD": str(place),
        "_TENET_COMPLETE": "bash_complete",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run([sys.executable, "-m", "tenet"], capture_output=True, text=True, env=variables, check=False)
    assert not done.stderr
    return [value for kind, _, value in (one.partition(",") for one in done.stdout.splitlines()) if kind == "plain"]


def test_commands_and_options() -> None:
    assert complete("tenet ") == list(COMMANDS)
    assert complete("tenet sta") == ["status"]
    assert complete("tenet principles sh") == ["show"]
    assert complete("tenet status --j") == ["--json"]
    assert "--version" in complete("tenet --")


def test_runs_and_principles() -> None:
    assert complete("tenet status ") == ["runs/other", "runs/support"]
    assert complete("tenet labels page runs/s") == ["runs/support"]
    assert complete("tenet generate --principles p") == ["principles/mine.yaml", *SHIPPED_P, "privacy"]
    assert complete("tenet principles show hon") == ["honesty"]
    assert complete("tenet principles show honesty ") == []


SHIPPED_P = [
    "pocket/" + name for name in ("blunt", "brief", "courteous", "harmless", "honest", "independent", "thorough")
]


def test_completing_names_of_commands_imports_none() -> None:
    script = (
        "import sys\nfrom tenet.cli import main\ntry: main()\n"
        "finally: print('LOADED', *(name for name in sys.modules if name.split('.')[0] in ('constitution', 'generate', 'judges', 'rich')))"
    )
    variables = {
        **os.environ,
        "COMP_WORDS": "tenet ",
        "COMP_CWORD": "1",
        "_TENET_COMPLETE": "bash_complete",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=variables, check=False)
    assert done.stdout.splitlines()[-1] == "LOADED", done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_one(shell: str) -> None:
    script = CliRunner().invoke(cli, ["completion", shell]).stdout
    assert "_TENET_COMPLETE" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([program, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_itself_completes_a_run(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (tmp_path / "tenet").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tenet "$@"\n')
    (tmp_path / "tenet").chmod(0o755)
    script = CliRunner().invoke(cli, ["completion", "bash"]).stdout
    ask = '\ncompopt() { :; }\nCOMP_WORDS=(tenet status runs/su); COMP_CWORD=2\n_tenet_completion tenet\necho "${COMPREPLY[@]}"\n'
    variables = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([bash, "-c", script + ask], capture_output=True, text=True, env=variables, check=False)
    assert done.stdout == "runs/support\n", done.stderr
