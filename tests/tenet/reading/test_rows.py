"""Every format yields the same rows; damage is a problem of a row, or an error that names the file and line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tenet.errors import InvalidInput, MissingInput
from tenet.reading.prompts import PromptStream
from tenet.reading.rows import RawRow, open_rows

ROWS = [
    {"prompt": "one, two", "tags": "a"},
    {"prompt": 'a "quote"\nand a line', "tags": ""},
    {"prompt": "é😀", "tags": "b"},
]


def write(path: Path) -> Path:
    kind = [suffix for suffix in path.suffixes if suffix != ".gz"][-1]
    if kind == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(ROWS), path)
        return path
    if kind == ".jsonl":
        text = "".join(json.dumps(row) + "\n\n" for row in ROWS)
    elif kind == ".json":
        text = json.dumps(ROWS, indent=1)
    else:
        comma = "\t" if kind == ".tsv" else ","
        cells = [[f'"{value.replace(chr(34), 2 * chr(34))}"' for value in row.values()] for row in ROWS]
        text = "\r\n".join(comma.join(line) for line in [["prompt", "tags"], *cells]) + "\r\n"
    raw = text.encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


@pytest.mark.parametrize(
    "name", ["r.jsonl", "r.json", "r.csv", "r.tsv", "r.parquet", "r.jsonl.gz", "r.csv.gz", "r.json.gz"]
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    rows = open_rows(write(tmp_path / name))
    assert [row.value for row in rows] == ROWS
    assert [row.value for row in rows] == ROWS, "rows can be read a second time"
    assert not any(row.problem for row in rows)


def test_places_are_lines_where_there_are_lines(tmp_path: Path) -> None:
    assert [row.place for row in open_rows(write(tmp_path / "r.jsonl"))] == [1, 3, 5]
    assert [row.place for row in open_rows(write(tmp_path / "r.csv"))] == [2, 3, 5]
    parquet = open_rows(write(tmp_path / "r.parquet"))
    assert (parquet.unit, [row.place for row in parquet]) == ("row", [1, 2, 3])


def test_text_skips_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_bytes(b"\xef\xbb\xbf first \r\n\r\n   \nsecond")
    assert list(open_rows(path)) == [RawRow(1, "first"), RawRow(4, "second")]


def test_formats_are_told_by_content_where_the_name_says_nothing(tmp_path: Path) -> None:
    lines = tmp_path / "data"
    lines.write_text('{"prompt": "a"}\n')
    assert [row.value for row in open_rows(lines)] == [{"prompt": "a"}]
    mistaken = tmp_path / "lines.json"
    mistaken.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    assert len(list(open_rows(mistaken))) == 2
    parquet = write(tmp_path / "r.parquet").rename(tmp_path / "blob")
    assert len(list(open_rows(parquet))) == 3
    prose = tmp_path / "notes"
    prose.write_text("just text")
    with pytest.raises(InvalidInput, match="`format:`, one of jsonl, json, csv"):
        open_rows(prose)
    assert [row.value for row in open_rows(prose, "txt")] == ["just text"]


def test_bad_lines_of_json_are_problems_of_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    deep = "[" * 100_000
    path.write_bytes(b'{"a": 1}\n{"a": \n{"a": 1, "a": 2}\n\xff\xfe{\n' + deep.encode() + b"\n" + b'{"a": NaN}\n')
    problems = [(row.place, row.problem) for row in open_rows(path)]
    assert problems[0] == (1, "")
    assert problems[1] == (2, "not JSON: Expecting value (column 7)")
    assert problems[2] == (3, 'the key "a" stands twice')
    assert problems[3] == (4, "not UTF-8 text")
    assert problems[4][0] == 5
    assert problems[4][1]
    assert problems[5] == (6, ""), "NaN in a column that nobody reads is nobody's business"


def test_bad_rows_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(b'prompt,tags\nok,1\nshort\n"a"b,2\n\xe9,3\nfine,4\n')
    assert [(row.place, row.problem) for row in open_rows(path)] == [
        (2, ""),
        (3, "1 cells where the header names 2 columns"),
        (4, "not a row: ',' expected after '\"'"),
        (5, "not UTF-8 text"),
        (6, ""),
    ]


def test_a_quote_that_swallows_rows_stops_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('prompt,tags\nok,1\n"never closed,2\nlost,3\nlost,4\n')
    with pytest.raises(InvalidInput, match=rf"{path}:3: a quote opened here is not closed properly up to line 5"):
        list(open_rows(path))


def test_large_cells_and_semicolons(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("prompt;tags\n" + "x" * 300_000 + ";a\n")
    (row,) = open_rows(path)
    assert isinstance(row.value, dict)
    assert len(row.value["prompt"]) == 300_000


@pytest.mark.parametrize(
    ("header", "told"), [("a,a\n", 'names "a" twice'), ("a,,b\n", "column 2 has no name"), ("", "empty")]
)
def test_headers_that_cannot_be_used(tmp_path: Path, header: str, told: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(header)
    with pytest.raises(InvalidInput, match=told):
        open_rows(path)


def test_what_is_not_there_names_what_is(tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text("{}\n")
    with pytest.raises(MissingInput, match=r"did you mean .*prompts\.jsonl") as caught:
        open_rows(tmp_path / "prompt.jsonl")
    assert caught.value.exit_code == 3
    with pytest.raises(InvalidInput, match="is a folder"):
        open_rows(tmp_path)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    utf16 = tmp_path / "p.txt"
    utf16.write_bytes("hello".encode("utf-16"))
    with pytest.raises(InvalidInput, match="iconv -f UTF-16"):
        open_rows(utf16)
    parquet = tmp_path / "p.parquet"
    parquet.write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidInput, match="is no Parquet file"):
        open_rows(parquet)
    table = tmp_path / "p.json"
    table.write_text("[1, 2")
    with pytest.raises(InvalidInput, match=r"p\.json:1:6: Expecting ',' delimiter"):
        list(open_rows(table))


def test_a_cut_off_archive_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"prompt": "x" * 10_000}).encode() * 50)[:-40])
    with pytest.raises(InvalidInput, match=r"p\.jsonl\.gz: the gzip data is cut off or damaged"):
        list(open_rows(path))


def test_lines_are_read_to_a_byte_and_found_by_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"x": 1}\n{"y": 2}\n{"x": 3}\n{"x": 4}\n')
    rows = open_rows(path, end=len('{"x": 1}\n') * 3)
    assert [row.value for row in rows] == [{"x": 1}, {"y": 2}, {"x": 3}]
    assert list(rows.holding(b'"x"')) == [RawRow(1, {"x": 1}), RawRow(3, {"x": 3})]
    array = tmp_path / "rows.json"
    array.write_text('[{"x": 1}, {"y": 2}]')
    assert len(list(open_rows(array).holding(b'"x"'))) == 2, "rows that are no lines are all read"


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("", "put one row a line into it, or name another file"),
        ('{"prompt": "Why?\n', "mend these rows or take them out; few enough of them are left out and counted"),
    ],
)
def test_prompts_that_cannot_be_read_are_told_with_a_cure(tmp_path: Path, text: str, cure: str) -> None:
    file = tmp_path / "p.jsonl"
    file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        list(PromptStream(open_rows(file)))
    assert str(caught.value).endswith(f"\n  {cure}")
