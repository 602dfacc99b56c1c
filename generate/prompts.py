"""Reads the prompts that a run is about, from a file or a data set, as its configuration names them.

Knows no policy and no judge. The reading itself is in `tenet.reading`: one pass, order kept, duplicates and
unreadable rows counted. `read_prompts` collects; `open_prompts` streams.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from generate.hub import open_dataset
from tenet.errors import UsageError
from tenet.reading.prompts import PromptSet, PromptStream, collect
from tenet.reading.rows import Rows, open_rows

if TYPE_CHECKING:
    from tenet.runconfig import PromptsConfig


def open_prompts(config: PromptsConfig) -> PromptStream:
    """The prompts one by one; iterate once, then read `counts`.

    Raises:
        UsageError: neither a path nor a data set is named, or both are.
        MissingInput, InvalidInput: as `tenet.reading.rows.open_rows` and `generate.hub.open_dataset` do.
    """
    rows = open_source(config.path, config.dataset, config.split, config.format)
    return PromptStream(rows, column=config.column or None, limit=config.limit)


def read_prompts(config: PromptsConfig) -> PromptSet:
    """All prompts, in the order of their source, no two alike, with what became of every row.

    Raises:
        InvalidInput: no column holds prompts, more than 5 % of the rows cannot be read, nothing is left, or
            an id of the file names two different prompts; each with the first places.
    """
    return collect(open_prompts(config))


def open_source(
    path: str | Path | None,
    dataset: str | None = None,
    split: str | None = None,
    format: str | None = None,  # noqa: A002
) -> Rows:
    """The rows of a file, or of a data set; a folder given as a path is read as a data set.

    Raises:
        UsageError: neither is named, or both are.
    """
    if bool(path) == bool(dataset):
        raise UsageError("name a source of rows: `path:` of a file or `dataset:`, one of the two")
    if dataset:
        return open_dataset(dataset, split)
    if Path(path or "").is_dir():
        return open_dataset(str(path), split)
    return open_rows(Path(path or ""), format or "auto")
