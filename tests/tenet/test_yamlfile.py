from pathlib import Path

import pytest

from tenet.errors import InvalidInput, MissingInput
from tenet.yamlfile import MAX_BYTES, load_yaml, parse_yaml, suggest


def places(text: str) -> list[tuple[int | None, int | None, str]]:
    with pytest.raises(InvalidInput) as caught:
        parse_yaml(text)
    return [(problem.line, problem.column, problem.message) for problem in caught.value.problems]


def test_plain_values_follow_yaml_1_2() -> None:
    text = "a: no\nb: 1e-5\nc: 12:30\nd: 2026-01-01\ne: [1, .5, 1., true, null, ~, 0o7, .inf, 1_000, -3]\n"
    assert parse_yaml(text).data == {
        "a": "no",
        "b": 1e-5,
        "c": "12:30",
        "d": "2026-01-01",
        "e": [1, 0.5, 1.0, True, None, None, "0o7", ".inf", "1_000", -3],
    }


def test_quoted_and_block_scalars_are_text_and_keys_are_as_written() -> None:
    data = parse_yaml("a: '1'\nb: \"true\"\nc: |\n  x: 1\nd: >-\n  two\n  lines\nno: 1\n2: x\n").data
    assert data == {"a": "1", "b": "true", "c": "x: 1\n", "d": "two lines", "no": 1, "2": "x"}


def test_a_1_1_directive_changes_nothing() -> None:
    assert parse_yaml("%YAML 1.1\n---\na: no\n").data == {"a": "no"}


def test_empty_text_is_none() -> None:
    assert parse_yaml("").data is None
    assert parse_yaml("# only a comment\n").data is None


def test_positions_are_of_keys_and_items_from_one() -> None:
    document = parse_yaml("name: x\nprinciples:\n  - id: a\n    weight: 2\n  - id: b\n")
    assert document.position(("name",)) == (1, 1)
    assert document.position(("principles", 0)) == (3, 5)
    assert document.position(("principles", 0, "weight")) == (4, 5)
    assert document.position(("principles", 1, "id")) == (5, 5)


def test_a_missing_place_falls_back_to_its_nearest_parent() -> None:
    document = parse_yaml("a:\n  b:\n    - c: 1\n")
    assert document.position(("a", "b", 0, "missing", "deeper")) == (3, 7)
    assert document.position(("nothing",)) == (1, 1)
    assert document.problem(("a", "x"), "wrong", "mend it").line == 1


def test_all_refused_things_are_reported_together() -> None:
    text = "a: &x 1\nb: *x\nc: !!python/name:os.system ''\na: 2\n? [1, 2]\n: 3\n'': 4\n"
    assert places(text) == [
        (1, 4, "the anchor &x is not allowed"),
        (2, 4, "the alias *x is not allowed"),
        (3, 4, "the tag tag:yaml.org,2002:python/name:os.system is not allowed"),
        (4, 1, 'the key "a" stands here a second time'),
        (5, 3, "a key must be plain text"),
        (7, 1, "a key is empty"),
    ]


def test_a_duplicate_key_names_the_first_line_even_when_nested() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_yaml("x:\n  - {a: 1,\n     a: {b: 1, b: 2}}\n")
    messages = str(caught.value)
    assert ':3:6: the key "a"' in f":{messages.splitlines()[1]}"
    assert "the first is on line 2" in messages
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        ("a:\n\t- b", 2, 1, "cannot start any token"),
        ("a: b: c", 1, 5, "mapping values are not allowed"),
        ("a: 'x\nb: 3", 2, 5, "it began on line 1"),
        ("a: [1, 2\nb: 3", 1, 4, "noticed on line 2: expected ',' or ']'"),
        ("---\na: 1\n---\nb: 2", 3, 1, "a second document"),
        ("a: 1\nb: x\0y", 2, 5, "U+0000"),
        ("a: 99999999999999999999", 1, 4, "too large"),
        ("a: 1e999", 1, 4, "too large"),
        ("- " * 100 + "a", 1, 129, "nested deeper than 64"),
        ("[" * 100_000, 1, 65, "nested deeper than 64"),
        ('a: "\\ud800"', 1, 4, "surrogate"),
        ('a: "\\U00110000"', 1, 1, "not valid YAML"),
    ],
)
def test_what_cannot_be_read_says_where(text: str, line: int, column: int, part: str) -> None:
    ((at_line, at_column, message),) = places(text)
    assert (at_line, at_column) == (line, column)
    assert part in message


def test_syntax_errors_carry_a_cure() -> None:
    with pytest.raises(InvalidInput, match="indent with spaces"):
        parse_yaml("a:\n\tb: 1")
    with pytest.raises(InvalidInput, match="needs quotes"):
        parse_yaml("text: be kind: always")


def test_json_is_read_and_surrogate_pairs_join() -> None:
    assert parse_yaml('{"a": "\\ud83d\\ude00", "b": [1.5, null]}').data == {"a": "\U0001f600", "b": [1.5, None]}


def test_files_missing_too_big_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no such file"):
        load_yaml(tmp_path / "absent.yaml")
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_yaml(tmp_path)
    big = tmp_path / "big.yaml"
    big.write_text("a: " + "x" * MAX_BYTES)
    with pytest.raises(InvalidInput, match="1,000,000 bytes"):
        load_yaml(big)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("a: 1\nb: caf\xe9\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"latin\.yaml:2:7: this is not UTF-8"):
        load_yaml(latin)


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    document = load_yaml(path)
    assert document.data == {"a": 1, "b": 2}
    assert document.position(("b",)) == (2, 1)


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(InvalidInput) as caught:
        load_yaml(path)
    assert f"{path}:2:1: " in str(caught.value)


def test_suggest_finds_near_words_only() -> None:
    assert suggest("wieght", ["weight", "text"]) == 'did you mean "weight"?'
    assert suggest("applies-when", ["applies_when"]) == 'did you mean "applies_when"?'
    assert suggest("Text", ["text"]) == 'did you mean "text"?'
    assert suggest("zebra", ["weight"]) == ""
    assert suggest("anything", []) == ""


def test_a_bracket_that_is_not_closed_is_pointed_at_where_it_opens_with_the_cure() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_yaml("name: s\nprompts: {path: p.jsonl\njudge: {model: m}\n")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 10)
    assert "noticed on line 3" in problem.message
    assert problem.hint == "close it with } , and put a comma between two entries"


def test_a_file_that_is_not_there_is_told_with_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("name: s\n")
    with pytest.raises(MissingInput) as caught:
        load_yaml(tmp_path / "rn.yaml")
    assert caught.value.hint == f'did you mean "{tmp_path / "run.yaml"}"?'
