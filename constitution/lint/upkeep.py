"""Rules about what must keep up with a text when it is edited: the tests of a principle, and overrides of its questions.

An override is dated by content: `overrides_for` holds the digest of the text that it was written for (`constitution.lint.stamp` writes
it). Knows no history of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from constitution.lint.model import Hit, Rule, Severity, Subject
from constitution.model import Principle

UNTESTED: Final = "TP401"
STALE: Final = "TP501"
UNDATED: Final = "TP502"
FEW_TESTS: Final = 2
OVERRIDES: Final = ("compare", "critique", "revise")


def pairs_of(principle: Principle) -> int:
    """Count the tests of a principle that ask for a verdict."""
    return sum(test.applies for test in principle.tests)


def overrides(principle: Principle) -> tuple[str, ...]:
    """Name the questions that a principle overrides."""
    return tuple(name for name in OVERRIDES if getattr(principle, name) is not None)


def _untested(subject: Subject) -> Iterator[Hit]:
    for principle in subject.principles:
        count = pairs_of(principle)
        if count < FEW_TESTS:
            told = f'"{principle.id}" has {("no test", "only one test")[count]} with a better and a worse response'
            yield subject.hit(principle, "tests", told)


def _stale(subject: Subject) -> Iterator[Hit]:
    for principle in subject.principles:
        names = overrides(principle)
        if names and principle.overrides_for not in ("", principle.text_digest):
            told = f'the text of "{principle.id}" has changed since {_listed(names)} {_were(names)} written for it'
            yield subject.hit(principle, names[0], told)


def _undated(subject: Subject) -> Iterator[Hit]:
    for principle in subject.principles:
        names = overrides(principle)
        if names and not principle.overrides_for:
            told = f'"{principle.id}" does not say for which text its {_listed(names)} {_were(names)} written'
            yield subject.hit(principle, names[0], told)


def _were(names: tuple[str, ...]) -> str:
    return "was" if len(names) == 1 else "were"


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names)


RULES: Final = (
    Rule(
        UNTESTED, "untested", Severity.WARNING, f"A principle has fewer than {FEW_TESTS} tests with a better and a worse response.",
        "add pairs under `tests`, so that a judge can be held against it", _untested,
    ),
    Rule(
        STALE, "stale-override", Severity.ERROR, "An override of a question is older than the text that it belongs to.",
        "read it again beside the text, then run: tenet principles stamp FILE", _stale,
    ),
    Rule(
        UNDATED, "undated-override", Severity.WARNING, "An override does not record the text that it was written for.",
        "read both, then run: tenet principles stamp FILE", _undated,
    ),
)  # fmt: skip
