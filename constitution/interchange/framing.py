"""Puts a principle and its question into one text, for formats that have room for requests only, and takes them apart.

A model that is given such a request sees what a judge of ours sees. A request that was not framed here is its own text.
Knows no format.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from constitution.interchange.source import Entry
from constitution.model import CRITIQUE_QUESTION, REVISE_INSTRUCTION, Principle
from tenet.ids import Json

MARK: Final = "\n\nThe principle: "
VERDICT: Final = "Then say whether the response follows this principle."
_REMARK: Final = (
    "The format has requests and no principle: `text` and `revise` are the request to revise, `critique` is the request "
    f'to criticise with "{VERDICT}" added, since a yes must mean that the principle is followed. Reword `text` as the '
    "behaviour to prefer."
)


def frame(question: str, text: str) -> str:
    """Join a question and the principle that it is about."""
    return f"{question}{MARK}{text}"


def unframe(request: str) -> tuple[str, str] | None:
    """Take a question and its principle apart; None where they were not joined here."""
    question, mark, text = request.partition(MARK)
    return (question, text) if mark and question.strip() and text.strip() else None


def from_requests(critique: str, revision: str) -> dict[str, Json]:
    """Return the fields of a principle that a request to criticise and a request to revise make."""
    critique, revision = critique.strip(), revision.strip()
    one, two = unframe(critique), unframe(revision)
    if one and two and one[1] == two[1]:
        fields: dict[str, Json] = {"text": one[1]}
        if one[0] != CRITIQUE_QUESTION:
            fields["critique"] = one[0]
        if two[0] != REVISE_INSTRUCTION:
            fields["revise"] = two[0]
        return fields
    return {"text": revision, "critique": f"{critique} {VERDICT}" if critique else "", "revise": revision}


def remarks(entries: Iterable[Entry]) -> list[str]:
    """Say what becomes of requests that were not framed here, if there are any."""
    return [_REMARK] if any(str(entry.fields.get("critique", "")).endswith(f" {VERDICT}") for entry in entries) else []


def to_requests(principle: Principle) -> tuple[str, str]:
    """Return the request to criticise and the request to revise of which `from_requests` makes the principle again."""
    critique = principle.critique or ""
    if principle.revise == principle.text and critique.endswith(f" {VERDICT}"):
        plain = critique.removesuffix(f" {VERDICT}").strip(), principle.text
        if from_requests(*plain) == {"text": principle.text, "critique": critique, "revise": principle.text}:
            return plain
    text = principle.text
    return frame(principle.critique_question, text), frame(principle.revise_instruction, text)
