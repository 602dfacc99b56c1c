"""Accepts or refuses the regular expressions of `applies_when`. Knows nothing of prompts.

Python's engine backtracks, so a pattern can take time exponential in the length of the text. Refused are
patterns that are long, and those in which a repeat of unlimited length stands inside another one, such as
`(a+)+`. That covers the usual accident and not every one (`(a|a)*` passes), so `constitution.select` searches
only a limited reach of the prompt.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, Final

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

    if any(_holds_unlimited(body) for body in _unlimited(_parser.parse(pattern))):
        return "repeats something that itself repeats without limit, which can take forever"
    return ""


def _parts(node: Any) -> Iterator[Any]:
    """Yield every (operator, argument) of a parsed pattern, at all depths."""
    for operator, argument in node:
        yield operator, argument
        for inner in _bodies(argument):
            yield from _parts(inner)


def _bodies(argument: Any) -> Iterator[Any]:
    """Yield the sub-patterns among an operator's arguments."""
    if hasattr(argument, "getwidth"):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _bodies(part)


def _unlimited(node: Any) -> Iterator[Any]:
    """Yield the body of every backtracking repeat without an upper limit worth the name."""
    for operator, argument in _parts(node):
        if str(operator) in ("MAX_REPEAT", "MIN_REPEAT") and int(argument[1]) >= _UNLIMITED:
            yield argument[2]


def _holds_unlimited(body: Any) -> bool:
    return any(True for _ in _unlimited(body))
