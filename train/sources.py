"""Finds and opens the data set of a training: a run's folder, a dataset folder, a file, or a hub id.

Knows which columns each method needs, and says which are there when they are not. Knows no tokenizer. The
library keeps its copies in the folder it is told (`cache`), so nothing stays in the home directory.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tenet.errors import InvalidInput, MissingInput, Problem, UsageError
from tenet.ids import file_digests
from train.config import Method, TrainConfig

if TYPE_CHECKING:
    from datasets import Dataset

FORMATS: Final[Mapping[Method, tuple[str, ...]]] = {
    Method.SFT: ("sft",),
    Method.REWARD: ("trl-preference", "reward"),
    Method.DPO: ("trl-preference", "reward"),
    Method.KTO: ("trl-unpaired", "trl-preference", "reward"),
    Method.ONLINE_DPO: ("trl-preference", "trl-unpaired", "reward", "sft"),
    Method.PPO: ("trl-preference", "reward", "sft"),
    Method.RLOO: ("trl-preference", "reward", "sft"),
}
"""Which formats of `tenet export` each method reads, the first that is there."""

_PROMPTS: Final = tuple(
    frozenset(names) for names in (("prompt",), ("messages",), ("text",), ("question",), ("chosen", "rejected"))
)
NEEDED: Final[Mapping[Method, tuple[frozenset[str], ...]]] = {
    Method.SFT: (frozenset({"messages"}), frozenset({"prompt", "completion"}), frozenset({"text"})),
    Method.REWARD: (frozenset({"chosen", "rejected"}),),
    Method.DPO: (frozenset({"chosen", "rejected"}),),
    Method.KTO: (frozenset({"prompt", "completion", "label"}), frozenset({"chosen", "rejected"})),
    Method.ONLINE_DPO: (frozenset({"prompt"}), frozenset({"chosen", "rejected"})),
    Method.PPO: _PROMPTS,
    Method.RLOO: _PROMPTS,
}
_PAIRS: Final = ("prompt", "chosen", "rejected", "p_chosen", "weight")
_RATED: Final = ("prompt", "completion", "label", "p_good", "weight")
_ASKED: Final = ("prompt", "chosen", "rejected", "messages", "completion", "text", "question", "reference", "system")
_LOOKED_AT: Final[Mapping[Method, tuple[str, ...]]] = {
    Method.SFT: ("messages", "prompt", "completion", "text"),
    Method.REWARD: (*_PAIRS, "judge_margin"),
    Method.DPO: _PAIRS,
    Method.ONLINE_DPO: ("prompt", "chosen", "rejected", "completion"),
    Method.PPO: _ASKED,
    Method.RLOO: _ASKED,
}

_BUILDERS: Final = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".ndjson": "json", ".csv": "csv"}
HELD_OUT: Final = ("test", "validation", "eval")
_HUB_ID: Final = re.compile(r"[\w.-]+(/[\w.-]+)?(:[\w.-]+)?")


@dataclass(frozen=True)
class Source:
    """An opened data set: rows to learn from, rows held out if it has any.

    `notes` are remarks for the person.
    """

    name: str
    location: Path | None
    train: Dataset
    test: Dataset | None
    notes: tuple[str, ...] = ()


def open_source(config: TrainConfig, method: Method, cache: Path) -> Source:
    """Open what `config.data` names.

    Args:
        config: says where the data is and which splits to take.
        method: decides which format of a run's dataset is read, and which columns are needed.
        cache: a folder for the library's memory-mapped copies.

    Raises:
        MissingInput: there is no such folder, file or hub id.
        InvalidInput: it does not open, lacks the split or the columns, or is empty.
    """
    location = locate(config.data, method)
    splits = _load(config.data, location, cache)
    train, test = _chosen_splits(splits, config)
    notes = _check_columns(train, method, config.data)
    if config.limit is not None:
        train = train.select(range(min(config.limit, len(train))))
    if len(train) == 0:
        raise InvalidInput(f"{config.data}: the split {config.split} has no rows", [])
    test = None if test is None else _used(test, method)
    return Source(config.data, location, _used(train, method), test, notes)


def splits_of(data: str, cache: Path) -> Mapping[str, Dataset]:
    """Open every split of a data set of preference pairs, with all its columns.

    Raises:
        MissingInput, InvalidInput: as `open_source` does.
    """
    splits = _load(data, locate(data, Method.REWARD), cache)
    for rows in splits.values():
        _check_columns(rows, Method.REWARD, data)
    return splits


def locate(data: str, method: Method) -> Path | None:
    """Find the folder or file behind `data`: a run's folder stands for its dataset in the method's format.

    Returns:
        None for what is not on this machine but may be a hub id.

    Raises:
        MissingInput: a path that does not exist.
        InvalidInput: a folder of exports without a format that the method reads.
    """
    path = Path(data).expanduser()
    if not path.exists():
        if _HUB_ID.fullmatch(data) and not data.startswith("."):
            return None
        raise MissingInput(f"{data}: there is no such file or folder", hint="--data takes a run, a dataset or a file")
    if (path / "run.json").is_file() and (path / "dataset").is_dir():
        path = path / "dataset"
    elif (path / "run.json").is_file():
        raise MissingInput(
            f"{data}: this run has no dataset yet", hint=f"finish it: tenet generate {path / 'run.yaml'}"
        )
    formats = [name for name in FORMATS[method] if (path / name).is_dir()]
    if formats:
        return path / formats[0]
    others = sorted({name for names in FORMATS.values() for name in names if (path / name).is_dir()})
    if others:
        raise InvalidInput(
            f"{data}: nothing in it for tenet train {method}",
            [Problem(f"its formats: {', '.join(others)}", path, hint=f"export {FORMATS[method][0]} first")],
        )
    return path


def _load(name: str, location: Path | None, cache: Path) -> Mapping[str, Dataset]:
    """Open every split there is."""
    from datasets import DatasetDict, load_dataset, load_from_disk
    from datasets.exceptions import DatasetGenerationError

    where = str(cache)
    # A data set's README.md need not be a card of the hub's.
    logging.getLogger("huggingface_hub.repocard").setLevel(logging.ERROR)
    try:
        if location is None:
            base, _, configuration = name.partition(":")
            found: Any = load_dataset(base, configuration or None, cache_dir=where)
        elif location.is_dir() and any((location / mark).is_file() for mark in ("state.json", "dataset_dict.json")):
            found = load_from_disk(str(location))
        elif location.is_dir():
            found = load_dataset(str(location), cache_dir=where)
        else:
            found = load_dataset(_builder(location), data_files=str(location), cache_dir=where)
    except (FileNotFoundError, ConnectionError) as error:
        hint = _fetch_hint(name, location)
        raise MissingInput(f"{name}: no data set to be had: {_line(error)}", hint=hint) from error
    except (ValueError, OSError, RuntimeError, TypeError, DatasetGenerationError) as error:
        if location is not None and _without_rows(location):
            raise InvalidInput(f"{name}: the data set has no rows", []) from error
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise InvalidInput(f"{name}: the data set does not open", [Problem(_line(cause), location)]) from error
    return found if isinstance(found, DatasetDict) else {"train": found}


def is_data_file(path: Path) -> bool:
    """Whether the name is that of a file that can be read, be it there or not."""
    return any(suffix in _BUILDERS for suffix in path.suffixes)


def _builder(path: Path) -> str:
    suffixes = [suffix for suffix in path.suffixes if suffix in _BUILDERS]
    if not suffixes:
        raise UsageError(f"{path}: not a kind of file that can be read", hint=f"known: {', '.join(_BUILDERS)}")
    return _BUILDERS[suffixes[-1]]


def _without_rows(location: Path) -> bool:
    """Whether a data set is Parquet files without a single row, which the library cannot open."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [location] if location.is_file() else sorted(location.rglob("*.parquet"))
    try:
        return bool(files) and not any(pq.read_metadata(file).num_rows for file in files)
    except (OSError, pa.ArrowException):
        return False


