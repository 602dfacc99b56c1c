"""Where the labels of a training come from: the principles and the judge that a dataset names, or those that label while a model learns.

Reads what the dataset itself carries (its Parquet files, else the run.json above it), so a copied dataset keeps its
origin. A dataset from elsewhere has none, and that is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenet.ids import Json
from tenet.runs.fingerprint import versions
from train.folder import read_record

if TYPE_CHECKING:
    from judges.registry import AnyJudge

_KEY = b"tenet"
_LEVELS = 3


@dataclass(frozen=True)
class Origin:
    """What made the labels. `judge` is the judge's fingerprint, `principles` the digest of the principles file."""

    run: str | None = None
    judge: Mapping[str, Json] | None = None
    principles: str | None = None
    principles_file: str | None = None
    policies: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Give plain values, for train.json."""
        return {
            "run": self.run,
            "judge": None if self.judge is None else dict(self.judge),
            "principles": self.principles,
            "principles_file": self.principles_file,
            "policies": list(self.policies),
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Origin:
        """Read back what `as_json` gave; keys that are missing are unknown."""
        named = {key: value.get(key) for key in ("run", "judge", "principles", "principles_file")}
        return cls(**named, policies=tuple(value.get("policies") or ()))

    @property
    def judge_model(self) -> Mapping[str, Json] | None:
        """What identifies the model behind the judge."""
        model = None if self.judge is None else self.judge.get("model")
        return model if isinstance(model, Mapping) else None


def origin_of(data: Path | None) -> Origin:
    """Find out what made a dataset's labels; an empty `Origin` where nothing says so."""
    if data is None:
        return Origin()
    run = _run_above(data)
    carried = _carried(data)
    fingerprint = run.get("fingerprint", {}) if run else {}
    identity = carried.get("identity") or fingerprint.get("identity") or {}
    principles = carried.get("principles") or fingerprint.get("growth", {}).get("principles")
    judge = identity.get("judge")
    return Origin(
        run=run.get("name") if run else None,
        judge=judge if isinstance(judge, Mapping) else None,
        principles=principles if isinstance(principles, str) else None,
        principles_file=_file_name(run.get("config", {}).get("principles") if run else None),
        policies=tuple(key.removeprefix("policy ") for key in identity if key.startswith("policy ")),
    )


def origin_of_judge(judge: AnyJudge, principles: str) -> Origin:
    """What makes the labels where a judge makes them while a model learns; `principles` is its file as it was named."""
    return Origin(judge=judge.fingerprint, principles=judge.constitution.digest, principles_file=_file_name(principles))


def origin_of_reward_model(model: str) -> Origin:
    """What made the labels that a reward model learnt; an empty `Origin` where Tenet did not train it."""
    folder = Path(model).expanduser()
    record = (read_record(folder) if folder.is_dir() else None) or {}
    origin = record.get("origin")
    return Origin.of_json(origin) if isinstance(origin, Mapping) else Origin()


def library_versions() -> dict[str, Json]:
    """Give the versions that a training's result depends on; imports none of them."""
    from importlib import metadata

    found = versions()
    for package in ("trl", "datasets", "accelerate", "peft"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _carried(data: Path) -> dict[str, Any]:
    """What the first Parquet file says of itself."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = [data] if data.is_file() else sorted(data.rglob("*.parquet"))
    for file in files[:1]:
        try:
            said = (pq.read_schema(file).metadata or {}).get(_KEY)
            value = json.loads(said) if said else {}
        except (OSError, ValueError, pa.ArrowException):
            return {}
        return value if isinstance(value, dict) else {}
    return {}


def _run_above(data: Path) -> dict[str, Any] | None:
    for folder in _upwards(data):
        file = folder / "run.json"
        if file.is_file():
            try:
                value = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:
                return None
            return value if isinstance(value, dict) else None
    return None


def _upwards(data: Path) -> Iterator[Path]:
    yield from [data.absolute(), *data.absolute().parents][: _LEVELS + 1]


def _file_name(value: object) -> str | None:
    return Path(value).name if isinstance(value, str) else None
