"""Anchors made from labels: votes by hand, what is left out and why, and a split that later labels do not move."""

from __future__ import annotations

import pytest

from judges.anchors import Anchor, Side, Split, Unused, make_anchors
from judges.humans.labels import with_id
from tenet.errors import UsageError
from tenet.records import Choice, Label, Message, prompt_id

PROMPT = (Message("user", "What now?"),)
IDS = {"short": "s1", "long": "s2", "odd": "s3"}


def label(preference: str, who: str, a: str = "short", b: str = "long", **more: object) -> Label:
    return with_id(Label("", PROMPT, a, b, Choice(preference), who, **more))  # type: ignore[arg-type]


def find(prompt: str, text: str) -> str | None:
    return IDS.get(text) if prompt == prompt_id(PROMPT) else None


def test_votes_of_either_orientation_are_one_anchor() -> None:
    told = [
        label("a", "ann"),
        label("a", "bob", "long", "short"),
        label("tie", "cyd"),
        label("a", "dan", inclusion_probability=0.25),
    ]
    (one,) = make_anchors(told, find).anchors
    assert (one.a_id, one.b_id, one.for_a, one.for_b, one.ties) == ("s1", "s2", 2, 1, 1)
    assert one.share == pytest.approx((2 + 0.5) / 4)
    assert one.majority is Choice.A
    assert one.weight == pytest.approx((1 + 1 + 1 + 4) / 4)


def test_a_majority_needs_more_people_than_any_other_choice() -> None:
    assert Anchor("p", "a", "b", 1, 1, 1).majority is Choice.TIE
    assert Anchor("p", "a", "b", 1, 0, 2).majority is Choice.TIE
    assert Anchor("p", "a", "b", 0, 2, 1).majority is Choice.B


def test_what_is_not_used_is_counted_by_reason() -> None:
    told = [
        label("a", "ann"), label("b", "ann"), label("skip", "bob"), label("a", "cyd", principle="kind"),
        label("a", "dan", "short", "elsewhere"),
    ]  # fmt: skip
    found = make_anchors(told, find)
    assert [(one.for_a, one.for_b) for one in found.anchors] == [(0, 1)], "the last label of a person counts"
    assert found.unused == {Unused.AGAIN: 1, Unused.SKIPPED: 1, Unused.PRINCIPLE: 1, Unused.NOT_HERE: 1}
    assert found.labels == 5


def test_labels_of_other_texts_are_an_error_that_says_why() -> None:
    with pytest.raises(UsageError, match=r"none of 1 labels .* 1 about responses that the run does not have") as raised:
        make_anchors([label("a", "ann", "short", "elsewhere")], find)
    assert "exact texts" in str(raised.value)
    assert make_anchors([], find).anchors == ()


def test_a_split_follows_from_the_prompt_and_the_kept_rule_alone() -> None:
    rule = Split("anchors", 0.3)
    sides = {f"p{n}": rule.side(f"p{n}") for n in range(2000)}
    assert sum(side is Side.TEST for side in sides.values()) / 2000 == pytest.approx(0.3, abs=0.03)
    kept = Split.from_json(rule.as_json())
    assert kept == rule
    assert all(kept.side(name) is side for name, side in sides.items())
    assert any(Split("other", 0.3).side(name) is not side for name, side in sides.items())


def test_the_digest_is_of_everything_that_a_fit_takes() -> None:
    first, second = make_anchors([label("a", "ann")], find), make_anchors([label("b", "ann")], find)
    assert first.digest != second.digest
    assert first.digest == make_anchors([label("b", "zoe", "long", "short")], find).digest
