"""Cells of a CSV file: no text is taken for a formula, and every text comes back; Python and DuckDB guard alike."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenet.spreadsheet import guarded, guarded_sql, plain

TEXTS = st.text(st.sampled_from("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20 a1;,\""), max_size=6) | st.text(max_size=20)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"), ("@sum(1)", "'@sum(1)"), ("-3", "'-3"), ("\t=1", "'\t=1"), ("\uff1d1", "'\uff1d1"),
        ("'=1", "''=1"), ("'quoted'", "'quoted'"), ("a=1", "a=1"), (" =1", " =1"), ("", ""),
    ],
)  # fmt: skip
def test_cells_by_hand(text: str, cell: str) -> None:
    assert guarded(text) == cell


@given(text=TEXTS)
def test_every_text_comes_back_and_none_begins_as_a_formula(text: str) -> None:
    assert plain(guarded(text)) == text
    assert not guarded(text).startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20) | TEXTS)
def test_the_database_guards_as_python_does(text: str) -> None:
    found = duckdb.execute(f"SELECT {guarded_sql('t')} FROM (SELECT ?::VARCHAR AS t)", [text]).fetchone()
    assert found == (guarded(text),)
