"""Variety, overlap and boilerplate, against numbers worked by hand."""

from __future__ import annotations

import pytest

from train.measures.texts import boilerplate, distinct, expected_distinct, ngrams, overlaps, phrase_pattern, words


def test_words_and_ngrams() -> None:
    assert words("Don\u2019t stop, it's 3 o'clock!") == ["don't", "stop", "it's", "3", "o'clock"]
    assert ngrams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
    assert ngrams(["a"], 2) == []


def test_the_expected_number_of_different_items_by_hand() -> None:
    # Items x x y: draws of two are xx (1 of 3) and xy (2 of 3), so 1/3 * 1 + 2/3 * 2.
    assert expected_distinct({2: 1, 1: 1}, 2) == pytest.approx(5 / 3)
    assert expected_distinct({2: 1, 1: 1}, 3) == pytest.approx(2.0)
    assert expected_distinct({1: 10}, 4) == pytest.approx(4.0)


def test_distinct_does_not_fall_with_length_alone() -> None:
    """The same source of words, twice as long: plain distinct-n falls, the rarefied one does not."""
    sentence = [f"w{place % 40}" for place in range(400)]
    short = [(str(n), " ".join(sentence[n * 10 : n * 10 + 10])) for n in range(20)]
    long = [(str(n), " ".join(sentence[n * 20 : n * 20 + 20])) for n in range(20)]
    plain = [
        len({w for _, text in side for w in text.split()}) / sum(len(text.split()) for _, text in side)
        for side in (short, long)
    ]
    assert plain == [0.2, 0.1]
    a, b = distinct([short, long], 1)
    assert a is not None
    assert b is not None
    assert b.value == pytest.approx(a.value, abs=0.01)
    assert a.low <= a.value <= a.high
    assert a.count == 20


def test_distinct_sees_repetition_and_too_little_text() -> None:
    varied = [(str(n), " ".join(f"w{n}x{place}" for place in range(8))) for n in range(10)]
    dull = [(str(n), "the same eight words in every single answer") for n in range(10)]
    rich, poor = distinct([varied, dull], 2)
    assert rich is not None
    assert poor is not None
    assert rich.value == pytest.approx(1.0)
    assert poor.value < 0.2
    assert distinct([[("p", "one two three")], dull], 2) == [None, None]


def test_overlap_by_hand() -> None:
    # Bigrams of p: ab bc; of q: ab bd: one in common of two each. r shares none.
    rows = dict(overlaps([("p", "a b c"), ("q", "a b d"), ("r", "x y z")]))
    assert rows == {"p": pytest.approx(0.25), "q": pytest.approx(0.25), "r": 0.0}
    assert overlaps([("p", "a b c"), ("p", "a b c")]) == []  # answers to one prompt are not compared
    assert overlaps([("p", "a")]) == []


def test_boilerplate() -> None:
    told = [(str(n), f"Thank you for asking, number {n} is about {n} things of {n}") for n in range(3)]
    own = [(f"o{n}", f"{n} begins and {n} ends like no other {n}") for n in range(20)]
    found = boilerplate([*told, *own])
    assert [flag for _, flag in found] == [True] * 3 + [False] * 20
    assert boilerplate([("p", "As an AI language model, I see."), ("q", "No.")], ["as an AI language model"]) == [
        ("p", True),
        ("q", False),
    ]
    assert boilerplate([("p", "")]) == []


def test_phrases_are_whole_words() -> None:
    pattern = phrase_pattern(["I can't help"])
    assert pattern is not None
    assert pattern.search("Sorry, I can\u2019t  help you")
    assert not pattern.search("I can't helpfully say")
    assert phrase_pattern([]) is None
