"""Rules about principles and weights that change nothing: never asked, never drawn, or weighed the same as without.

Knows the weights of the file, and the prompts that it is given; whether a judge heeds a principle is not told here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from constitution.lint.model import PROMPTS, Hit, Rule, Severity, Subject
from constitution.select import applies

UNREACHED: Final = "TP301"
EQUAL: Final = "TP302"
TINY: Final = "TP303"
LEAST_RATIO: Final = 1e-4


def _unreached(subject: Subject) -> Iterator[Hit]:
    prompts = subject.options.prompts or ()
    waiting = [one for one in subject.principles if one.applies_when]
    for prompt in prompts:
        if not waiting:
            return
        waiting = [one for one in waiting if not applies(one, prompt.tags, prompt.text)]
    for principle in waiting:
        told = f'none of the {len(prompts):,} prompts has what "{principle.id}" applies to'
        yield subject.hit(principle, "applies_when", told)


def _equal(subject: Subject) -> Iterator[Hit]:
    active = subject.loaded.constitution.active
    weights = {one.weight for one in active}
    if len(weights) == 1 and weights != {1.0}:
        told = f"all active principles have the weight {weights.pop():g}, which is as if none had one"
        yield Hit(subject.place(active[0], "weight"), told)


def _tiny(subject: Subject) -> Iterator[Hit]:
    active = subject.loaded.constitution.active
    heaviest = max((one for one in active if not one.applies_when), key=lambda one: one.weight, default=None)
    for principle in active:
        if heaviest is not None and principle.weight < LEAST_RATIO * heaviest.weight:
            told = f'"{principle.id}" of weight {principle.weight:g} counts for nothing beside "{heaviest.id}" of {heaviest.weight:g}'
            yield subject.hit(principle, "weight", told)


RULES: Final = (
    Rule(
        UNREACHED, "unreached", Severity.WARNING, "No prompt of the given set meets the principle's `applies_when`.",
        "widen `applies_when`, add prompts that it is meant for, or give them its tags", _unreached, PROMPTS,
    ),
    Rule(
        EQUAL, "equal-weights", Severity.WARNING, "All weights are equal and not 1.",
        "leave the weights out, or set them apart", _equal,
    ),
    Rule(
        TINY, "tiny-weight", Severity.WARNING, "A weight is less than a 10,000th of one that every prompt knows.",
        "raise it, or write `status: draft` to leave the principle out", _tiny,
    ),
)  # fmt: skip
