"""Opens a file of rows (JSONL, JSON, CSV, TSV, Parquet, plain text; gzip or not), a value and a place each.

Knows no column's meaning. A row that cannot be read is yielded with its problem, for the caller to count;
what makes the whole file unreadable raises. Everything but a JSON array streams: memory does not grow with
the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from tenet.errors import InvalidInput, Problem, missing_file
from tenet.reading import delimited, jsonrows, parquet

_SUFFIXES: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
    ".text": "text",
}
ALIASES: Final = {"txt": "text", "hh": "jsonl", "ndjson": "jsonl"}
_GZIP: Final = b"\x1f\x8b"
_SNIFFED: Final = 4096


class RowFormat(StrEnum):
    """The formats of row files."""

    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"
    PARQUET = "parquet"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands: a table of columns, a text, or whatever JSON holds.

    `place` counts lines, or rows, from 1.

    `problem` is empty unless the row could not be read; `value` is None then.
    """

    place: int
    value: object
    problem: str = ""


@dataclass(frozen=True)
class Rows:
    """The rows of one source, as often as they are iterated.

    `columns` are known beforehand for formats that have a header. `unit` says what a place counts. `cells` is
    True where every value is text (CSV), so that structure can only be written into a cell as JSON.
    """

    name: str
    unit: str
    read: Callable[[], Iterator[RawRow]] = field(repr=False)
    columns: tuple[str, ...] | None = None
    cells: bool = False
    path: Path | None = None
    find: Callable[[bytes], Iterator[RawRow]] | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[RawRow]:
        return self.read()

    def holding(self, text: bytes) -> Iterator[RawRow]:
        """The rows whose line holds these bytes, the others left undecoded; all rows where a row is not a line of JSON or text."""
        return self.find(text) if self.find else self.read()

    def where(self, place: int) -> str:
        """The place of a row as `Prompt.source` writes it."""
        return f"{self.name}:{place}"

    def problem(self, place: int, message: str, hint: str = "") -> Problem:
        """A problem of the row at this place."""
        if self.unit == "line" and self.path is not None:
            return Problem(message, self.path, place, hint=hint)
        return Problem(f"{self.unit} {place}: {message}", self.path, hint=hint)


def open_rows(path: Path, format: str = "auto", *, end: int | None = None) -> Rows:  # noqa: A002
    """Open a file of rows; `format` is one of `RowFormat` or "auto" (by the suffix, else by the first bytes).

    Lines of JSON and of text are read up to byte `end`, for a file that grows meanwhile.

    Raises:
        MissingInput: there is no such file.
        InvalidInput: a folder, an unknown format, UTF-16, a damaged header or archive. Iterating raises it
            too, where the damage is.
    """
    _check(path)
    known = RowFormat(ALIASES.get(format, format)) if format in (*RowFormat, *ALIASES) else _detect(path, format)
    if known is RowFormat.PARQUET:
        columns = parquet.columns(path)
        return Rows(path.name, "row", lambda: _numbered(parquet.values(path)), columns, path=path)
    if known in (RowFormat.CSV, RowFormat.TSV):
        tab = known is RowFormat.TSV
        with open_bytes(path) as file:
            columns = delimited.header(file, path, tab=tab)
        return Rows(path.name, "line", lambda: _delimited(path, tab), columns, cells=True, path=path)
    if known is RowFormat.JSON:
        return Rows(path.name, "row", lambda: _numbered(_array(path)), path=path)
    decode = jsonrows.decode if known is RowFormat.JSONL else jsonrows.plain

    def lines(text: bytes = b"") -> Iterator[RawRow]:
        return _lines(path, decode, end, text)

    return Rows(path.name, "line", lines, path=path, find=lines)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked where it is gzip (told by its first bytes, not by its name)."""
    import gzip

    file = path.open("rb")
    packed = file.read(2) == _GZIP
    file.seek(0)
    if not packed:
        return file
    file.close()
    return gzip.open(path, "rb")  # type: ignore[return-value]


def _check(path: Path) -> None:
    if not path.exists():
        raise missing_file(path)
    if path.is_dir():
        hint = "name a file; a folder that the datasets library saved goes under `dataset:`"
        raise InvalidInput(f"{path} is a folder", [Problem("expected a file of rows", path, hint=hint)])
    with _damage(path):
        head = _head(path, 2)
    if head in (b"\xff\xfe", b"\xfe\xff"):
        hint = f"convert it: iconv -f UTF-16 -t UTF-8 {path.name} > new-{path.name}"
        raise InvalidInput(f"{path} is not UTF-8", [Problem("the file is UTF-16", path, hint=hint)])


def _head(path: Path, size: int) -> bytes:
    with open_bytes(path) as file:
        return file.read(size)


def _detect(path: Path, wanted: str) -> RowFormat:
    names = ", ".join(RowFormat)
    if wanted not in ("auto", ""):
        raise InvalidInput(f'unknown format "{wanted}"', [Problem(f"the formats are {names}", path)])
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    named = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if named not in (None, "json"):
        return RowFormat(named)
    head = _head(path, _SNIFFED).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"PAR1"):
        return RowFormat.PARQUET
    if head.startswith(b"["):
        return RowFormat.JSON
    if head.startswith(b"{") or named:
        return RowFormat.JSONL
    message, hint = (
        f"its name ends in none of {', '.join(_SUFFIXES)}",
        f"say which it is with `format:`, one of {names}",
    )
    raise InvalidInput(f"cannot tell the format of {path}", [Problem(message, path, hint=hint)])


def _numbered(values: Iterator[object]) -> Iterator[RawRow]:
    for place, value in enumerate(values, 1):
        yield RawRow(place, value)


def _array(path: Path) -> Iterator[object]:
    with _damage(path), open_bytes(path) as file:
        yield from jsonrows.array(file.read(), path)


def _lines(path: Path, decode: Callable[[str], tuple[object, str]], end: int | None, text: bytes) -> Iterator[RawRow]:
    read = 0
    with _damage(path), open_bytes(path) as file:
        for place, raw in enumerate(file, 1):
            read += len(raw)
            if end is not None and read > end:
                return
            if text not in raw:
                continue
            line = raw.removeprefix(b"\xef\xbb\xbf") if place == 1 else raw
            if not line.strip():
                continue
            try:
                value, problem = decode(line.decode("utf-8").rstrip("\r\n"))
            except UnicodeDecodeError:
                value, problem = None, "not UTF-8 text"
            yield RawRow(place, value, problem)


def _delimited(path: Path, tab: bool) -> Iterator[RawRow]:
    with _damage(path), open_bytes(path) as file:
        for place, value, problem in delimited.values(file, path, tab=tab):
            yield RawRow(place, value, problem)


class _damage:  # noqa: N801
    """Turns what a broken archive raises while it is read into an error that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import gzip
        import zlib

        if isinstance(error, EOFError | gzip.BadGzipFile | zlib.error):
            problem = Problem(f"the gzip data is cut off or damaged ({error})", self.path, hint="fetch the file again")
            raise InvalidInput(f"{self.path} cannot be read to its end", [problem]) from error
        if isinstance(error, OSError):
            problem = Problem(error.strerror or str(error), self.path)
            raise InvalidInput(f"{self.path} cannot be read", [problem]) from error
