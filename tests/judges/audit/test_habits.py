"""Families by name, and the constant texts."""

from __future__ import annotations

import pytest

from judges.audit.families import Kinship, family, kinship
from judges.audit.probes import FILLER, filled, is_benign, repeated


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("Qwen/Qwen3-8B", "qwen"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama"),
        ("models/qwen/my-llama3-tune", "llama"),
        ("mistralai/Mixtral-8x7B", "mistral"),
        ("gpt-4o-mini", "gpt"),
        ("/srv/models/claude-opus/", "claude"),
        ("models/judge", ""),
        ("org/philosophy-7b", ""),
    ],
)
def test_a_name_tells_a_family_or_nothing(model: str, wanted: str) -> None:
    assert family(model) == wanted


def test_kinship_by_names() -> None:
    assert kinship("Qwen/Qwen3-8B", "Qwen/Qwen3-8B/") is Kinship.SAME_MODEL
    assert kinship("Qwen/Qwen3-8B", "Qwen/Qwen2.5-0.5B") is Kinship.SAME_FAMILY
    assert kinship("Qwen/Qwen3-8B", "google/gemma-3-4b") is Kinship.DIFFERENT
    assert kinship("models/judge", "Qwen/Qwen3-8B") is Kinship.UNKNOWN


def test_padding_adds_length_and_nothing_else() -> None:
    text = "Turn it off and on again."
    assert repeated(text).split() == text.split() * 2
    for words in (1, 6, 100):
        said = " ".join(["word"] * words)
        added = filled(said).removeprefix(said).split()
        assert len(added) == max(words, len(FILLER.split()))


def test_only_tags_speak_for_a_refusal() -> None:
    assert is_benign(())
    assert is_benign(("benign", "kitchen"))
    assert not is_benign(("kitchen", "Harmful"))
