"""Rules that hold over the whole tree: size of modules, the help page, nothing private, small weights."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ONE_AT_A_TIME

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "tenet",
    "engines",
    "constitution",
    "judges",
    "generate",
    "train",
    "principles",
    "pocket",
    "benchmarks",
    "docs",
)
MOST_LINES = 450


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def test_no_module_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines for path in modules() if (lines := path.read_text().count("\n")) > MOST_LINES
    }
    assert not long


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path for path in modules() if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_the_help_page_is_what_the_commands_say() -> None:
    # In a process of its own: click keeps the help option of a command as the first caller in a process made it.
    done = subprocess.run(
        [sys.executable, "-m", "docs.help_pages", "--check"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_nothing_names_a_machine_or_a_registry() -> None:
    # The words are put together here so that this file does not match itself.
    words = ("/wo" + "rk/", "/fa" + "rm/", "py" + r"pi\.org", "registry" + r"\.npmjs", "deb" + r"\.debian")
    private = re.compile("|".join(words))
    tracked = (
        subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=ROOT, check=False)
        .stdout.decode()
        .split("\0")
    )
    if not any(tracked):
        pytest.skip("not a git checkout")
    kinds = {".py", ".md", ".toml", ".yaml", ".json", ".lock", ".txt", ""}
    texts = [ROOT / name for name in tracked if name and Path(name).suffix in kinds]
    named = [path for path in texts if path.is_file() and private.search(path.read_text("utf-8", "replace"))]
    assert not named


def test_weights_are_small_and_safe() -> None:
    weights = list((ROOT / "pocket/models").rglob("*.safetensors"))
    assert sum(path.stat().st_size for path in weights) < 10 * 2**20
    assert not [path for path in (ROOT / "pocket").rglob("*") if path.suffix in {".bin", ".pt", ".pkl"}]


def test_the_lock_holds_all_that_its_packages_need() -> None:
    """What is in requirements.lock is installed without being resolved: a package that another brings along elsewhere would be missing."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = {canonicalize_name(line.partition("==")[0]) for line in lines if "==" in line}
    missing = []
    for name in sorted(locked):
        try:
            needs = [Requirement(need) for need in requires(name) or ()]
        except PackageNotFoundError:
            continue
        told = [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
        missing += [
            (name, need) for need in told if canonicalize_name(need) not in locked | {"setuptools"}
        ]  # venv's own
    assert missing == []


def test_what_starts_vllm_or_ray_is_run_by_one_process() -> None:
    starts = re.compile(r"mark\.vllm|\bvllm_engine\b|importorskip\(\"ray")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if path != Path(__file__) and starts.search(path.read_text(encoding="utf-8"))
    }
    assert found == ONE_AT_A_TIME
