"""Opens data sets of the `datasets` library as rows: a folder on this machine, or an id on the hub.

Knows no column's meaning. The library is imported when a data set is opened and not before. Rows are read
from its memory-mapped Arrow files in batches, undecoded, so pictures and sounds beside the text cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tenet.errors import InvalidInput, MissingInput, Problem, missing_file
from tenet.reading.rows import RawRow, Rows
from tenet.yamlfile import suggest

_BATCH: Final = 1024
_HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?")


def open_dataset(name: str, split: str | None = None) -> Rows:
    """Open a data set: a folder of data files or of `save_to_disk`, or `org/name[:configuration]`.

    Without a split, the only one is taken, or "train".

    Raises:
        MissingInput: there is no such folder, no such data set, or no way to the hub.
        InvalidInput: there is no such split, or the data set needs a configuration that was not named.
    """
    path = Path(name).expanduser()
    local = path.exists()
    if not local and not _HUB_ID.fullmatch(name):
        raise missing_file(path)
    found = _choose(_saved(path) if _is_saved(path) else _load(str(path) if local else name), name, split)
    return Rows(path.name if local else name, "row", lambda: _rows(found), tuple(found.column_names))


def _is_saved(path: Path) -> bool:
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _saved(path: Path) -> Any:
    from datasets import load_from_disk

    try:
        return load_from_disk(str(path))
    except (FileNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(f"{path} is no data set that reads back", [Problem(_first_line(error), path)]) from error


def _load(name: str) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError

    base, _, configuration = (name, "", "") if Path(name).exists() else name.partition(":")
    try:
        return load_dataset(base, configuration or None)
    except (DatasetNotFoundError, ConnectionError) as error:
        raise _unreachable(base, error) from error
    except (ValueError, FileNotFoundError, DatasetGenerationError, RuntimeError) as error:
        hint = "a configuration is named after a colon, `org/name:configuration`" if "onfig" in str(error) else ""
        raise InvalidInput(f"the data set {name} cannot be opened", [Problem(_first_line(error), hint=hint)]) from error


def _unreachable(name: str, error: Exception) -> MissingInput:
    hint = (
        f"where there is a network: hf download --repo-type dataset {name} --local-dir DIR; "
        "then `dataset: DIR`. A file goes under `path:`"
    )
    return MissingInput(f"the data set {name} is neither here nor to be had: {_first_line(error)}", hint=hint)


def _choose(found: Any, name: str, split: str | None) -> Any:
    """One split of what was loaded: a table, or a mapping of splits to tables."""
    if not isinstance(found, dict):
        return found
    splits = sorted(str(key) for key in found)
    only = splits[0] if len(splits) == 1 and split in (None, "", "train") else None
    wanted = only or split or "train"
    if wanted not in found:
        hint = f"the splits are {', '.join(splits)}; {suggest(wanted, splits) or 'choose one with `split:`'}"
        raise InvalidInput(f"the data set {name} cannot be used", [Problem(f'no split "{wanted}"', hint=hint)])
    return found[wanted]


def _rows(table: Any) -> Iterator[RawRow]:
    place = 0
    for batch in table.with_format("arrow").iter(batch_size=_BATCH):
        for value in batch.to_pylist():
            place += 1
            yield RawRow(place, value)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
