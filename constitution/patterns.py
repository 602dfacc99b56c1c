"""Accepts or refuses the regular expressions of `applies_when`. Knows nothing of prompts.

Python's engine backtracks, so a pattern can take time exponential in the length of the text. Refused are
patterns that are long, those in which a repeat of unlimited length stands inside another one, such as `(a+)+`, and
those that `constitution.ambiguity` finds exponential, such as `(a|a)*`. What is left can still take quadratic or cubic
time, so `constitution.select` searches only a limited reach of the prompt.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, Final

from constitution.ambiguity import bodies, exponential

MAX_LENGTH: Final = 300
_UNLIMITED: Final = 1_000


def fault(pattern: str) -> str:
    """Say what is wrong with a pattern; an empty string if nothing is."""
    if len(pattern) > MAX_LENGTH:
        return f"must be at most {MAX_LENGTH} characters long, not {len(pattern)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
            return _nested(pattern)
    except (re.error, Warning) as error:
        return f"is not a regular expression: {error}"
    except (RecursionError, OverflowError):
        return "is not a regular expression: it is nested too deeply or repeats too often"


def _nested(pattern: str) -> str:
    from re import _parser  # type: ignore[attr-defined]  # the only way to see a pattern's structure

    parsed = _parser.parse(pattern)
    if any(_holds_unlimited(body) for body in _unlimited(parsed)):
        return "repeats something that itself repeats without limit, which can take forever"
    if exponential(parsed, parsed.state.flags):
        return "repeats something that can read one text in several ways without limit, which can take forever"
    return ""


def _parts(node: Any) -> Iterator[Any]:
    """Yield every (operator, argument) of a parsed pattern, at all depths."""
    for operator, argument in node:
        yield operator, argument
        for inner in bodies(argument):
            yield from _parts(inner)


def _unlimited(node: Any) -> Iterator[Any]:
    """Yield the body of every backtracking repeat without an upper limit worth the name."""
    for operator, argument in _parts(node):
        if str(operator) in ("MAX_REPEAT", "MIN_REPEAT") and int(argument[1]) >= _UNLIMITED:
            yield argument[2]


def _holds_unlimited(body: Any) -> bool:
    return any(True for _ in _unlimited(body))
