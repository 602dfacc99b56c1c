"""Tenet's own labels: the columns of its label record, or columns mapped to them. Every problem of a row is told, not the first alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from judges.formats.base import Columns, Format, Item, Skipped, Source, Withdrawn
from judges.humans.labels import COLUMNS, OWN, REQUIRED, WITHDRAWS, parse_label
from tenet.errors import InvalidInput, Problem, UsageError
from tenet.reading.rows import Rows
from tenet.reading.turns import kind_of
from tenet.spreadsheet import plain
from tenet.yamlfile import suggest

NOT_YET: Final = "not labelled yet"


def read(source: Source) -> Iterator[tuple[int, Item | Skipped]]:
    """Read labels; unknown columns are told once each, at their first place.

    Raises:
        UsageError: the mapping names what is not there, or maps two of ours to one of theirs.
        InvalidInput: the header lacks a column, or has one that nobody asked for.
    """
    rows = source.rows
    _check_names(rows, source.columns)
    seen = set(rows.columns or ())
    for row in rows:
        if row.problem or not isinstance(row.value, Mapping):
            yield row.place, Skipped(row.problem or f"expected a row with columns, found {kind_of(row.value)}")
            continue
        told = source.columns.row(row.value)
        if rows.cells:
            told = {name: plain(value) if isinstance(value, str) else value for name, value in told.items()}
        if WITHDRAWS in told:
            yield row.place, _withdrawn(told)
            continue
        for name in told:
            if name not in COLUMNS and name not in OWN and name not in seen:
                seen.add(name)
                yield row.place, Skipped(f'unknown column "{name}"', _unknown_hint(name))
        if all(name in told and told[name] in (None, "") for name in ("preference", "annotator")):
            yield row.place, Skipped(NOT_YET, fact=True)
            continue
        if source.columns.annotator and told.get("annotator") in (None, ""):
            told["annotator"] = source.columns.annotator
        where = _where(rows, told, row.place)
        parsed = parse_label(told, source=where, cells=rows.cells, choices=source.columns.choices)
        source.cleaning += parsed.cleaning
        if parsed.label is not None:
            yield row.place, parsed.label
        for problem in parsed.problems:
            yield row.place, Skipped(problem, columns=frozenset(row.value))


def withdrawn(source: Source) -> frozenset[str]:
    """The ids of the labels that rows of the file take back, wherever they stand."""
    if source.rows.columns is not None:  # the header of a table is refused where it has such a column
        return frozenset()
    found = (
        _withdrawn(source.columns.row(row.value))
        for row in source.rows.holding(f'"{WITHDRAWS}"'.encode())
        if isinstance(row.value, Mapping) and WITHDRAWS in row.value
    )
    return frozenset(one.label_id for one in found if isinstance(one, Withdrawn))


def _withdrawn(told: Mapping[str, object]) -> Withdrawn | Skipped:
    name = told.get(WITHDRAWS)
    if isinstance(name, str) and name and told.keys() <= {WITHDRAWS, "annotator", "time"}:
        return Withdrawn(name)
    return Skipped(f"`{WITHDRAWS}` names the id of a label, beside annotator and time alone")


def _where(rows: Rows, told: Mapping[str, object], place: int) -> str:
    source = told.get("source")
    return source if isinstance(source, str) and source else rows.where(place)


def _check_names(rows: Rows, mapped: Columns) -> None:
    for name, column in mapped.names.items():
        if name not in COLUMNS:
            hint = suggest(name, COLUMNS) or f"Tenet's columns are {', '.join(COLUMNS)}"
            raise UsageError(f'--map {name}={column}: Tenet has no column "{name}"', hint=hint)
        if rows.columns is not None and column not in rows.columns:
            hint = suggest(column, rows.columns) or f"its columns are {', '.join(rows.columns)}"
            raise UsageError(f'--map {name}={column}: {rows.name} has no column "{column}"', hint=hint)
    if len(set(mapped.names.values())) < len(mapped.names):
        raise UsageError("--map gives one column of the file two meanings", hint="map each column once")
    if rows.columns is None:
        return
    there = list(mapped.row(dict.fromkeys(rows.columns)))
    place = 1 if rows.unit == "line" else None
    unknown = [name for name in there if name not in COLUMNS and name not in OWN]
    problems = [Problem(f'unknown column "{name}"', rows.path, place, hint=_unknown_hint(name)) for name in unknown]
    missing = [name for name in REQUIRED if name not in there and not (name == "annotator" and mapped.annotator)]
    problems += [Problem(f'no column "{name}"', rows.path, place, hint=_missing_hint(name)) for name in missing]
    if problems:
        raise InvalidInput(f"the columns of {rows.name} are not those of labels", problems)


def _missing_hint(name: str) -> str:
    more = ", or say whose labels they are: --annotator NAME" if name == "annotator" else ""
    return f"if it has another name: --map {name}=COLUMN{more}"


def _unknown_hint(name: str) -> str:
    close = suggest(name, COLUMNS)
    ours = close.split('"')[1] if close else "NAME"
    return "; ".join(filter(None, (close, f"use it with --map {ours}={name}, or leave it out with --ignore {name}")))


TENET: Final = Format(
    "tenet",
    "Tenet's own columns: prompt, response_a, response_b, preference, annotator, ...",
    lambda columns: columns >= frozenset(REQUIRED),
    read,
    labels=True,
    withdrawn=withdrawn,
)
