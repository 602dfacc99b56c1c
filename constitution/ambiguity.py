"""Tells whether a regular expression can take time exponential in the length of a text, from its structure alone.

A backtracking engine takes exponential time where a repeat can read one text in two ways again and again. In terms of the
pattern's position automaton (Glushkov 1961): some position is reached from itself by two different ways that read the same
text (Weber and Seidl 1991, "On the degree of ambiguity of finite automata", criterion EDA). That is decided on pairs of
positions. Knows nothing of principles. Approximate in three points: counts are cut to `_COPIES`, look-around and back
references read nothing, and characters are told apart on the ones that the pattern names. It says nothing of patterns
that take quadratic or cubic time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

LONG: Final = 20
"""A repeat of a group that may go on so often counts as one without limit."""
_COPIES: Final = 3
_MOST_POSITIONS: Final = 150
_OTHERS: Final = "aZ5_ \n\t-.é字"

Edge = tuple[int, int]


@dataclass
class _Part:
    """A piece of a pattern: in how many ways each position can come first and last in it, and in how many it can be empty."""

    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)
    empty: int = 1


@dataclass
class _Automaton:
    """Positions with the characters that each reads, and how many ways lead from one to the next."""

    alphabet: str
    flags: int
    reads: list[frozenset[str]] = field(default_factory=list)
    follows: Counter[Edge] = field(default_factory=Counter)

    def build(self, nodes: Iterable[Any]) -> _Part:
        """Build a sequence of parsed nodes."""
        whole = _Part()
        for node in nodes:
            whole = self._joined(whole, self._one(node))
        return whole

    def _one(self, node: Any) -> _Part:
        operator, argument = str(node[0]), node[1]
        if operator in ("LITERAL", "NOT_LITERAL", "IN", "ANY"):
            return self._position(node)
        if operator in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(*argument)
        if operator == "SUBPATTERN":
            return self.build(argument[3])
        if operator == "BRANCH":
            parts = [self.build(branch) for branch in argument[1]]
            first = sum((part.first for part in parts), Counter[int]())
            last = sum((part.last for part in parts), Counter[int]())
            return _Part(first, last, sum(part.empty for part in parts))
        return (
            _Part()
        )  # reads nothing (AT, ASSERT, GROUPREF), or is never tried another way once it has matched (ATOMIC_GROUP)

    def _position(self, node: Any) -> _Part:
        if len(self.reads) >= _MOST_POSITIONS:
            raise _TooLarge
        self.reads.append(frozenset(char for char in self.alphabet if _reads(node, char, self.flags)))
        here = len(self.reads) - 1
        return _Part(Counter([here]), Counter([here]), empty=0)

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._link(one.last, other.first)
        return _Part(
            one.first + _times(other.first, one.empty),
            other.last + _times(one.last, other.empty),
            one.empty * other.empty,
        )

    def _link(self, last: Counter[int], first: Counter[int]) -> None:
        for start, end in product(last, first):
            self.follows[start, end] += last[start] * first[end]

    def _repeat(self, low: int, high: int, body: Any) -> _Part:
        endless = int(high) >= LONG
        whole = _Part()
        for copy in range(max(1, min(int(low), _COPIES)) if endless else min(int(high), _COPIES)):
            part = self.build(body)
            if copy >= int(low):
                part.empty += 1
            whole = self._joined(whole, part)
        if endless:
            self._link(whole.last, whole.first)
        return whole


def _times(counts: Counter[int], factor: int) -> Counter[int]:
    return Counter({key: count * factor for key, count in counts.items() if factor})


class _TooLarge(Exception):
    """More positions than are worth looking at."""


def exponential(nodes: Any, flags: int) -> bool:
    """Tell whether some repeat of a parsed pattern (`re._parser.parse`) is ambiguous without limit.

    A body with more positions than `_MOST_POSITIONS` is let pass.
    """
    alphabet = "".join(sorted({*_OTHERS, *_characters(nodes)}))
    return any(_ambiguous(body, alphabet, flags) for body in _loops(nodes))


def _ambiguous(node: Any, alphabet: str, flags: int) -> bool:
    automaton = _Automaton(alphabet, flags)
    try:
        automaton.build([node])
    except _TooLarge:
        return False
    steps: dict[int, list[int]] = {}
    for start, end in automaton.follows:
        steps.setdefault(start, []).append(end)
    component = _components(range(len(automaton.reads)), steps)
    if any(count > 1 and component[a] == component[b] for (a, b), count in automaton.follows.items()):
        return True
    return any(_two_ways(place, component, steps, automaton.reads) for place in steps)


def _two_ways(
    place: int, component: dict[int, int], steps: dict[int, list[int]], reads: Sequence[frozenset[str]]
) -> bool:
    """Tell whether two different ways lead from a position back to it and read the same text."""

    def after(pair: Edge) -> list[Edge]:
        return [
            (a, b)
            for a, b in product(steps.get(pair[0], ()), steps.get(pair[1], ()))
            if component[a] == component[b] == component[place] and reads[a] & reads[b]
        ]

    forward: dict[Edge, list[Edge]] = {}
    todo = [(place, place)]
    while todo:
        pair = todo.pop()
        if pair not in forward:
            forward[pair] = after(pair)
            todo.extend(forward[pair])
    backward: dict[Edge, list[Edge]] = {}
    for pair, following in forward.items():
        for other in following:
            backward.setdefault(other, []).append(pair)
    seen: set[Edge] = set()
    todo = list(backward.get((place, place), ()))
    while todo:
        pair = todo.pop()
        if pair not in seen:
            seen.add(pair)
            todo.extend(backward.get(pair, ()))
    return any(a != b for a, b in seen)


def _components(places: Iterable[int], steps: dict[int, list[int]]) -> dict[int, int]:
    """Number the strongly connected components: equal numbers for positions that lead to each other."""
    reach = {place: _reached(place, steps) for place in places}
    return {place: min({place, *(other for other in reach[place] if place in reach[other])}) for place in reach}


def _reached(place: int, steps: dict[int, list[int]]) -> set[int]:
    seen: set[int] = set()
    todo = list(steps.get(place, ()))
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo.extend(steps.get(here, ()))
    return seen


def _loops(nodes: Any) -> Iterator[Any]:
    """Yield every outermost repeat of a group that may go on for long."""
    for node in nodes:
        operator, argument = str(node[0]), node[1]
        if operator in ("MAX_REPEAT", "MIN_REPEAT") and int(argument[1]) >= LONG:
            yield node
        else:
            for inner in bodies(argument):
                yield from _loops(inner)


def bodies(argument: Any) -> Iterator[Any]:
    """Yield the sub-patterns among an operator's arguments."""
    if hasattr(argument, "getwidth"):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from bodies(part)


