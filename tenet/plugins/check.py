"""Conformance: holds an installed plug-in to what its kind promises, for the plug-in's own tests.

Knows no promise: those stand with the kinds (the modules called `conformance`).

    from tenet.plugins.check import check_judge

    def test_the_judge_keeps_its_promises() -> None:
        check_judge("length-fair", settings={"per_doubling": 0.5})

Each function raises `PluginBroken` with everything that is wrong at once, and needs neither a network nor an accelerator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tenet.errors import UsageError
from tenet.ids import Json
from tenet.plugins.entries import Kind, installed, names


def check_judge(name: str, *, settings: Mapping[str, Json] | None = None) -> None:
    """Ask a kind of judges about small pairs on the scripted engine, in every mode that it takes, with and without faults.

    Raises:
        UsageError: there is no such plug-in.
        PluginBroken: with everything that is wrong.
    """
    _check(Kind.JUDGES, name, "judges.conformance", settings=settings or {})


def check_importer(name: str, sample: Path) -> None:
    """Read a sample file of a format, and the same with broken rows among its own.

    Raises:
        UsageError: there is no such plug-in.
        PluginBroken: with everything that is wrong.
    """
    _check(Kind.IMPORTERS, name, "judges.formats.conformance", sample=sample)


def check_exporter(name: str) -> None:
    """Write small datasets in a format, with ties, equal texts, several turns, critiques and nothing at all, and read them back.

    Raises:
        UsageError: there is no such plug-in.
        PluginBroken: with everything that is wrong.
    """
    _check(Kind.EXPORTERS, name, "generate.export.conformance")


def check_engine(name: str, model: str, *, options: Mapping[str, Json] | None = None) -> None:
    """Start an engine with a model, and have it write and read labels.

    Raises:
        UsageError: there is no such plug-in.
        PluginBroken: with everything that is wrong.
    """
    _check(Kind.ENGINES, name, "engines.conformance", model=model, options=options or {})


def check_trainer(name: str, model: str, data: str, folder: Path) -> None:
    """Train one step of a model (a small one will do) on a data set, into a new folder.

    Raises:
        UsageError: there is no such plug-in.
        PluginBroken: with everything that is wrong.
    """
    _check(Kind.TRAINERS, name, "train.conformance", model=model, data=data, folder=folder)


def _check(kind: Kind, name: str, module: str, **given: Any) -> None:
    plugin = next((one for one in installed(kind) if one.name == name), None)
    if plugin is None:
        known = ", ".join(names(kind)) or "none is installed"
        raise UsageError(
            f'no plug-in adds "{name}" to {kind.group} ({known})', hint="install the package that is tested"
        )
    found: Iterable[str] = import_module(module).complaints(name, **given)
    if wrong := list(dict.fromkeys(found)):
        raise plugin.broken("it does not keep the promises of its kind:\n  " + "\n  ".join(wrong))
