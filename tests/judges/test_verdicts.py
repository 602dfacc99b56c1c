"""The verdict line of a critique: what counts, and what is never guessed."""

from __future__ import annotations

import pytest

from judges.verdicts import parse_critique
from tenet.records import Verdict


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("Verdict: yes", Verdict.YES),
        ("Verdict: no", Verdict.NO),
        ("VERDICT : YES.", Verdict.YES),
        ("**Verdict:** No", Verdict.NO),
        ("**Verdict: yes**", Verdict.YES),
        ("### Verdict: no", Verdict.NO),
        ("> verdict - yes", Verdict.YES),
        ('Verdict: "no"', Verdict.NO),
        ("- Verdict: `yes`!", Verdict.YES),
        ("Verdict:no", Verdict.NO),
    ],
)
def test_the_verdict_line_is_read_through_markup(line: str, verdict: Verdict) -> None:
    parsed = parse_critique(f"It greets the person.\n{line}\n")
    assert parsed.verdict is verdict
    assert parsed.text == "It greets the person."
    assert parsed.reason == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It is kind. Yes.",
        "Verdict: maybe",
        "Verdict: yes and no",
        "Verdict: yes, but",
        "Verdict: not",
        "Verdict",
        "Verdict yes",
        "My verdict: yes",
        "Verdicts: yes",
        "Verdict: yes\nOn reflection.\nVerdict: unclear",
    ],
)
def test_anything_else_is_unparsed(text: str) -> None:
    parsed = parse_critique(text)
    assert parsed.verdict is Verdict.UNPARSED
    assert parsed.text == text.strip()
    assert parsed.reason


def test_the_last_verdict_line_counts_and_the_rest_is_kept() -> None:
    parsed = parse_critique("Verdict: yes\nNo, wait.\nVerdict: no\nThat is all.")
    assert parsed.verdict is Verdict.NO
    assert parsed.text == "Verdict: yes\nNo, wait.\nThat is all."


def test_a_long_text_without_verdict_is_read_quickly() -> None:
    assert parse_critique("* " * 200_000 + "verdict").verdict is Verdict.UNPARSED
