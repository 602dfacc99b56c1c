"""What every engine checks of requests before a model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engines.base import Request


@dataclass(frozen=True, slots=True)
class Fitting:
    """The places of the requests that can be run, and what is wrong with each of the others."""

    places: tuple[int, ...]
    problems: dict[int, str]


def fitting(requests: Sequence[Request], max_length: int) -> Fitting:
    """Sort out prompts that are empty or leave no room for one token of an answer."""
    problems: dict[int, str] = {}
    for place, request in enumerate(requests):
        length = len(request.tokens)
        if length == 0:
            problems[place] = "the prompt is empty"
        elif length >= max_length:
            problems[place] = f"the prompt has {length:,} tokens; the model takes {max_length:,} with the answer"
    return Fitting(tuple(place for place in range(len(requests)) if place not in problems), problems)
