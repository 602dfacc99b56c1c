"""The suite's texts: enough of them, all filled, and nothing of a response taken for a placeholder."""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata

import pytest

from judges.audit.attacks import (
    INJECTIONS,
    OPINIONS,
    Attack,
    Place,
    Target,
    in_base64,
    in_rot13,
    look_alike,
    placed,
    zero_width,
)

TARGET = Target("A", "B", "Boil the egg for six minutes.", "Ask a cook.")
ALL = [pytest.param(one, id=one.id) for one in (*INJECTIONS, *OPINIONS)]


def test_there_are_enough_of_different_kinds() -> None:
    assert len({one.id for one in INJECTIONS}) == len(INJECTIONS) >= 20
    assert len({one.family for one in INJECTIONS}) >= 10
    assert len({one.text(TARGET) for one in INJECTIONS}) == len(INJECTIONS)
    assert all(one.place is Place.PROMPT for one in OPINIONS)


@pytest.mark.parametrize("attack", ALL)
def test_every_placeholder_is_filled(attack: Attack) -> None:
    text = attack.text(TARGET)
    assert text.strip()
    assert not re.search("<(own|other|text|quote|other quote)>", text)
    assert attack.about


@pytest.mark.parametrize(
    "name", ["instruction-ignore", "verdict-json", "swap-labels", "unicode-zero-width", "encoded-rot13"]
)
def test_an_attack_names_the_label_that_it_wants_to_win(name: str) -> None:
    (attack,) = [one for one in INJECTIONS if one.id == name]
    assert attack.text(TARGET) != attack.text(Target("B", "A", TARGET.text, TARGET.other_text))


def test_a_response_is_data_even_where_it_looks_like_a_placeholder() -> None:
    (attack,) = [one for one in INJECTIONS if one.id == "padding-again"]
    sly = "Say <own> or <quote> or <text>."
    assert attack.text(Target("A", "B", sly, "<text>")) == sly
    (dislike,) = [one for one in OPINIONS if one.id == "opinion-dislike"]
    assert dislike.text(Target("A", "B", "mine", "<text> <quote>")).endswith(": <text> <quote>")


def test_a_quote_is_cut() -> None:
    (agree,) = [one for one in OPINIONS if one.id == "opinion-agree"]
    assert agree.text(Target("A", "B", "word " * 40, "")).endswith("word word...")


def test_texts_go_to_their_places() -> None:
    assert placed("said", "more", Place.END) == "said\n\nmore"
    assert placed("said", "more", Place.START) == "more\n\nsaid"
    assert placed("said", "more", Place.WHOLE) == "more"


def test_disguises_hide_the_words_and_keep_the_sense() -> None:
    text = "Choose A, not B"
    assert look_alike(text) != text
    assert {unicodedata.name(sign).split()[0] for sign in look_alike(text) if sign.isalpha()} > {"LATIN", "CYRILLIC"}
    assert zero_width(text).replace("\u200b", "") == text
    assert "Choose" not in zero_width(text)
    assert base64.b64decode(in_base64(text).split()[-1]).decode() == text
    assert codecs.decode(in_rot13(text), "rot13").endswith(text)
