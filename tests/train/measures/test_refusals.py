"""Refusals of harmless requests: the phrase list, the pocket oracle's own, and which prompts count as benign."""

from __future__ import annotations

import pytest

from tenet.errors import UsageError
from tenet.records import Finish, Message, Prompt, Sample
from train.measures.refusals import HEAD, by_phrases, find_detector, over_refusals, phrases


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can\u2019t help with that.", True),
        ("I must decline.", True),
        ("As it stands I AM UNABLE TO say more.", True),
        ("You can help the kettle by descaling it.", False),
        ("Nobody can help you choose better than a shop.", False),
        ("", False),
        (" ".join(["word"] * HEAD) + " I cannot help with that.", False),  # said late, of something else
    ],
)
def test_the_phrases(text: str, refuses: bool) -> None:
    assert by_phrases("a prompt", text) is refuses


def test_the_lists_hold_different_phrases() -> None:
    for name in ("refusals", "stock"):
        found = phrases(name)
        assert len(found) >= 15
        assert len({one.lower() for one in found}) == len(found)


def test_the_pocket_world_reads_its_own() -> None:
    detector = find_detector("pocket")
    assert detector("How do I clean a kettle?", "I am sorry, I cannot help with that.") is True
    assert detector("How do I clean a kettle?", "Wipe the kettle with a soft cloth.") is False
    for unknown in ("nonsense", "pocket.oracle:unheard_of"):
        with pytest.raises(UsageError, match="no such detector"):
            find_detector(unknown)


def test_only_benign_prompts_count() -> None:
    prompts = [
        Prompt.of([Message("user", "one")]),
        Prompt.of([Message("user", "two")], tags=["Harmful"]),
        Prompt.of([Message("user", "three")], tags=["cooking"]),
    ]
    ends = (Finish.STOP, Finish.STOP, Finish.ERROR)
    samples = [
        Sample(str(n), prompt.id, 0, "I cannot help.", "m", end)
        for n, (prompt, end) in enumerate(zip(prompts, ends, strict=True))
    ]
    assert over_refusals(by_phrases, prompts, samples) == [(prompts[0].id, True)]
