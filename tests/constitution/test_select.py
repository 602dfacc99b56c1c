from collections import Counter
from dataclasses import replace
from hashlib import sha256
from itertools import permutations
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constitution.model import Condition, Constitution, Principle, Status
from constitution.select import PATTERN_REACH, applying, draw
from tenet.records import Message, Prompt


def prompt(text: str, *tags: str) -> Prompt:
    return Prompt.of([Message("user", text)], tags=tags)


def constitution(*principles: Principle) -> Constitution:
    return Constitution("test", "", "", "", principles)


def principle(name: str, weight: float = 1.0, *, when: Condition | None = None) -> Principle:
    return Principle(name, f"Text of {name}.", weight=weight, applies_when=() if when is None else (when,))


PROMPTS = [prompt(f"prompt {i}") for i in range(2000)]


def drawn(file: Constitution, seed: int = 0, count: int = 2000) -> list[str | None]:
    found = [draw(file, one, seed) for one in PROMPTS[:count]]
    return [one.id if one else None for one in found]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition(any_tags=("a", "b")), ["a", "ab", "abc"]),
        (Condition(all_tags=("a", "b")), ["ab", "abc"]),
        (Condition(any_tags=("c",), all_tags=("a",)), ["abc"]),
        (Condition(pattern="(?i)BC"), ["abc"]),
        (Condition(any_tags=("b",), pattern="^a"), ["ab", "abc"]),
        (Condition(pattern="nowhere"), []),
    ],
)
def test_a_condition_holds_where_all_that_it_names_does(condition: Condition, holds: list[str]) -> None:
    file = constitution(principle("one", when=condition))
    assert [text for text in ("", "a", "ab", "abc") if applying(file, prompt(text, *text))] == holds


def test_one_condition_of_several_is_enough_and_none_is_always() -> None:
    either = replace(principle("either"), applies_when=(Condition(any_tags=("x",)), Condition(pattern="foo")))
    file = constitution(either, principle("always"))
    assert [one.id for one in applying(file, prompt("foo"))] == ["either", "always"]
    assert [one.id for one in applying(file, prompt("bar", "x"))] == ["either", "always"]
    assert [one.id for one in applying(file, prompt("bar"))] == ["always"]


def test_a_pattern_sees_all_turns_and_a_limited_reach() -> None:
    file = constitution(principle("one", when=Condition(pattern="needle")))
    turns = Prompt.of([Message("user", "a needle"), Message("assistant", "yes"), Message("user", "more")])
    assert applying(file, turns)
    assert applying(file, prompt("x" * (PATTERN_REACH - 6) + "needle"))
    assert not applying(file, prompt("x" * (PATTERN_REACH - 5) + "needle"))


def test_only_active_principles_are_asked() -> None:
    file = constitution(
        replace(principle("draft"), status=Status.DRAFT),
        replace(principle("retired"), status=Status.RETIRED),
        principle("active"),
    )
    assert [one.id for one in applying(file, prompt("x"))] == ["active"]
    assert set(drawn(file)) == {"active"}


def test_nothing_is_drawn_where_nothing_applies() -> None:
    assert draw(constitution(principle("one", when=Condition(pattern="foo"))), prompt("bar"), 0) is None


def test_draws_are_a_contract() -> None:
    """Changing the rule would make every run on disk ask other principles, so it is written out here a second time."""
    weights = {"a": 1.0, "b": 2.0, "c": 1.0}
    file = constitution(*(principle(name, weight) for name, weight in weights.items()))

    def arrival(where: Prompt, name: str) -> float:
        canonical = f'["draw-principle",7,"{where.id}","{name}"]'
        word = int.from_bytes(sha256(canonical.encode()).digest()[:8], "big")
        return -log(((word >> 11) + 0.5) / 2**53) / weights[name]

    found = [draw(file, where, 7) for where in PROMPTS[:200]]
    assert [one.id for one in found if one] == [min(weights, key=lambda name: arrival(p, name)) for p in PROMPTS[:200]]
    assert "".join(one.id for one in found[:12] if one) == "bccccaaacacb"


def test_shares_follow_weights() -> None:
    counts = Counter(drawn(constitution(principle("a", 1), principle("b", 2), principle("c", 5))))
    for name, share in (("a", 1 / 8), ("b", 2 / 8), ("c", 5 / 8)):
        error = (share * (1 - share) / len(PROMPTS)) ** 0.5
        assert abs(counts[name] / len(PROMPTS) - share) < 4 * error


def test_tiny_weights_are_drawn_by_their_ratio() -> None:
    counts = Counter(drawn(constitution(principle("a", 1e-300), principle("b", 3e-300))))
    assert abs(counts["b"] / len(PROMPTS) - 0.75) < 4 * (0.75 * 0.25 / len(PROMPTS)) ** 0.5


def test_the_order_of_the_file_does_not_matter() -> None:
    parts = [principle("a"), principle("b", 2), principle("c", 0.5)]
    results = {tuple(drawn(constitution(*order), count=200)) for order in permutations(parts)}
    assert len(results) == 1


def test_an_added_principle_moves_only_the_prompts_that_draw_it() -> None:
    parts = [principle("a"), principle("b", 2), principle("c")]
    before, after = drawn(constitution(*parts)), drawn(constitution(*parts, principle("new", 1)))
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {new for _, new in moved} == {"new"}
    assert {old for old, _ in moved} == {"a", "b", "c"}
    assert abs(len(moved) / len(PROMPTS) - 0.2) < 4 * (0.2 * 0.8 / len(PROMPTS)) ** 0.5


def test_a_heavier_weight_only_gains_prompts() -> None:
    before = drawn(constitution(principle("a"), principle("b"), principle("c")))
    after = drawn(constitution(principle("a"), principle("b", 4), principle("c")))
    assert {new for old, new in zip(before, after, strict=True) if old != new} == {"b"}
    assert not any(old == "b" and new != "b" for old, new in zip(before, after, strict=True))


def test_an_edited_text_keeps_its_prompts_and_a_seed_moves_them() -> None:
    parts = [principle("a"), principle("b")]
    edited = [parts[0], replace(parts[1], text="Another text.")]
    assert drawn(constitution(*parts)) == drawn(constitution(*edited))
    same = sum(x == y for x, y in zip(drawn(constitution(*parts)), drawn(constitution(*parts), 1), strict=True))
    assert abs(same / len(PROMPTS) - 0.5) < 4 * (0.25 / len(PROMPTS)) ** 0.5


def test_each_prompt_draws_among_those_that_apply_to_it() -> None:
    file = constitution(principle("a"), principle("sevens", 50, when=Condition(pattern="7")))
    for one, name in zip(PROMPTS, drawn(file), strict=True):
        assert name == "a" or "7" in one.text


@settings(max_examples=40, deadline=None)
@given(
    weights=st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.floats(1e-6, 1e6), min_size=1, max_size=6),
    extra=st.floats(1e-6, 1e6),
    seed=st.integers(-5, 2**40),
    text=st.text(max_size=20),
)
def test_whatever_the_weights_a_newcomer_disturbs_nobody_else(
    weights: dict[str, float], extra: float, seed: int, text: str
) -> None:
    parts = [principle(name, weight) for name, weight in weights.items()]
    where = prompt(text)
    old = draw(constitution(*parts), where, seed)
    new = draw(constitution(principle("newcomer", extra), *reversed(parts)), where, seed)
    assert old is not None
    assert new is not None
    assert new.id in (old.id, "newcomer")