def _characters(nodes: Any) -> Iterator[str]:
    """Yield the characters that a pattern names, and those beside the ends of its ranges."""
    for operator, argument in nodes:
        if str(operator) in ("LITERAL", "NOT_LITERAL"):
            yield from _around(argument, argument)
        elif str(operator) == "RANGE":
            yield from _around(*argument)
        elif str(operator) == "IN":
            yield from _characters(argument)
        for inner in bodies(argument):
            yield from _characters(inner)


def _around(low: int, high: int) -> Iterator[str]:
    for code in (low, high, low - 1, high + 1):
        if 0 <= code < 0x110000:
            yield from {chr(code), chr(code).lower(), chr(code).upper()}


def _reads(node: Any, char: str, flags: int) -> bool:
    """Tell whether a node of one character reads this one, by asking the engine itself."""
    operator, argument = str(node[0]), node[1]
    if operator == "ANY":
        return char != "\n" or bool(flags & re.DOTALL)
    same = {char.lower(), char.upper(), char} if flags & re.IGNORECASE else {char}
    if operator == "LITERAL":
        return chr(argument) in same or bool(flags & re.IGNORECASE and chr(argument).lower() == char.lower())
    if operator == "NOT_LITERAL":
        return chr(argument) not in same
    negated = bool(argument) and str(argument[0][0]) == "NEGATE"
    return any(_in_class(item, one) for item in argument for one in same) is not negated


def _in_class(item: Any, char: str) -> bool:
    operator, argument = str(item[0]), item[1]
    if operator == "LITERAL":
        return char == chr(argument)
    if operator == "RANGE":
        return bool(argument[0] <= ord(char) <= argument[1])
    if operator == "CATEGORY":
        return re.fullmatch(_CATEGORIES[str(argument)], char) is not None
    return False


_CATEGORIES: Final = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
