"""Random text of a wanted length in tokens, to stand where an attack stood: what any text in that place does to a verdict.

Words come from a bag of the caller's, as a rule those of the very texts that are judged, in an order drawn from a seed. Knows no attack
and no judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engines.prompting import ChatTokenizer, untrusted
from tenet.ids import Json, unit_interval

TRIES: Final = 8


class RandomText:
    """Writes text of so many tokens. Equal names give equal text, whatever was written before.

    Raises:
        ValueError: the bag is empty.
    """

    def __init__(self, tokenizer: ChatTokenizer, words: Sequence[str], seed: int = 0) -> None:
        if not words:
            raise ValueError("no words to write random text with")
        self._tokenizer = tokenizer
        self._words = tuple(words)
        self._seed = seed

    def of(self, length: int, *name: Json) -> str:
        """Text of `length` tokens, or as near as words can be cut: of several draws the nearest."""
        draws = (self._drawn(length, attempt, name) for attempt in range(TRIES))
        best, gap = "", length + 1
        for text in draws:
            away = abs(self._tokenizer.count(text) - length)
            if away < gap:
                best, gap = text, away
            if not gap:
                break
        return best

    def _drawn(self, length: int, attempt: int, name: Sequence[Json]) -> str:
        """As many words as there are tokens, for each is one or more, cut at the token."""
        at = (unit_interval("random text", self._seed, attempt, place, *name) for place in range(length))
        text = " ".join(self._words[int(u * len(self._words))] for u in at)
        return self._tokenizer.decode(self._tokenizer.encode([untrusted(text)])[:length]).strip()
