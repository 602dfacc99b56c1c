from __future__ import annotations

from pathlib import Path

import pytest

from constitution.lint.run import lint
from constitution.lint.stamp import stamp
from constitution.load import load
from tenet.errors import UsageError

HEAD = "schema_version: 1\nname: mine\nlint: {TP401: This file is about something else.}\nprinciples:\n"
BLOCK = """  # kept
  - id: a
    text: The title is short.   # also kept
    compare: Which title is shorter?
    weight: 2
  - compare: Which dose is named?
    id: b
    text: The dose is named.
  - {id: c, text: The date is named., revise: Name the date.}
  - {id: d, text: The place is named.}
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_stamping_adds_the_digest_and_touches_nothing_else(end: str, mark: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    before = mark + (HEAD + BLOCK).replace("\n", end).encode()
    path.write_bytes(before)
    assert {one.rule.id for one in lint(path).open} == {"TP502"}
    assert stamp(path) == ("a", "b", "c")
    assert lint(path).open == ()
    after = path.read_bytes()
    for id_ in "abc":
        digest = load(path).get(id_).text_digest
        written = f'overrides_for: "{digest}"'.encode()
        assert after.count(written) == 1
        lead = written + (b", " if id_ == "c" else end.encode() + b"    ")
        after = after.replace(lead, b"")
    assert after == before
    assert stamp(path) == ()


def test_an_edited_text_is_reported_until_it_is_stamped_anew(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD + BLOCK)
    stamp(path)
    path.write_text(
        path.read_text().replace("title is short", "title is long").replace("date is named", "day is named")
    )
    assert [(one.rule.id, one.principle) for one in lint(path).open] == [("TP501", "a"), ("TP501", "c")]
    assert stamp(path, ["c"]) == ("c",)
    assert [(one.rule.id, one.principle) for one in lint(path).open] == [("TP501", "a")]


def test_an_override_of_an_included_text_is_stamped_in_its_own_file(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(HEAD + "  - {id: a, text: The title is short.}\n")
    path = tmp_path / "mine.yaml"
    path.write_text(
        "schema_version: 1\nname: mine\ninclude: [base.yaml]\nlint: {TP401: None yet.}\nprinciples:\n"
        "  - id: a\n    critique: Is it short?\n"
    )
    was = base.read_bytes()
    assert stamp(base) == ()
    assert stamp(path) == ("a",)
    assert base.read_bytes() == was
    assert lint(path).open == ()
    base.write_text(base.read_text().replace("short", "long"))
    assert [one.rule.id for one in lint(path).open] == ["TP501"]


def test_an_unknown_id_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD + BLOCK)
    with pytest.raises(UsageError, match='no principle "e"'):
        stamp(path, ["a", "e"])
    assert path.read_text() == HEAD + BLOCK
