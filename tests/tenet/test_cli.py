"""The command line is quick, says what is wrong, and ends with the right code."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tenet import cli as module
from tenet.cli import COMMANDS, PACKAGES, cli
from tenet.environment import require_matching_torchvision, require_own_packages
from tenet.errors import Interrupted, MissingInput, TenetError, TooManyFailures, UsageError

HEAVY = (
    "torch",
    "transformers",
    "pyarrow",
    "numpy",
    "datasets",
    "trl",
    "vllm",
    "rich",
    "ruamel",
    "sqlite3",
    "matplotlib",
)


def test_help_is_light_and_lists_every_command() -> None:
    script = (
        "import sys\nfrom tenet.cli import main\nsys.argv = ['tenet', '--help']\n"
        "try: main()\nfinally: print('\\nLOADED', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    help_text, _, loaded = done.stdout.partition("LOADED")
    assert not {name for name in loaded.split() if name.split(".")[0] in HEAVY}
    assert not [name for name in loaded.split() if name.split(".")[0] in PACKAGES]
    for name in COMMANDS:
        assert f"\n  {name} " in help_text


def test_help_takes_little_processor_time() -> None:
    script = (
        "import resource, sys\nfrom tenet.cli import main\nsys.argv = ['tenet', '--help']\n"
        "try: main()\nfinally:\n u = resource.getrusage(resource.RUSAGE_SELF)\n print('SECONDS', u.ru_utime + u.ru_stime)"
    )
    times = [
        float(
            subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()[
                -1
            ]
        )
        for _ in range(3)
    ]
    assert min(times) < 0.3


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    place = COMMANDS[name][0].partition(":")[0]
    try:
        found = importlib.util.find_spec(place)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{place} is not written yet")
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    todo = [(name, command)]
    while todo:
        path, one = todo.pop()
        if isinstance(one, click.Group):
            todo += [(f"{path} {sub}", part) for sub, part in one.commands.items()]
            continue
        result = CliRunner().invoke(cli, [*path.split(), "--help"])
        assert result.exit_code == 0, result.output
        assert f"tenet {path.split()[0]}" in result.output.partition("\n")[2], f"tenet {path} --help has no example"


def test_version() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert result.output.startswith("tenet 0.")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UsageError("bad key", hint="mend it"), 2, "Error: bad key\n  mend it\n"),
        (MissingInput("no file"), 3, "Error: no file\n"),
        (
            MissingInput("the server says: \x1b[2J\x1b]0;title\x07"),
            3,
            "Error: the server says: \ufffd[2J\ufffd]0;title\ufffd\n",
        ),
        (TooManyFailures("all failed"), 4, "Error: all failed\n"),
        (Interrupted("Stopped.", resume="tenet go"), 130, "Stopped.\n  go on with: tenet go\n"),
        (TenetError("odd"), 1, "Error: odd\n"),
        (KeyboardInterrupt(), 130, "go on with: tenet boom\n"),
        (ValueError("surprise"), 1, "This is a bug in Tenet"),
        (SystemExit(7), 7, ""),
    ],
)
def test_errors_end_with_their_code(
    error: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def boom() -> None:
        raise error

    fake = types.ModuleType("boom_for_tests")
    fake.boom = boom  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "boom_for_tests", fake)
    monkeypatch.setattr(module, "COMMANDS", {"boom": ("boom_for_tests:boom", "Fail.")})
    result = CliRunner().invoke(cli, ["boom"])
    assert result.exit_code == code
    assert text in result.stderr
    assert result.stdout == ""
    if isinstance(error, ValueError):
        assert "Traceback" in result.stderr
    else:
        assert "Traceback" not in result.stderr


def test_a_misspelt_command_or_option() -> None:
    result = CliRunner().invoke(cli, ["genrate"])
    assert result.exit_code == 2
    assert 'no such command: genrate\n  did you mean "generate"?' in result.stderr
    result = CliRunner().invoke(cli, ["status", "--jsn"])
    assert result.exit_code == 2
    assert "--json" in result.stderr


def test_a_closed_pipe_is_no_drama(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -c 'from tenet.cli import main; main()' --help | head -1",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def package(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("")
    return place


def test_somebody_elses_package_is_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_own_packages(PACKAGES)
    site = tmp_path / "site-packages"
    package(site, "zz_judges_for_tests")
    monkeypatch.syspath_prepend(str(site))
    home = tmp_path / "home"
    with pytest.raises(UsageError) as caught:
        require_own_packages(["zz_judges_for_tests"], home)
    assert "belongs to something else" in str(caught.value)
    info = site / "zz_judges_for_tests-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zz_judges_for_tests\nVersion: 0.1\n")
    (info / "RECORD").write_text("zz_judges_for_tests/__init__.py,,\n")
    with pytest.raises(UsageError) as caught:
        require_own_packages(["zz_judges_for_tests"], home)
    text = str(caught.value)
    assert "the distribution zz_judges_for_tests 0.1" in text
    assert "pip uninstall zz_judges_for_tests" in text
    assert caught.value.exit_code == 2
    # The same folder as ours: the other distribution's files lie on top of our own.
    with pytest.raises(UsageError, match="--force-reinstall"):
        require_own_packages(["zz_judges_for_tests"], site)
    require_own_packages(["no_such_package_for_tests"], site)


@pytest.mark.parametrize(
    ("torch", "torchvision", "fits"),
    [("2.13.0+cpu", "0.28.0", False), ("2.13.0+cpu", "0.28.0+cpu", True), ("2.14.0", "0.29.0", True)],
)
def test_a_torchvision_that_breaks_transformers_is_named_with_the_cure(
    torch: str, torchvision: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, version in (("torch", torch), ("torchvision", torchvision)):
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    if fits:
        require_matching_torchvision()
        return
    with pytest.raises(UsageError, match="pip uninstall torchvision"):
        require_matching_torchvision()


def test_usage_statistics_are_off_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in module.QUIET:
        monkeypatch.delenv(name, raising=False)
    CliRunner().invoke(cli, ["--version"])
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
    for name in module.QUIET:
        monkeypatch.delenv(name, raising=False)


def test_status_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["status", "support"])
    assert result.exit_code == 3
    assert "There is no run support" in result.stderr
    (tmp_path / "runs" / "other").mkdir(parents=True)
    (tmp_path / "runs" / "other" / "run.json").write_text("{}")
    assert "Runs in runs: other." in CliRunner().invoke(cli, ["status", "support"]).stderr
    result = CliRunner().invoke(cli, ["status", "other"])
    assert result.exit_code == 2
    assert "run.json" in result.stderr
    assert json.dumps("x")
