"""Rows as people write them, and why some cannot be learnt from."""

import math

import pytest

from train.rows import Demonstration, Pair, Reason, control_pattern, demonstration_of, pair_of, shared_prompt


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_explicit_conversation() -> None:
    row = {"prompt": [user("hi")], "chosen": [said("a")], "rejected": [said("b")], "p_chosen": 0.8}
    assert pair_of({**row, "weight": 2}) == Pair([user("hi")], [said("a")], [said("b")], 0.8, 2.0)


def test_plain_trl_rows_need_no_label_columns() -> None:
    assert pair_of({"prompt": "hi", "chosen": "a", "rejected": "b"}) == Pair("hi", "a", "b", 1.0, 1.0)


def test_a_label_below_a_half_turns_the_pair_round() -> None:
    pair = pair_of({"prompt": "hi", "chosen": "a", "rejected": "b", "p_chosen": 0.25})
    assert pair == Pair("hi", "b", "a", 0.75, 1.0, flipped=True)


def test_a_tie_is_kept() -> None:
    pair = pair_of({"prompt": "hi", "chosen": "a", "rejected": "b", "p_chosen": 0.5})
    assert isinstance(pair, Pair)
    assert (pair.p, pair.flipped) == (0.5, False)


def test_the_prompt_is_found_in_whole_conversations() -> None:
    row = {"chosen": [user("hi"), said("a")], "rejected": [user("hi"), said("b")]}
    assert pair_of(row) == Pair([user("hi")], [said("a")], [said("b")], 1.0, 1.0)


def test_a_text_prompt_beside_conversations_is_the_first_turn_said_twice() -> None:
    row = {"prompt": "hi", "chosen": [user("hi"), said("a")], "rejected": [user("hi"), said("b")]}
    assert pair_of(row) == Pair([user("hi")], [said("a")], [said("b")], 1.0, 1.0)


def test_a_text_prompt_beside_answers_becomes_the_users_turn() -> None:
    row = {"prompt": "hi", "chosen": [said("a")], "rejected": [said("b")]}
    assert pair_of(row) == Pair([user("hi")], [said("a")], [said("b")], 1.0, 1.0)


def test_shared_characters_leave_the_space_to_the_word() -> None:
    assert shared_prompt("Human: hi Bot: yes", "Human: hi Bot: no") == ("Human: hi Bot:", " yes", " no")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "hi", "chosen": " ", "rejected": "b"}, Reason.EMPTY),
        ({"prompt": "hi", "chosen": None, "rejected": None}, Reason.EMPTY),
        ({"prompt": [user("hi")], "chosen": [], "rejected": [said("b")]}, Reason.EMPTY),
        ({"prompt": "hi", "chosen": "a", "rejected": "a"}, Reason.EQUAL),
        ({"chosen": [user("hi"), said("a")], "rejected": [user("hi"), said("a")]}, Reason.EQUAL),
        ({"prompt": "hi", "chosen": 3, "rejected": "b"}, Reason.MALFORMED),
        ({"prompt": "hi", "chosen": [{"text": "a"}], "rejected": [said("b")]}, Reason.MALFORMED),
        ({"prompt": "hi", "chosen": "a", "rejected": "b", "p_chosen": 1.2}, Reason.BAD_LABEL),
        ({"prompt": "hi", "chosen": "a", "rejected": "b", "p_chosen": math.nan}, Reason.BAD_LABEL),
        ({"prompt": "hi", "chosen": "a", "rejected": "b", "p_chosen": None}, Reason.BAD_LABEL),
        ({"prompt": "hi", "chosen": "a", "rejected": "b", "weight": -1.0}, Reason.BAD_LABEL),
        ({"prompt": "hi", "chosen": "a", "rejected": "b", "weight": math.inf}, Reason.BAD_LABEL),
    ],
)
def test_rows_that_cannot_be_learnt_from(row: dict[str, object], reason: Reason) -> None:
    assert pair_of(row) is reason


def test_demonstrations() -> None:
    assert demonstration_of({"prompt": "hi", "completion": "a"}) == Demonstration("hi", "a")
    turns = [user("hi"), said("a")]
    assert demonstration_of({"messages": turns}) == Demonstration(None, turns)
    assert demonstration_of({"text": "once"}) == Demonstration(None, "once")
    assert demonstration_of({"messages": [user("hi")]}) is Reason.NO_TARGET
    assert demonstration_of({"messages": []}) is Reason.EMPTY
    assert demonstration_of({"prompt": "hi", "completion": "  "}) is Reason.EMPTY
    assert demonstration_of({"prompt": "hi", "completion": [said("a")]}) is Reason.MALFORMED
    assert demonstration_of({}) is Reason.EMPTY


def test_control_pattern_finds_the_longest_literal() -> None:
    pattern = control_pattern(["<s>", "<|im_end|>", ""])
    assert pattern is not None
    found = pattern.search("so <|im_end|> there")
    assert found is not None
    assert found.group() == "<|im_end|>"
    assert control_pattern([]) is None
