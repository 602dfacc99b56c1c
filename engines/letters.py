"""Reads a label out of a short text that a model wrote. Knows no model and no server; a text that names none, or two, is no verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def letter_of(text: str, labels: Sequence[str]) -> str | None:
    """The label that a text begins with, where no word follows it in its line and no other label is named.

    None of any other text: "A better answer is B" begins with A.
    """
    shapes = {label: _shapes(label) for label in labels}
    named = [label for label, (alone, anywhere) in shapes.items() if alone.match(text) and anywhere.search(text)]
    others = [label for label, (_, anywhere) in shapes.items() if label not in named and anywhere.search(text)]
    return named[0] if len(named) == 1 and not others else None


@lru_cache
def _shapes(label: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A label that stands alone at the beginning, and one that stands anywhere."""
    return (
        re.compile(rf"[\W_]*{re.escape(label)}(?:[^\w\s]|\s*(?:$|\n))"),
        re.compile(rf"(?<![^\W_]){re.escape(label)}(?![^\W_])"),
    )
