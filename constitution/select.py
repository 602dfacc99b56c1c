"""Chooses the principles that a prompt is judged by: those that apply, and the one that a prompt draws.

The draw is weighted rendezvous hashing (Thaler and Ravishankar 1998; weights as in Schindelhauer and Schomaker
2005): every principle that applies gets an exponential variate, its weight the rate, from the digest of (seed,
prompt id, principle id), and the smallest wins. So a principle is drawn in proportion to its weight, the order
of the file does not matter, and a new principle moves only the prompts that now draw it. Knows no judge.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from constitution.model import Condition, Constitution, Principle
from tenet.ids import unit_interval
from tenet.records import Prompt

PATTERN_REACH: Final = 20_000


def applying(constitution: Constitution, prompt: Prompt) -> tuple[Principle, ...]:
    """Return the active principles that apply to a prompt, in the order of the file."""
    return tuple(principle for principle in constitution.active if applies(principle, prompt.tags, prompt.text))


def applies(principle: Principle, tags: tuple[str, ...], text: str) -> bool:
    """Tell whether a principle applies to a prompt of these tags and this text, whatever the principle's status."""
    return not principle.applies_when or any(_holds(condition, tags, text) for condition in principle.applies_when)


def draw(constitution: Constitution, prompt: Prompt, seed: int, without: Collection[str] = ()) -> Principle | None:
    """Draw the one principle by which all pairs of a prompt are judged; None where none applies.

    `without` are ids that are not drawn.

    P(principle) is its weight over the summed weights of those that apply. The same seed, prompt id and principles
    always give the same one.
    """
    candidates = [principle for principle in applying(constitution, prompt) if principle.id not in without]
    return min(candidates, key=lambda principle: (_log_arrival(principle, prompt, seed), principle.id), default=None)


def _log_arrival(principle: Principle, prompt: Prompt, seed: int) -> float:
    """Return the log of -ln(u) / weight, an exponential variate of rate `weight`; the log keeps tiny weights apart."""
    u = unit_interval("draw-principle", seed, prompt.id, principle.id)
    return math.log(-math.log(u)) - math.log(principle.weight)


def _holds(condition: Condition, tags: tuple[str, ...], text: str) -> bool:
    if condition.any_tags and not set(condition.any_tags) & set(tags):
        return False
    if not set(condition.all_tags) <= set(tags):
        return False
    return not condition.pattern or _found(condition.pattern, text)


@lru_cache(maxsize=1024)
def _found(pattern: str, text: str) -> bool:
    """Search a prompt for a pattern; remembered, for all pairs of a prompt ask one after the other."""
    return re.search(pattern, text[:PATTERN_REACH]) is not None
