"""Carries records to SQLite, to Arrow and back, unchanged: the columns follow from the dataclass.

Fields may be str, int, float, bool, string enums, Optional of these, dataclasses of these, and tuples of any
of them. Scalars get a typed column; tuples and dataclasses are JSON text in SQLite and lists and structs in
Parquet. What could not come back equal (NaN, an infinity, an integer past 64 bits, a lone surrogate, a value
of another type) is refused on the way in, with the field named. Knows nothing of files.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)
else:
    R = TypeVar("R")

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
SqlValue = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One field of a record: its name, its SQLite type, and the ways in and out.

    `to_plain` gives strings, numbers, booleans, lists and dicts, or raises ValueError; `from_plain` takes
    them back. `nested` values are JSON text in SQLite. `arrow` makes the Arrow type, importing pyarrow only
    then.
    """

    name: str
    sql_type: str
    nested: bool
    optional: bool
    to_plain: Callable[[object], Plain]
    from_plain: Callable[[Plain], object]
    arrow: Callable[[], Any]


class Codec(Generic[R]):
    """The way between one type of record and its columns.

    Raises:
        TypeError: a field's type cannot be carried, or no field is required (a row without a record could not
            be told apart).

    `stand_ins` are, by column, the plain values for one that a file lacks: its field's default, else None; columns
    in `must_be_there` have none.
    """

    def __init__(self, record_type: type[R]) -> None:
        self.record_type = record_type
        self.columns = columns_of(record_type)
        self.names = tuple(column.name for column in self.columns)
        required = [index for index, column in enumerate(self.columns) if not column.optional]
        if not required:
            raise TypeError(f"{record_type.__name__} has no required field")
        self._required = required[0]
        fields = dataclasses.fields(record_type)
        self.stand_ins = tuple(
            _stand_in(column, field.default) for column, field in zip(self.columns, fields, strict=True)
        )
        self.must_be_there = frozenset(
            column.name
            for column, field in zip(self.columns, fields, strict=True)
            if field.default is dataclasses.MISSING and not column.optional
        )
        self._restore = tuple(map(_restore, self.columns))
        self._outcome = _outcome_field(record_type)

    @property
    def name(self) -> str:
        """The record type's name, as manifests carry it."""
        return self.record_type.__name__

    def outcome(self, record: R) -> str:
        """How this record ended, in the words of its first enum field (`outcome`, `finish`, `verdict`); "ok"
        where it has none.
        """
        return str(getattr(record, self._outcome)) if self._outcome else "ok"

    def encode(self, record: R) -> tuple[Plain, ...]:
        """Take a record apart into plain values, one a column.

        Raises:
            ValueError: a value would not come back equal; names the field.
        """
        if type(record) is not self.record_type:
            raise ValueError(f"a {type(record).__name__} is no {self.name}")
        return tuple(_named(column, getattr(record, column.name)) for column in self.columns)

    def decode(self, values: Sequence[Plain]) -> R | None:
        """Put a record together again; None for a row that holds none (all its columns are null)."""
        if values[self._required] is None:
            return None
        return self.record_type(
            *(
                None if value is None else column.from_plain(value)
                for column, value in zip(self.columns, values, strict=True)
            )
        )

    def to_sql(self, values: Sequence[Plain]) -> tuple[SqlValue, ...]:
        """Plain values as SQLite holds them: nested ones become JSON text."""
        return tuple(_sql(column, value) for column, value in zip(self.columns, values, strict=True))

    def from_sql(self, values: Sequence[SqlValue]) -> tuple[Plain, ...]:
        """Plain values from a SQLite row."""
        return tuple(
            value if restore is None or value is None else restore(value)
            for restore, value in zip(self._restore, values, strict=True)
        )


def _stand_in(column: Column, default: object) -> Plain:
    return None if default is dataclasses.MISSING else _named(column, default)


def _sql(column: Column, value: Plain) -> SqlValue:
    if value is None:
        return None
    if column.nested:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return int(value) if isinstance(value, bool) else cast("SqlValue", value)


def _restore(column: Column) -> Callable[[Any], Plain] | None:
    """What makes a plain value of what SQLite holds; None where they are the same."""
    if column.nested:
        return json.loads
    return bool if column.from_plain is bool else None


