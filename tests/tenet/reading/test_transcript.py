"""Transcripts of HH-RLHF: turns, and where the two of a pair part."""

from __future__ import annotations

import pytest

from tenet.reading.transcript import is_transcript, parse_transcript, split_pair
from tenet.records import Message


def test_turns_and_the_open_answer() -> None:
    text = "\n\nHuman: Hi there\n\nAssistant: Hello.\n\nHow are you?\n\nHuman: Fine\n\nAssistant:"
    assert parse_transcript(text) == (
        Message("user", "Hi there"),
        Message("assistant", "Hello.\n\nHow are you?"),
        Message("user", "Fine"),
    )


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("\n\nHuman: one turn only", True),
        ("Human: a\n\nAssistant: b", True),
        ("Human: is what Kant calls an end", False),
        ("What does\n\nHuman: mean?", False),
        ("plain", False),
    ],
)
def test_what_counts_as_a_transcript(text: str, yes: bool) -> None:
    assert is_transcript(text) is yes


def test_a_pair_parts_at_the_last_answer() -> None:
    shared = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:"
    pair = split_pair(shared + " good one", shared + " gone")
    assert [turn.content for turn in pair.prompt] == ["a", "b", "c"]
    assert (pair.chosen, pair.rejected, pair.odd) == ("good one", "gone", False)


def test_an_odd_pair_keeps_the_prompt_that_both_share() -> None:
    shared = "\n\nHuman: a\n\nAssistant:"
    pair = split_pair(shared + " x\n\nAssistant: y", shared + " z")
    assert pair.odd
    assert pair.prompt == (Message("user", "a"),)


def test_one_transcript_that_begins_the_other_is_odd() -> None:
    one = "\n\nHuman: a\n\nAssistant: b"
    pair = split_pair(one, one + "\n\nHuman: c\n\nAssistant: d")
    assert pair.odd
    assert pair.prompt == (Message("user", "a"),)


def test_nothing_shared_is_an_error() -> None:
    with pytest.raises(ValueError, match="share no turns"):
        split_pair("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: z\n\nAssistant: b")
