"""Reads the rows of a Parquet file in batches.

The one module here that needs pyarrow, and it imports it late.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tenet.errors import InvalidInput, Problem

_BATCH: Final = 1024


def columns(path: Path) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        InvalidInput: the file is no Parquet file.
    """
    with _open(path) as file:
        return tuple(file.schema_arrow.names)


def values(path: Path) -> Iterator[object]:
    """Each row as a table of plain values.

    Raises:
        InvalidInput: the file is no Parquet file, or damaged.
    """
    import pyarrow as pa

    with _open(path) as file:
        try:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from batch.to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise InvalidInput(f"{path} cannot be read to its end", [Problem(_first_line(error), path)]) from error


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidInput(f"{path} is no Parquet file", [Problem(_first_line(error), path)]) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