def _fetch_hint(name: str, location: Path | None) -> str:
    if location is not None:
        return "the folder needs Parquet, JSONL or CSV files"
    return f"give a path, or where there is a network: hf download --repo-type dataset {name} --local-dir DIR"


def _chosen_splits(splits: Mapping[str, Dataset], config: TrainConfig) -> tuple[Dataset, Dataset | None]:
    """Take the rows to train on and the rows held out, if the data set says which they are."""
    there = ", ".join(splits)
    only = next(iter(splits)) if len(splits) == 1 else None
    name = config.split if config.split in splits else only if config.split == "train" else None
    wanted = config.eval_split
    found = [Problem(f"no split {key!r}; there is {there}") for key in (config.split,) if name is None]
    found += [Problem(f"no eval_split {wanted!r}; there is {there}") for _ in (0,) if wanted and wanted not in splits]
    if found or name is None:
        raise InvalidInput(f"{config.data}: splits that are not there", found)
    held_out = wanted or next((key for key in HELD_OUT if key in splits and key != name), None)
    return splits[name], None if held_out is None or not len(splits[held_out]) else splits[held_out]


def _check_columns(rows: Dataset, method: Method, name: str) -> tuple[str, ...]:
    """Refuse a data set without the method's columns; remark on columns that TRL would act on and Tenet does not."""
    there = list(rows.column_names)
    if not any(needed <= set(there) for needed in NEEDED[method]):
        ways = " or ".join(" and ".join(sorted(needed)) for needed in NEEDED[method])
        raise InvalidInput(
            f"{name}: not a data set for tenet train {method}",
            [Problem(f"needed: {ways}; there is: {', '.join(there) or 'nothing'}", hint=_other_method(there))],
        )
    if "margin" in there and method is Method.REWARD:
        cure = (
            "say how sure a label is in p_chosen and remove the column; or, to have it subtracted, call it judge_margin and say "
            "--set labels=hard --set margin=judge"
        )
        raise InvalidInput(
            f"{name}: a column that TRL would act on unasked",
            [Problem("column margin: TRL's reward loss subtracts it from the difference of the rewards", hint=cure)],
        )
    if method is Method.SFT and {"prompt", "completion", "label"} <= set(there):
        cure = "train on it with tenet train kto; or keep the rows whose label is true and drop the column"
        raise InvalidInput(
            f"{name}: not a data set for tenet train sft",
            [
                Problem(
                    "column label: responses that are good or not, and the bad ones would be imitated too", hint=cure
                )
            ],
        )
    notes = []
    if "tools" in there:
        notes.append("the column tools is left out: conversations are rendered without tools")
    return tuple(notes)


def _other_method(there: Sequence[str]) -> str:
    fits = [method.value for method, ways in NEEDED.items() if any(needed <= set(there) for needed in ways)]
    return f"it fits tenet train {' or '.join(fits)}" if fits else "rename its columns"


def _used(rows: Dataset, method: Method) -> Dataset:
    """The columns that the method reads."""
    kto = _PAIRS if "chosen" in rows.column_names else _RATED
    return rows.select_columns([name for name in _LOOKED_AT.get(method, kto) if name in rows.column_names])


def digests(location: Path | None) -> dict[str, str]:
    """What identifies a data set (`file_digests`); nothing for a hub id."""
    return {} if location is None else file_digests(location)


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
