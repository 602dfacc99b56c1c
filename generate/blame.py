"""Finds which change of a principle turns a verdict, where an edit changes several.

One change alone is to blame for all that flips. Of several, a change is to blame for a flip if it turns the verdict when it is made
alone; if none does, those without which the verdict would not turn; if there are none of these either, all that touch the prompt
together. How that is found depends on how the judge asks:

- one principle a prompt (`sampled`): a flip has one question before and one after. If both are of one principle, its change is to
  blame; if the draw moved, the changes that moved it.
- each principle (`each`): the answers to each principle are all there, and are combined anew with one change made.
- all at once (`whole`): the pairs that flipped are asked once more with one change made, or taken back, at a time.

Knows no run and asks nobody by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from constitution.diff import Change, Difference, applied
from constitution.model import Constitution
from constitution.select import applies
from generate.reach import Case
from judges.pairwise import Mode, PairwiseJudge
from tenet.records import Prompt

Key = tuple[str, str, str]
Judged = Callable[[PairwiseJudge, Sequence[Case]], Mapping[Key, str | None]]
"""The winners of cases under a judge."""
_DRAWS: Final = frozenset({"id", "weight", "applies_when", "status"})
"""What decides who is drawn."""


class Blame:
    """The changes of one edit, for one judge before and after it."""

    def __init__(self, difference: Difference, before: PairwiseJudge, after: PairwiseJudge) -> None:
        self._changes = difference.deciding
        self._before = before
        self._after = after

    def of(
        self, flips: Sequence[Case], winners: Mapping[Key, tuple[str | None, str | None]], judged: Judged
    ) -> dict[Key, tuple[Change, ...]]:
        """The changes to blame for each flip; `winners` are who won it before and after, `judged` asks what is not known."""
        if len(self._changes) <= 1:
            return dict.fromkeys((case.key for case in flips), self._changes)
        if self._before.mode is Mode.SAMPLED:
            return {case.key: self._drawn(case.prompt) for case in flips}
        return self._tried(flips, winners, judged)

    def _drawn(self, prompt: Prompt) -> tuple[Change, ...]:
        """The changes that make a prompt's one question another one."""
        old, new = self._before.principles(prompt), self._after.principles(prompt)
        same = [change for change in self._changes if change.touches(*old) and change.touches(*new)]
        if same:
            return tuple(same)
        moved = [change for change in self._changes if change.touches(*old, *new) and _moves(change)]
        return tuple(moved) or tuple(change for change in self._changes if change.touches(*old, *new))

    def _tried(
        self, flips: Sequence[Case], winners: Mapping[Key, tuple[str | None, str | None]], judged: Judged
    ) -> dict[Key, tuple[Change, ...]]:
        """Make each change alone; then, for what none of them turned, take each back alone."""
        blamed: dict[Key, list[Change]] = {case.key: [] for case in flips}
        for change in self._changes:
            own = [case for case in flips if _concerns(change, case.prompt)]
            found = self._judged(applied(self._before.constitution, change), own, judged)
            for case in own:
                if found[case.key] == winners[case.key][1]:
                    blamed[case.key].append(change)
        left = [case for case in flips if not blamed[case.key]]
        for change in self._changes:
            own = [case for case in left if _concerns(change, case.prompt)]
            found = self._judged(applied(self._after.constitution, change.flipped()), own, judged)
            for case in own:
                if found[case.key] != winners[case.key][1]:
                    blamed[case.key].append(change)
        for case in left:
            if not blamed[case.key]:
                blamed[case.key] = [change for change in self._changes if _concerns(change, case.prompt)]
        return {key: tuple(found) for key, found in blamed.items()}

    def _judged(self, constitution: Constitution, cases: Sequence[Case], judged: Judged) -> Mapping[Key, str | None]:
        if not cases or not constitution.active:
            return {case.key: None for case in cases}
        return judged(self._before.under(constitution), cases)


def _moves(change: Change) -> bool:
    """Whether a change can make another principle the one that is drawn."""
    return change.before is None or change.after is None or bool(_DRAWS.intersection(change.fields))


def _concerns(change: Change, prompt: Prompt) -> bool:
    """Whether the principle applies to a prompt, before or after."""
    return any(applies(one, prompt.tags, prompt.text) for one in change.principles)
