"""Finds the folders of trainings that learnt from a run: by where their data lay, else by what their data hold. Knows no figures.

A record names its data by an absolute path, which leads nowhere once the project has been moved or renamed. Then the place of the data
as seen from the training's folder counts, and the digest of the data that the record keeps; data that were written anew since have another.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from generate.report.measured import ASIDE, RECORD
from generate.report.source import as_mapping, read_json
from tenet.errors import InvalidInput
from tenet.ids import Json, digest, file_digests

TRAIN: Final = "train"
_HOLD_DATA: Final = ("dataset", "blends")
"""The folders of a run that trainings learn from."""


def training_folders(run: Path) -> tuple[Path, ...]:
    """The folders of trainings that learnt from a run or from a blend of it: those in its own `train/`, and of those in `train/` beside
    the folder of runs and in the working folder the ones whose data are the run's, also where the project has been moved since.
    """
    own = sorted(folder for folder in (run / TRAIN).glob("*") if folder.is_dir())
    beside = dict.fromkeys(place.resolve() / TRAIN for place in (run.absolute().parent.parent, Path.cwd()))
    data = _Data(run.resolve())
    return (*own, *(folder for place in beside for folder in sorted(place.glob("*")) if _learnt_from(folder, data)))


class _Data:
    """The data of a run, whose digests are worked out when first asked for."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def holds(self, place: Path) -> bool:
        return place.resolve().is_relative_to(self.run)

    @cached_property
    def digests(self) -> frozenset[str]:
        """The digest of every folder and file that a training can have learnt from, as its record has it."""
        found: set[str] = set()
        for top in (self.run / name for name in _HOLD_DATA):
            files = file_digests(top) if top.is_dir() else {}
            places: dict[str, dict[str, Json]] = {}
            for name, sha256 in files.items():
                found.add(digest({Path(name).name: sha256}))
                for parent in Path(name).parents:
                    places.setdefault(str(parent), {})[Path(name).relative_to(parent).as_posix()] = sha256
            found.update(digest(held) for held in places.values())
        return frozenset(found)


def _learnt_from(folder: Path, data: _Data) -> bool:
    """Whether a folder holds a training on a run's data; one that does not read back does not."""
    if ASIDE in folder.name or not (folder / RECORD).is_file():
        return False
    try:
        record = as_mapping(read_json(folder / RECORD))
    except InvalidInput:
        return False
    named, kept = _places(record), as_mapping(record.get("identity")).get("data")
    if named is not None:
        place, out = named
        if data.holds(place):
            return True
        if not place.exists() and out is not None and data.holds(folder / os.path.relpath(place, out)):
            return True
    return isinstance(kept, str) and kept in data.digests


def _places(record: Mapping[str, Json]) -> tuple[Path, Path | None] | None:
    """Where a training's data lay, and its own folder then; None where it does not say, or not from the root."""
    config = as_mapping(record.get("config"))
    data, out = (Path(str(config.get(key) or "")) for key in ("data", "out"))
    return (data, out if out.is_absolute() else None) if data.is_absolute() else None
