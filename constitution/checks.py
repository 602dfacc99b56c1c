"""Checks what a schema cannot say: patterns that compile, references that lead somewhere, tests that fit.

Knows no files; it is given drafts with the places they were written at, and the records made of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import islice

from constitution import codes
from constitution.merge import MOST_SUGGESTED, Draft
from constitution.model import Principle
from constitution.patterns import fault
from constitution.select import applies
from tenet.errors import Problem
from tenet.yamlfile import Yaml, suggest


def patterns(draft: Draft) -> Iterator[Problem]:
    """Yield what is wrong with the regular expressions of a principle."""
    given = draft.fields.get("applies_when")
    items: list[tuple[tuple[int, ...], Yaml]] = [((), given)]
    if isinstance(given, list):
        items = [((index,), item) for index, item in enumerate(given)]
    for where, item in items:
        pattern = item.get("pattern") if isinstance(item, dict) else None
        if isinstance(pattern, str) and (wrong := fault(pattern)):
            place = draft.written["applies_when"]
            hint = "use bounded repeats such as {0,20}" if "without limit" in wrong else ""
            told = f"{place.name(*where, 'pattern')} {wrong}"
            yield place.problem(told, hint, *where, "pattern", code=codes.PATTERN)


def tests(draft: Draft, principle: Principle) -> Iterator[Problem]:
    """Yield the tests of a principle that ask for nothing, or that contradict its `applies_when`."""
    for index, test in enumerate(principle.tests):
        place = draft.written["tests"]
        if test.applies and test.better == test.worse:
            told = f"{place.name(index)} has the same text for better and worse"
            hint = "write two responses of which one follows the principle"
            yield place.problem(told, hint, index, "worse", code=codes.TEST)
        if applies(principle, test.tags, test.prompt) is not test.applies:
            told = f"{place.name(index)} has a prompt that `applies_when` {'misses' if test.applies else 'selects'}"
            hint = "add `applies: false`, or widen `applies_when`" if test.applies else "narrow `applies_when`"
            yield place.problem(told, hint, index, "prompt", code=codes.TEST)


def references(drafts: Mapping[str, Draft], complete: bool) -> Iterator[Problem]:
    """Yield each `yields_to` that names the principle itself or none, and each circle of them.

    Where the drafts are not `complete`, an unknown id may belong to what is missing, and is let pass.
    """
    unknown = 0
    for id_, draft in drafts.items():
        for index, other in enumerate(_targets(draft)):
            place = draft.written["yields_to"]
            if other == id_:
                told = f'{place.name(index)}: "{id_}" cannot yield to itself'
                yield place.problem(told, "remove it", index, code=codes.YIELDS)
            elif other not in drafts and complete:
                unknown += 1
                hint = (suggest(other, drafts) if unknown <= MOST_SUGGESTED else "") or _known(drafts)
                told = f'{place.name(index)}: there is no principle "{other}"'
                yield place.problem(told, hint, index, code=codes.YIELDS)
    for circle in _circles({id_: set(_targets(draft)) - {id_} for id_, draft in drafts.items()}):
        place = drafts[circle[0]].written["yields_to"]
        told = f"principles yield to each other in a circle: {' -> '.join(circle)}"
        yield place.problem(told, "remove one of the steps", code=codes.YIELDS)


def _known(ids: Collection[str]) -> str:
    few = list(islice(ids, MOST_SUGGESTED))
    more = f" and {len(ids) - len(few):,} more" if len(ids) > len(few) else ""
    return f"the file has {', '.join(few)}{more}"


def _circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Yield circles of references, as `[a, b, a]`; each is cut at its last step before the next is looked for.

    After `MOST_SUGGESTED` of them the rest waits until these are mended.
    """
    for _ in range(MOST_SUGGESTED):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            yield circle
            graph[circle[-2]].discard(circle[-1])
        else:
            return


def _targets(draft: Draft) -> list[str]:
    given = draft.fields.get("yields_to")
    return [item for item in given if isinstance(item, str)] if isinstance(given, list) else []
