"""The product's own prompt templates as token ids, filled piece by piece.

Fixed pieces are encoded once; every value is encoded on its own, as `engines.prompting` does with untrusted spans, so that a training
row has the very ids that the running product sends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from transformers import PreTrainedTokenizerFast

PROMPTS: Final = Path(__file__).resolve().parents[2] / "judges" / "prompts"
COMPARE: Final = "Which response follows this principle better?"
CRITIQUE: Final = "Does the response follow this principle?"
REVISE: Final = "Rewrite the response so that it follows this principle and keeps its topic."
_FIELD: Final = re.compile(r"\{\{(\w+)\}\}")


class Encoder:
    """Encodes text with one tokenizer and remembers what it has encoded."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}

    def __call__(self, text: str) -> list[int]:
        """Token ids of a piece of text; control tokens in it are read as control tokens (for the recipe's own text only)."""
        found = self._known.get(text)
        if found is None:
            found = list(self.tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)
            if len(self._known) < 400_000:
                self._known[text] = found
        return found

    @cached_property
    def labels(self) -> tuple[int, int]:
        """The ids of "A" and "B". Raises ValueError where one is not a single token."""
        ids = [self("A"), self("B")]
        if any(len(label) != 1 for label in ids):
            raise ValueError("the labels A and B are not single tokens")
        return ids[0][0], ids[1][0]

    def opening(self, role: str = "user") -> list[int]:
        """The ids that open a turn."""
        return self(f"<|im_start|>{role}\n")

    def to_assistant(self) -> list[int]:
        """The ids that end the user's turn and open the assistant's."""
        return self("<|im_end|>\n<|im_start|>assistant\n")

    def end(self) -> list[int]:
        """The ids that end the assistant's turn."""
        return self("<|im_end|>")


@dataclass(frozen=True)
class Template:
    """One template file in alternating pieces: (text, is_field)."""

    pieces: tuple[tuple[str, bool], ...]

    @classmethod
    def read(cls, name: str) -> Template:
        """Read `judges/prompts/NAME.txt`; its last line break is not part of it."""
        parts = _FIELD.split((PROMPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))
        return cls(tuple((part, index % 2 == 1) for index, part in enumerate(parts) if part))

    def ids(
        self, encode: Encoder, values: dict[str, str], *, upto: str | None = None, after: str | None = None
    ) -> list[int]:
        """The ids with values filled in; `upto` stops before a field's first place, `after` starts at that field."""
        out: list[int] = []
        going = after is None
        for text, is_field in self.pieces:
            if is_field and text == upto:
                return out
            going = going or (is_field and text == after)
            if going:
                out += encode(values[text]) if is_field else encode(text)
        return out
