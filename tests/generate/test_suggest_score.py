"""The choice of candidates and what is said of them, against counts made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from constitution.model import Principle
from generate.reach import Case
from generate.suggest.evidence import Labelled
from generate.suggest.score import Effect, Ranked, Scored, Standing, choose, effect, rank
from generate.suggest.verdicts import Added, Agreement, Verdicts
from generate.suggest.work import LEAST_WRONG
from judges.pairwise import Mode
from tests.judges.makers import principle, prompt_of, sample_of

A, B, C = (principle(name) for name in ("a", "b", "c"))


def labelled(number: int, *, held_out: bool = False) -> Labelled:
    prompt = prompt_of(f"Question {number}?")
    a, b = sample_of("one", prompt=prompt), sample_of("two", prompt=prompt)
    return Labelled(Case(prompt, a, b, ((a.id, b.id), (b.id, a.id))), True, held_out)


class Table:
    """Verdicts by hand: each principle has a say on some pairs, the last one added that has one is heard; else the file is wrong."""

    mode = Mode.EACH

    def __init__(self, says: dict[Principle, dict[int, float]], before: dict[int, float] | None = None) -> None:
        self.says = says
        self.before = before or {}

    def hear(self, sets: Sequence[Added], pairs: Sequence[Labelled], title: str) -> None:
        pass

    def agreement(self, added: Added, pairs: Sequence[Labelled]) -> Agreement:
        found = {}
        for number, one in enumerate(pairs):
            heard = [self.says[new][number] for new in added if number in self.says[new]]
            found[one.key] = heard[-1] if heard else self.before.get(number, 0.0)
        return found

    def own(self, candidate: Principle, pairs: Sequence[Labelled]) -> Agreement:
        said = self.says[candidate]
        return {one.key: said[number] for number, one in enumerate(pairs) if number in said}


def judged(table: Table) -> Verdicts:
    return cast(Verdicts, table)


def turned(fixed: int, broken: int) -> Effect:
    """The effect on prompts with one pair each, of which so many turn."""
    pairs = [labelled(number) for number in range(fixed + broken + 1)]
    before = {one.key: float(number >= fixed) for number, one in enumerate(pairs)}
    after = {one.key: float(number < fixed or number == fixed + broken) for number, one in enumerate(pairs)}
    return effect(before, after, pairs)


def test_what_an_addition_turns_is_counted() -> None:
    pairs = [labelled(number) for number in range(5)]
    keys = [one.key for one in pairs]
    before = dict(zip(keys, [0.0, 0.5, 1.0, 1.0, 0.0], strict=True))
    after = dict(zip(keys, [1.0, 1.0, 0.5, 1.0, 0.0], strict=True))
    found = effect(before, after, pairs)
    assert (found.fixed, found.broken, found.net) == (2, 1, 1)
    assert found.share is not None
    assert (found.share.value, found.share.count) == (pytest.approx(2 / 3), 3)
    assert (found.before.value, found.after.value) == (0.5, pytest.approx(0.7))


def test_greedy_choice_adds_what_gains_most_beside_those_chosen() -> None:
    pairs = [labelled(number) for number in range(6)]
    says = {A: dict.fromkeys(range(4), 1.0), B: {0: 1.0, 1: 1.0, 2: 1.0}, C: {4: 1.0, 0: 1.0}}
    table = Table(says)
    assert choose(judged(table), [B, C, A], pairs, most=9) == (A, C)  # B has nothing left to fix
    assert choose(judged(table), [B, C, A], pairs, most=1) == (A,)
    assert choose(judged(Table({A: {}})), [A], pairs, most=9) == ()


def test_what_breaks_as_much_as_it_fixes_is_not_chosen() -> None:
    pairs = [labelled(number) for number in range(4)]
    says = {A: {0: 1.0, 3: 0.0}, B: {0: 1.0, 1: 0.0, 2: 0.0, 3: 0.0}}
    assert choose(judged(Table(says, {2: 1.0, 3: 1.0})), [A, B], pairs, most=9) == ()


@pytest.mark.parametrize(
    ("fixed", "broken", "place", "standing"),
    [
        (LEAST_WRONG, 0, 1, Standing.SUPPORTED),
        (LEAST_WRONG - 1, 0, 1, Standing.NOT_SUPPORTED),
        (20, 0, None, Standing.NOT_CHOSEN),
        (20, 15, 1, Standing.NOT_SUPPORTED),
        (0, 0, None, Standing.NOT_SUPPORTED),
        (2, 20, None, Standing.CONTRADICTED),
    ],
)
def test_standing_follows_from_the_interval(fixed: int, broken: int, place: int | None, standing: Standing) -> None:
    found = turned(fixed, broken)
    assert (found.fixed, found.broken) == (fixed, broken)
    assert Scored(A, place, found, found).standing is standing


def test_what_only_contradicts_a_file_that_is_mostly_wrong_is_not_supported() -> None:
    pairs = [labelled(number) for number in range(40)]
    coin = {number: float(number % 2) for number in range(40)}  # fixes 20 of 40, breaks none: the file is always wrong
    (found,) = rank(judged(Table({A: coin})), [A], pairs, pairs, most=1).candidates
    assert found.place == 1
    assert (found.held_out.fixed, found.held_out.broken) == (20, 0)
    assert found.own is not None
    assert (found.own.value, found.own.count) == (0.5, 40)
    assert found.standing is Standing.NOT_SUPPORTED


def test_candidates_are_ranked_by_what_they_fix_on_held_out_labels() -> None:
    pairs = [labelled(number) for number in range(20)]
    says = {A: dict.fromkeys(range(10), 1.0), B: dict.fromkeys(range(10, 18), 1.0), C: {18: 1.0}}
    found: Ranked = rank(judged(Table(says)), [C, B, A], pairs, pairs, most=2)
    assert [(one.principle, one.place, one.standing) for one in found.candidates] == [
        (A, 1, Standing.SUPPORTED), (B, 2, Standing.SUPPORTED), (C, None, Standing.NOT_SUPPORTED),
    ]  # fmt: skip
    assert [one.held_out.net for one in found.candidates] == [10, 8, 1]
    assert found.together is not None
    assert found.together.after.value == 0.9
