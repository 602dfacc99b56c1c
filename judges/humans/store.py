"""Keeps labels in a file of their own, `labels.jsonl`, one a line.

Importing again adds what is new and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from judges.humans.importer import read_labels
from judges.humans.labels import label_to_json
from tenet.errors import UsageError
from tenet.ids import canonical_json
from tenet.records import Label
from tenet.runs import atomic

NAME: Final = "labels.jsonl"


@dataclass(frozen=True)
class Merged:
    """What a store holds after an import: all its labels, and how many of them are new."""

    path: Path
    total: int
    new: int


def store_path(target: Path) -> Path:
    """Return the file of labels that a target means: a folder (a run's, say) or a `.jsonl` file.

    Raises:
        UsageError: it is neither.
    """
    if target.is_dir():
        return target / NAME
    if target.suffix == ".jsonl":
        return target
    raise UsageError(f"{target} is no folder and no .jsonl file", hint=f"name a run's folder, or a file: --to {NAME}")


def read_store(path: Path) -> tuple[Label, ...]:
    """Read the labels of a store; none where there is no such file.

    Raises:
        InvalidInput: a line is not a label; with its line.
    """
    return read_labels(path, format="tenet", stored=True).labels if path.is_file() and path.stat().st_size else ()


def add_labels(path: Path, labels: Sequence[Label]) -> Merged:
    """Add labels to a store, after those that it holds, leaving out what it holds already.

    Raises:
        InvalidInput: the store does not read back; it stays as it is.
        StorageFailed: the disk is full or not writable; the store stays as it is.
    """
    held = {label.id: label for label in read_store(path)}
    fresh = {label.id: label for label in labels if label.id not in held}
    if fresh:
        atomic.make_folder(path.parent)
        atomic.write_text(path, _lines([*held.values(), *fresh.values()]))
    return Merged(path, len(held) + len(fresh), len(fresh))


def _lines(labels: Iterable[Label]) -> str:
    return "".join(canonical_json(label_to_json(label)) + "\n" for label in labels)
