"""The wheel and the source archive hold what is needed and nothing else, and the wheel works where no checkout is.

Built with the build backend that is installed (hatchling is a development tool), so that nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("tenet", "engines", "constitution", "judges", "generate", "train", "principles", "pocket")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source archive of this checkout."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed (make setup)")
    out = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--sdist", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def data_of(package: str) -> set[str]:
    """The files of a package in this checkout that git does not ignore."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", package],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    names = {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}
    if not names:
        pytest.skip("not a git checkout")
    return names


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = set[str]().union(*(data_of(package) for package in PACKAGES))
    assert sorted(wanted ^ held) == []
    kinds = {Path(name).suffix for name in held}
    assert {".py", ".yaml", ".json", ".jinja", ".txt", ".safetensors", ".css", ".js"} <= kinds
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_the_source_archive_holds_the_packages_and_what_builds_them(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        held = {name.partition("/")[2] for name in opened.getnames()}
    for needed in ("pyproject.toml", "README.md", "LICENSE", "pocket/models/judge/model.safetensors", "tenet/cli.py"):
        assert needed in held
    assert not [name for name in held if name.startswith((".ci/", ".venv/", "runs/", "dist/", "build/"))]


def test_the_wheel_works_where_no_checkout_is(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    site = tmp_path / "site"
    words = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-compile",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run([sys.executable, *words], check=True)
    here = tmp_path / "elsewhere"
    here.mkdir()
    variables = {**os.environ, "PYTHONPATH": str(site)}

    def tenet(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tenet", *words],
            capture_output=True,
            text=True,
            cwd=here,
            env=variables,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    place = "import tenet, pocket, pathlib; print(pathlib.Path(tenet.__file__).parents[1])"
    done = subprocess.run(
        [sys.executable, "-c", place], capture_output=True, text=True, cwd=here, env=variables, check=True
    )
    assert Path(done.stdout.strip()).resolve() == site.resolve()
    assert "generate" in tenet("--help")
    assert "pocket/courteous" in tenet("principles", "list")
    tenet("init", "project")
    assert "16 prompts, all tokenised" in tenet(
        "generate", "project/run.yaml", "--dry-run"
    )  # by the models in the wheel
    assert (here / "project/.gitignore").is_file()
    assert "json-schema" in tenet("principles", "schema")
