"""The verdict line of a critique: what counts, and what is never guessed."""

from __future__ import annotations

import time

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


@pytest.mark.parametrize("text", ["* " * 200_000 + "verdict", "\n" * 200_000, "Verdict:" + " *" * 200_000 + "x"])
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    started = time.perf_counter()
    assert parse_critique(text).verdict is Verdict.UNPARSED
    assert time.perf_counter() - started < 2.0
