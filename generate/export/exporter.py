"""The interface of an exporter.

To add a format: one module with one class, one line in `generate.export.EXPORTERS`; or a plug-in, whose entry point in the group
`tenet.exporters` names an object of such a class.

An exporter says which columns it writes and turns a source into rows, each with its `prompt_id`; splits,
files and the dataset card are not its business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from generate.export.columns import Column, Row
from generate.export.source import ExportSource
from tenet.plugins import Plugin


class Exporter(Protocol):
    """One format of a dataset."""

    @property
    def name(self) -> str:
        """What people call it in `export:`; also its folder and its configuration for `load_dataset`."""
        ...

    @property
    def summary(self) -> str:
        """What a row is and who reads it, in one sentence for the card."""
        ...

    def columns(self, source: ExportSource) -> tuple[Column, ...]:
        """Which columns the rows of this source have, `prompt_id` among them."""
        ...

    def rows(self, source: ExportSource, left_out: Counter[str]) -> Iterator[Row]:
        """Yield the rows in the order of the source; count what is left out under its reason."""
        ...


def from_plugin(plugin: Plugin) -> Exporter:
    """What a plug-in's entry point names.

    Raises:
        PluginBroken: it is no exporter of the entry point's name.
    """
    found = plugin.load()
    told = isinstance(getattr(found, "name", None), str) and isinstance(getattr(found, "summary", None), str)
    if isinstance(found, type) or not (
        told and callable(getattr(found, "columns", None)) and callable(getattr(found, "rows", None))
    ):
        raise plugin.broken(f"{plugin.where} is no exporter: an object with name, summary, columns and rows")
    if found.name != plugin.name:
        raise plugin.broken(f"the exporter calls itself {found.name!r} and the entry point {plugin.name!r}")
    exporter: Exporter = found
    return exporter
