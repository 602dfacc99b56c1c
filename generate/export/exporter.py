"""The interface of an exporter.

To add a format: one module with one class, one line in `generate.export.EXPORTERS`.

An exporter says which columns it writes and turns a source into rows, each with its `prompt_id`; splits,
files and the dataset card are not its business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from generate.export.columns import Column, Row
from generate.export.source import ExportSource


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
