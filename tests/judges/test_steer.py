from __future__ import annotations

from dataclasses import replace

import pytest

from judges.steer import Case, Reading, Swap, negated, reading, swaps, turn
from tenet.errors import UsageError
from tests.judges.makers import constitution_of, principle, prompt_of, sample_of, scripted

PROMPT = prompt_of("How do I boil an egg?")
LONG, SHORT = (
    sample_of("Put it into hot water and wait for six minutes.", prompt=PROMPT),
    sample_of("Boil it.", prompt=PROMPT),
)


def test_a_negation_is_asked_with_the_derived_question() -> None:
    one = principle("kind", compare="Which response is kinder?")
    other = negated(one)
    assert other.text == "The response does the opposite of this: The response is kind."
    assert other.compare_question == "Which response follows this principle better?"


def test_opposites_are_found_by_id_or_by_position() -> None:
    mine = constitution_of(principle("a"), principle("b"))
    same_ids = constitution_of(principle("b", text="Not b."), principle("a", text="Not a."), principle("c"))
    assert [one.opposite.text for one in swaps(mine, same_ids)] == ["Not a.", "Not b."]
    in_order = constitution_of(principle("x"), principle("y"))
    assert [one.opposite.id for one in swaps(mine, in_order)] == ["x", "y"]
    with pytest.raises(UsageError, match="no opposite for b"):
        swaps(mine, constitution_of(principle("a"), principle("x"), principle("y")))
    with pytest.raises(UsageError, match="a, b: the opposite says the same"):
        swaps(mine, mine)


def test_a_judge_that_knows_only_place_or_length_reverses_nothing() -> None:
    case = Case(Swap(principle("a"), negated(principle("a"))), PROMPT, LONG, SHORT)
    for options in ({"gain": 0, "position_bias": 5}, {"gain": 3}):
        (found,) = turn(scripted("longer", **options), [case])
        assert (found.decided, found.reversed, found.unread) == (2, 0, 0)


def test_what_is_not_decided_or_not_answered_does_not_count() -> None:
    case = Case(Swap(principle("a"), negated(principle("a"))), PROMPT, LONG, SHORT)
    (level,) = turn(scripted("longer", gain=0), [case])
    assert (level.decided, level.unread) == (0, 0)
    (mute,) = turn(scripted("longer", errors=1), [replace(case)])
    assert (mute.decided, mute.unread, mute.reason) == (0, 2, "error: a fault on order")


@pytest.mark.parametrize(
    ("share", "low", "prompts", "wanted"),
    [
        (0.95, 0.9, 100, Reading.READS),
        (0.8, 0.5, 12, Reading.PARTLY),
        (0.7, 0.6, 100, Reading.PARTLY),
        (0.5, 0.4, 100, Reading.IGNORES),
        (0.0, 0.0, 10, Reading.IGNORES),
        (1.0, 0.7, 9, Reading.UNKNOWN),
        (None, 0.0, 0, Reading.UNKNOWN),
    ],
)
def test_what_a_share_says_of_a_judge(share: float | None, low: float, prompts: int, wanted: Reading) -> None:
    assert reading(share, low, prompts) is wanted