def columns_of(record_type: type[DataclassInstance]) -> tuple[Column, ...]:
    """The columns of a record type, in the order of its fields."""
    hints = get_type_hints(record_type)
    columns = []
    for field in dataclasses.fields(record_type):
        if not field.init or field.kw_only:
            raise TypeError(f"{record_type.__name__}.{field.name}: fields must be positional and set by __init__")
        columns.append(_column(field.name, hints[field.name], f"{record_type.__name__}.{field.name}"))
    return tuple(columns)


def _named(column: Column, value: object) -> Plain:
    if value is None:
        if column.optional:
            return None
        raise ValueError(f"{column.name} is None")
    try:
        return column.to_plain(value)
    except ValueError as error:
        raise ValueError(f"{column.name}: {error}") from error


def _column(name: str, hint: object, where: str) -> Column:
    optional = False
    if get_origin(hint) in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        optional = len(inner) < len(get_args(hint))
        if len(inner) != 1:
            raise TypeError(f"{where}: a union of several types cannot be stored")
        hint = inner[0]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _tuple(name, optional, _column("item", arguments[0], where))
    if isinstance(hint, type):
        if dataclasses.is_dataclass(hint):
            return _struct(name, optional, hint)
        if issubclass(hint, StrEnum):
            return _enum(name, optional, hint)
        if hint in _SCALARS:
            sql_type, to_plain, arrow = _SCALARS[hint]
            return Column(name, sql_type, False, optional, to_plain, bool if hint is bool else _same, _arrow(arrow))
    raise TypeError(f"{where}: {hint!r} cannot be stored")


def _tuple(name: str, optional: bool, item: Column) -> Column:
    def to_plain(value: object) -> Plain:
        if not isinstance(value, tuple):
            raise ValueError(f"{value!r} is no tuple")
        return [_named(item, part) for part in value]

    def from_plain(value: Plain) -> object:
        return tuple(None if part is None else item.from_plain(part) for part in cast("list[Plain]", value))

    def arrow() -> Any:
        import pyarrow as pa

        return pa.list_(pa.field("item", item.arrow()))

    return Column(name, "TEXT", True, optional, to_plain, from_plain, arrow)


def _struct(name: str, optional: bool, struct: type[DataclassInstance]) -> Column:
    parts = columns_of(struct)

    def to_plain(value: object) -> Plain:
        if type(value) is not struct:
            raise ValueError(f"{value!r} is no {struct.__name__}")
        return {part.name: _named(part, getattr(value, part.name)) for part in parts}

    def from_plain(value: Plain) -> object:
        held = cast("dict[str, Plain]", value)
        restored = {part.name: held[part.name] for part in parts}
        return struct(
            **{
                part.name: None if restored[part.name] is None else part.from_plain(restored[part.name])
                for part in parts
            }
        )

    def arrow() -> Any:
        import pyarrow as pa

        return pa.struct([pa.field(part.name, part.arrow()) for part in parts])

    return Column(name, "TEXT", True, optional, to_plain, from_plain, arrow)


def _enum(name: str, optional: bool, enum: type[StrEnum]) -> Column:
    def to_plain(value: object) -> Plain:
        if not isinstance(value, enum):
            raise ValueError(f"{value!r} is no {enum.__name__}")
        return str(value.value)

    def from_plain(value: Plain) -> object:
        return enum(cast("str", value))

    return Column(name, "TEXT", False, optional, to_plain, from_plain, _arrow("string"))


def _text(value: object) -> Plain:
    if not isinstance(value, str) or isinstance(value, StrEnum):
        raise ValueError(f"{value!r} is no text")
    value.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, a ValueError
    return value


def _integer(value: object) -> Plain:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no integer")
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} does not fit 64 bits")
    return value


def _number(value: object) -> Plain:
    if not isinstance(value, float | int) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value) + 0.0  # SQLite keeps no negative zero


def _boolean(value: object) -> Plain:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _same(value: Plain) -> object:
    return value


def _arrow(name: str) -> Callable[[], Any]:
    def make() -> Any:
        import pyarrow as pa

        return getattr(pa, name)()

    return make


_SCALARS: dict[type, tuple[str, Callable[[object], Plain], str]] = {
    str: ("TEXT", _text, "string"),
    int: ("INTEGER", _integer, "int64"),
    float: ("REAL", _number, "float64"),
    bool: ("INTEGER", _boolean, "bool_"),
}


def _outcome_field(record_type: type[DataclassInstance]) -> str:
    hints = get_type_hints(record_type)
    for field in dataclasses.fields(record_type):
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            return field.name
    return ""
