"""A view and its address say the same; what an address cannot mean is left out."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generate.view.query import LAST_PAGE, MOST_TERMS, People, Query, Sort, State, terms_of
from generate.view.words import MOST_WORDS, differences

WORDS = st.text(max_size=40).map(str.strip)
FINITE = st.none() | st.floats(allow_nan=False, allow_infinity=False)
QUERIES = st.builds(
    Query, text=WORDS, run=WORDS, principle=WORDS, judge=WORDS, source=WORDS, outcome=WORDS, split=WORDS, tag=WORDS,
    state=st.none() | st.sampled_from(State), people=st.none() | st.sampled_from(People), flipped=st.none() | st.booleans(),
    least=FINITE, most=FINITE, sort=st.sampled_from(Sort), page=st.integers(1, LAST_PAGE),
)  # fmt: skip


@given(QUERIES)
def test_an_address_brings_the_same_view_back(query: Query) -> None:
    assert Query.of(dict(parse_qsl(query.address))) == query


@given(st.dictionaries(st.sampled_from([*Query.__dataclass_fields__, "token", "x"]), st.text(max_size=30)))
def test_any_address_is_a_view_and_its_own_address_is_stable(values: dict[str, str]) -> None:
    query = Query.of(values)
    assert Query.of(dict(parse_qsl(query.address))) == query


@pytest.mark.parametrize(
    "values",
    [
        {"page": "0"}, {"page": "-1"}, {"page": "²"}, {"page": "9" * 400}, {"least": "nan"}, {"most": "inf"}, {"state": "gone"},
        {"sort": "p; DROP"}, {"flipped": "maybe"}, {"text": "  "},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_left_out(values: dict[str, str]) -> None:
    assert Query.of(values) == Query()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a b", ("a", "b")),
        ('"a b" c', ("a b", "c")),
        ('say "no', ("say", '"no')),
        ("it's # here\\n", ("it's", "#", "here\\n")),
        ("a a", ("a",)),
        ('""', ()),
    ],
)
def test_words_and_phrases(text: str, terms: tuple[str, ...]) -> None:
    assert terms_of(text) == terms


def test_terms_are_bounded() -> None:
    assert len(terms_of(" ".join(map(str, range(100))))) == MOST_TERMS


@given(st.text(max_size=200), st.text(max_size=200))
def test_marked_parts_put_together_are_the_texts(one: str, other: str) -> None:
    left, right = differences(one, other)
    assert ("".join(text for text, _ in left), "".join(text for text, _ in right)) == (one, other)
    if one == other:
        assert not any(differs for _, differs in [*left, *right])


def test_only_what_differs_is_marked() -> None:
    left, right = differences("It is fine, do wait.", "It is not fine, do not ever wait.")
    assert [text for text, differs in right if differs] == ["not", "not ever"]
    assert not any(differs for _, differs in left)


def test_long_texts_are_held_against_each_other_by_lines() -> None:
    lines = [f"line {number} of many words" for number in range(MOST_WORDS // 4)]
    other = [*lines[:100], "another line", *lines[101:]]
    left, right = differences("\n".join(lines), "\n".join(other))
    assert [text for text, differs in left if differs] == ["line 100 of many words"]
    assert [text for text, differs in right if differs] == ["another line"]
