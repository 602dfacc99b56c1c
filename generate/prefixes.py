"""Counts the prompt tokens that a prefix cache should spare, from the real token ids in the order in which they are asked. Asks no engine.

The rule: a prompt finds in the cache what it shares with the one asked before it, in whole blocks, and always computes its last token.
Prompts are grouped (all questions of one prompt together), so what a group shares is still there; how much an engine's cache truly
held is `cached_tokens` of its answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engines.base import Capabilities, TokenIds
from engines.batching import common_length
from generate.amounts import NOTHING, Amount


@dataclass
class Prefixes:
    """One stream of prompts to one engine. `cached` tokens would be spared in all; `shared` of them by what every prompt begins with."""

    block: int
    works: bool = True
    cached: int = 0
    prompts: int = 0
    _before: TokenIds | None = None
    _common: int = 0

    @classmethod
    def of(cls, capabilities: Capabilities) -> Prefixes:
        """A stream to an engine of these capabilities."""
        return cls(max(1, capabilities.cache_block), capabilities.prefix_cache)

    @property
    def head(self) -> int:
        """Tokens that all prompts so far begin with, in whole blocks; 0 before there are two."""
        return self._whole(self._common) if self.works and self.prompts > 1 else 0

    @property
    def shared(self) -> int:
        """Cached tokens that are due to what all prompts have in common."""
        return self.head * max(0, self.prompts - 1)

    def count(self, prompts: Iterable[TokenIds]) -> int:
        """Tokens that the next prompts would find cached."""
        found = 0
        for tokens in prompts:
            if self._before is None:
                self._common = len(tokens)
            else:
                same = common_length(self._before, tokens)
                self._common = min(self._common, same)
                found += self.spared(min(same, len(tokens) - 1))
            self._before = tokens
            self.prompts += 1
        self.cached += found
        return found

    def spared(self, same: float) -> int:
        """What a cache holds of so many tokens in common with the prompt before."""
        return self._whole(same) if self.works else 0

    def between(self, expected: float, most: float) -> Amount:
        """So many cached tokens of `most` are expected of prompts that are not known yet; none where nothing is cached."""
        return Amount.bounds(0, most, min(expected, most)) if self.works else NOTHING

    def _whole(self, tokens: float) -> int:
        return int(max(0.0, tokens) // self.block) * self.block
