"""Rows as the recorded sets have them, with harmless texts."""

from __future__ import annotations

from typing import Any


def llmbar_row(number: int, straight: str | None, swapped: str | None, *, label: int = 1) -> dict[str, Any]:
    """A row of LLMBar's results; both winners are told of the first order."""
    return {
        "input": f"Question {number}?", "output_1": "the one answer", "output_2": "the other", "label": label,
        "results": [{"swap = False": {"winner": straight}, "swap = True": {"winner": swapped}}],
    }  # fmt: skip


def pandalm_row(idx: int, *labels: int, turned: bool = False, words: str = "Hello?") -> dict[str, Any]:
    """A row of PandaLM's test set; `turned` exchanges the responses."""
    sides = ("yes", "no")[:: -1 if turned else 1]
    return {
        "idx": idx, "motivation_app": "", "cmp_key": "m_n", "instruction": words, "input": "", "response1": sides[0], "response2": sides[1],
        **{f"annotator{place + 1}": label for place, label in enumerate(labels)},
    }  # fmt: skip
