"""The grammar of principles: what is held out really is, and words are inflected as English asks."""

from __future__ import annotations

import re

import pytest

from pocket import oracle
from pocket.lexicon import LEXICON
from pocket.wordings import (
    HELD_FORMS,
    SEEN_FORMS,
    Novelty,
    comparative,
    gerund,
    held_out_words,
    inflected,
    third_person,
    wordings,
)
from tenet.errors import UsageError


def test_the_families_are_the_oracles() -> None:
    assert set(LEXICON) == set(oracle.FAMILIES)


@pytest.mark.parametrize("family", oracle.FAMILIES)
def test_there_are_hundreds_of_seen_wordings_and_at_least_twenty_of_each_kind_of_unseen(family: str) -> None:
    assert len(wordings(family)) >= 300
    for novelty in (Novelty.FORM, Novelty.SYNONYM, Novelty.BOTH):
        assert len([wording for wording in wordings(family, "unseen") if wording.novelty is novelty]) >= 20


def test_no_held_out_word_stands_in_any_principle_of_training() -> None:
    held = {word for family in LEXICON for word in held_out_words(family)}
    assert len(held) > 40
    for family in LEXICON:
        for wording in wordings(family):
            assert not held & _inflections(wording.text), wording.text


def _inflections(text: str) -> set[str]:
    found = set(re.findall(r"[a-z-]+", text.lower()))
    return found | {word.removesuffix(ending) for word in found for ending in ("s", "es", "ing", "r", "er")}


def test_no_text_is_both_seen_and_unseen_or_of_two_families() -> None:
    owner: dict[str, str] = {}
    for family in LEXICON:
        for wording in wordings(family) + wordings(family, "unseen"):
            assert owner.setdefault(wording.text, family) == family
        assert not {w.text for w in wordings(family)} & {w.text for w in wordings(family, "unseen")}
    assert not set(SEEN_FORMS) & set(HELD_FORMS)


def test_what_users_naturally_write_is_covered() -> None:
    seen = {wording.text for wording in wordings("courteous")}
    assert any(re.fullmatch(r"The \w+ is \w+(: it| and) thanks the \w+\.", text) for text in seen)
    assert any("is never rude" in text for text in seen)
    assert any("one or two sentences" in wording.text for wording in wordings("brief"))


def test_negated_wordings_are_marked() -> None:
    marks = {wording.text: wording.negated for wording in wordings("courteous")}
    assert marks["Avoid rudeness."] is True
    assert marks["Favour courtesy."] is False
    assert not any(negated for text, negated in marks.items() if " and never " in text)


@pytest.mark.parametrize(
    ("base", "third", "doing"),
    [
        ("thank", "thanks", "thanking"),
        ("be", "is", "being"),
        ("use", "uses", "using"),
        ("get", "gets", "getting"),
        ("deny", "denies", "denying"),
        ("say", "says", "saying"),
        ("go", "goes", "going"),
        ("agree", "agrees", "agreeing"),
        ("wish", "wishes", "wishing"),
        ("veto", "vetoes", "vetoing"),
    ],
)
def test_inflection(base: str, third: str, doing: str) -> None:
    assert (third_person(base), gerund(base)) == (third, doing)


def test_marked_verbs_are_inflected_and_the_person_filled_in() -> None:
    assert inflected("*thank {p} and *wish them well", "does", "the user") == "thanks the user and wishes them well"
    assert (comparative("kind"), comparative("polite")) == ("kinder", "more polite")


def test_an_unknown_family_is_an_error() -> None:
    with pytest.raises(UsageError, match="unknown family"):
        wordings("polite")
