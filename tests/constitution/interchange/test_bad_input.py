import json
import re
from pathlib import Path

import pytest

from constitution.interchange.read import read_foreign
from constitution.interchange.registry import FORMATS
from tenet.errors import InvalidInput, MissingInput, UsageError

REQUEST = {"critique_request": "Is it?", "revision_request": "Do."}


def refused(folder: Path, name: str, data: str | bytes, form: str = "auto") -> list[tuple[int | None, str]]:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(InvalidInput) as caught:
        read_foreign(path, form)
    assert str(path) in str(caught.value)
    return [(problem.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "data", "line", "says"),
    [
        ("a.json", "", 1, "the file is empty"),
        ("a.txt", " \n\t\n", 1, "the file is empty"),
        ("a.json", "{}", 1, "no known format"),
        ("a.json", "[]", 1, "no known format"),
        ("a.json", "[1, 2]", 1, "no known format"),
        ("a.md", "Only words, no heading.\n", 1, "there is no principle in this file"),
        ("a.txt", "# only\n# comments\n", 1, "there is no principle in this file"),
        ("a.yaml", "schema_version: 1\nname: x\n", 1, "this is a principles file already"),
        ("a.json", '{"a": {"prompt": ["x"]\n "edit_request": "y"}}', 2, "expected a comma or }"),
        ("a.json", '{"a": 1,\n}', 2, "expected a key in double quotes"),
        ("a.json", '["a",\n]', 2, "expected a value"),
        ("a.json", '["a"]\n x', 2, "something follows the end"),
        ("a.json", '[\n"a', 2, "Unterminated string"),
        ("a.json", '{"a": NaN}', 1, "NaN is no JSON"),
        ("a.json", "[" * 100 + "]" * 100, 1, "nested deeper than 64 levels"),
        ("a.json", '{"a": 1,\n"b": 2,\n"a": 3}', 3, 'the key "a" stands here a second time'),
        ("a.txt", b"One.\nTwo\0.\n", 2, "a NUL stands here"),
        ("a.txt", b"One.\nCaf\xe9.\n", 2, "not UTF-8"),
        ("a.txt", "One.\n".encode("utf-16"), 1, "this is UTF-16"),
        ("a.csv", b"comment-id,comment-body\n0,ok\n1,caf\xe9\n", 3, "not UTF-8"),
        ("a.csv", "comment-id,comment-body,comment-body\n0,a,b\n", 1, 'names "comment-body" twice'),
        ("a.csv", "comment-id,comment-body\n0,a\n1\n", 3, "1 cells where the header names 2"),
        ("a.csv", 'comment-id,comment-body\n0,a\n1,"b\n2,c\n', 3, "a quote opened here is not closed"),
        ("a.csv", "comment-id,comment-body\n", 1, "there is no principle in this file"),
        ("a.csv", "comment-id,comment-body\n0,a\n1,\n", 3, "the text is empty"),
        ("a.txt", f"One.\n{'x' * 2001}\n", 2, "2,001 characters long, at most 2,000"),
        ("a.md", "# M\n\n## A\n\nText.\n\n**Weight:** heavy\n", 3, "the weight must be a number above 0"),
        ("a.md", "# M\n\n## A\n\nText.\n\n**Tier:** law\n", 3, 'the tier "law" is none of rule, principle'),
        ("a.txt", "[Clear?]\nScore 1: No.\n", 1, "without a line `Score 5: ...`"),
        ("a.py", "ConstitutionalPrinciple(critique_request=X,\n revision_request='')", 1, "not plain strings"),
        ("a.py", "x = (\nConstitutionalPrinciple(critique_request=", 2, "not Python source"),
    ],
)
def test_one_fault(tmp_path: Path, name: str, data: str | bytes, line: int, says: str) -> None:
    (found,) = refused(tmp_path, name, data)
    assert found[0] == line
    assert says in found[1]


def test_all_faults_are_told_together(tmp_path: Path) -> None:
    rows = [
        {"dimension": "A", "definition": "Good.", "weight": 0},
        {"dimension": "B", "definition": 7},
        "text",
        {"definition": "No name."},
        {"dimension": "C", "definition": "x" * 2001, "weight": "3"},
        {"dimension": "D", "definition": "Fine.", "weight": True},
    ]
    found = refused(tmp_path, "a.json", "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]")
    assert sorted(found) == [
        (2, "the weight must be a number above 0, not 0"),
        (3, "`definition` must be text"),
        (4, "entry 3 is no table"),
        (5, "`dimension` is missing"),
        (6, "the text is 2,001 characters long, at most 2,000 are read"),
        (6, "the weight must be a number above 0, not '3'"),
        (7, "the weight must be a number above 0, not True"),
    ]


def test_another_format_than_the_one_named_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([REQUEST]))
    with pytest.raises(InvalidInput, match=r"not a file of the format salmon\s+it looks like --format langchain"):
        read_foreign(path, "salmon")
    with pytest.raises(UsageError, match='did you mean "langchain"'):
        read_foreign(path, "lang-chain")
    with pytest.raises(MissingInput):
        read_foreign(tmp_path / "nowhere.json")
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_foreign(tmp_path)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "data",
    [
        "plain words",
        "{}",
        "[]",
        "[[]]",
        '[{}, {"a": 1}]',
        '{"a": {}}',
        '"x"',
        "3",
        "<html>",
        "a,b\n1,2",
        "\ufeff\ufeff",
        "]",
    ],
)
def test_no_format_stumbles_over_another_file(form: str, data: str, tmp_path: Path) -> None:
    path = tmp_path / "a.data"
    path.write_text(data, encoding="utf-8")
    try:
        found = read_foreign(path, form)
    except InvalidInput as error:
        told = error.problems
    else:
        told = ()
        assert all(one.text for one in found.constitution.principles)
    assert all(problem.path == path and problem.line for problem in told)


def test_a_csv_full_of_traps_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    cells = [
        '=cmd|"/c calc"!A0',
        "- a: {b: [c]}",
        "&anchor *alias !!python/object:os.system",
        "x\n---\nid: evil",
        "\x1b[2J",
    ]
    lines = [f'{number},"{cell.replace(chr(34), chr(34) * 2)}"' for number, cell in enumerate(cells)]
    path.write_text("comment-id,comment-body\r\n" + "\r\n".join(lines) + "\r\n", newline="")
    found = read_foreign(path)
    assert [one.text for one in found.constitution.principles] == [*cells]
    assert all(re.fullmatch("[a-z0-9-]+", one.id) for one in found.constitution.principles)


def test_characters_that_no_file_carries_are_removed_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"critique_request": "Is\\u0000 it?", "revision_request": "Half \\ud83d of a pair."}]')
    found = read_foreign(path)
    (one,) = found.constitution.principles
    assert one.text == "Half \ufffd of a pair."
    assert any("removed" in remark for remark in found.remarks)


def test_too_large_a_file(tmp_path: Path) -> None:
    ((line, told),) = refused(tmp_path, "a.txt", b"x" * 20_000_001)
    assert (line, told) == (None, "it is larger than 20,000,000 bytes")
