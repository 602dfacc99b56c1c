"""Cleaning changes what stores refuse, counts it, and leaves all else alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenet.reading.clean import Cleaning, clean, clean_turns
from tenet.records import Message


@pytest.mark.parametrize(
    ("text", "kept", "done"),
    [
        ("plain", "plain", Cleaning()),
        ("a\0b\0", "ab", Cleaning(nul=2)),
        ("\ufeffhello", "hello", Cleaning(marks=1)),
        ("in\ufeffside", "in\ufeffside", Cleaning()),
        ("cut \ud83d", "cut \ufffd", Cleaning(surrogates=1)),
        ("\udc00é\0", "\ufffdé", Cleaning(nul=1, surrogates=1)),
        ("whole 😀  ", "whole 😀  ", Cleaning()),
    ],
)
def test_clean(text: str, kept: str, done: Cleaning) -> None:
    assert clean(text) == (kept, done)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_whatever_comes_in_can_be_stored(text: str) -> None:
    kept, done = clean(text)
    kept.encode("utf-8")
    assert "\0" not in kept
    assert json.loads(json.dumps(kept)) == kept
    assert clean(kept)[0] == kept or kept.startswith("\ufeff")
    assert bool(done) == (kept != text)


def test_turns_are_cleaned_one_by_one_and_summed() -> None:
    turns, done = clean_turns([Message("system", "a\0"), Message("user", "b"), Message("user", "\ufeffc\0")])
    assert turns == (Message("system", "a"), Message("user", "b"), Message("user", "c"))
    assert done == Cleaning(nul=2, marks=1)
