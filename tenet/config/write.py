"""Writes a configuration out again: as plain values for fingerprints and manifests, as YAML for people.

Knows no file.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from tenet.ids import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def as_json(config: DataclassInstance) -> dict[str, Json]:
    """Every field of a configuration by name, defaults included, as plain values."""
    return cast("dict[str, Json]", _plain(config))


def to_yaml(config: DataclassInstance) -> str:
    """The configuration as a YAML file that `load_config` reads back equal."""
    return dump_yaml(as_json(config))


def dump_yaml(values: Mapping[str, Json]) -> str:
    """Plain values as YAML 1.2, keys in their order; texts that would read as something else are quoted."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    buffer = io.StringIO()
    yaml.dump(_plain(values), buffer)
    return buffer.getvalue()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
