"""Tokens that a prefix cache spares, worked by hand."""

from __future__ import annotations

from engines.base import Capabilities
from generate.prefixes import Prefixes

HEAD = tuple(range(20))


def test_whole_blocks_of_what_the_prompt_before_had() -> None:
    prefixes = Prefixes(block=8)
    first, second = (*HEAD, 1, 2, 3, 4), (*HEAD, 1, 2, 3, 5)
    assert prefixes.count([first, second]) == 16  # 23 tokens in common, two blocks of 8
    assert prefixes.count([(*HEAD, 9)]) == 16
    assert (prefixes.cached, prefixes.head, prefixes.shared) == (32, 16, 32)
    assert Prefixes(block=1).count([first, second]) == 23


def test_the_last_token_is_always_computed() -> None:
    assert Prefixes(block=1).count([HEAD, HEAD, HEAD]) == 38
    assert Prefixes(block=10).count([HEAD, HEAD]) == 10


def test_an_engine_without_a_cache_spares_nothing() -> None:
    told = Capabilities(label_logprobs=True, generates=True, deterministic=True, prefix_cache=False)
    prefixes = Prefixes.of(told)
    assert prefixes.count([HEAD, HEAD]) == 0
    assert (prefixes.head, prefixes.between(5, 9).high) == (0, 0)
    assert Prefixes.of(Capabilities(True, True, True, prefix_cache=True, cache_block=32)).block == 32
