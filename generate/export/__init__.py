"""Writes a run's pairs in the forms that trainers read, and the dataset card beside them. Import from here.

`export_dataset(source, names, folder)` writes one sub-folder of Parquet a format; `write_card` describes them
in `README.md`, which also tells `datasets.load_dataset(folder)` where each configuration and split lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generate.export.columns import SPLIT, Column
from generate.export.exporter import Exporter, from_plugin
from generate.export.nemo import NemoRl
from generate.export.preference import Preference, Reward
from generate.export.sft import Sft
from generate.export.source import ExportSource, PairRow, RevisionRow, as_sample, split_of
from generate.export.unpaired import Unpaired
from generate.export.writer import FileEntry, FolderWriter
from tenet.errors import UsageError
from tenet.plugins import Kind, find, names
from tenet.yamlfile import suggest

EXPORTERS: Final[Mapping[str, Exporter]] = {
    exporter.name: exporter for exporter in (Preference(), Unpaired(), Reward(), Sft(), NemoRl())
}

__all__ = [
    "EXPORTERS",
    "ExportReport",
    "ExportSource",
    "Exporter",
    "PairRow",
    "RevisionRow",
    "as_sample",
    "export_dataset",
    "exporter_named",
    "split_of",
]


@dataclass(frozen=True)
class ExportReport:
    """What one exporter wrote: rows a split, what it left out and why, its columns, its files."""

    name: str
    summary: str
    splits: Mapping[str, int]
    left_out: Mapping[str, int]
    columns: tuple[Column, ...]
    files: tuple[FileEntry, ...]

    @property
    def rows(self) -> int:
        """How many rows were written."""
        return sum(self.splits.values())


def exporter_named(name: str) -> Exporter:
    """Return the exporter of this name.

    Raises:
        UsageError: there is none, or several; names those there are.
        PluginBroken: it is a plug-in's, and cannot be used.
    """
    plugin = find(Kind.EXPORTERS, name, EXPORTERS)
    if plugin is not None:
        return from_plugin(plugin)
    if name not in EXPORTERS:
        known = (*EXPORTERS, *names(Kind.EXPORTERS))
        hint = "; ".join(filter(None, (suggest(name, known), f"the formats are {', '.join(known)}")))
        raise UsageError(f'no export format "{name}"', hint=hint)
    return EXPORTERS[name]


def export_dataset(source: ExportSource, names: Sequence[str], folder: Path) -> tuple[ExportReport, ...]:
    """Write a source in these formats, each into `folder/NAME`, replacing what was there as a whole.

    Raises:
        UsageError: a format is not known (before anything is written).
        StorageFailed: the disk is full or not writable; finished formats and the old files of the others
            stand.
    """
    exporters = [exporter_named(name) for name in dict.fromkeys(names)]
    return tuple(_export(exporter, source, folder / exporter.name) for exporter in exporters)


def _export(exporter: Exporter, source: ExportSource, folder: Path) -> ExportReport:
    columns = (*exporter.columns(source), SPLIT)
    left_out: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    with FolderWriter(folder, columns, source.provenance) as writer:
        for row in exporter.rows(source, left_out):
            split = split_of(str(row["prompt_id"]), source.test_share)
            writer.add(split, {**row, "split": split})
            splits[split] += 1
    return ExportReport(exporter.name, exporter.summary, dict(splits), dict(left_out), columns, writer.files())
