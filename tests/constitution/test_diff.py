"""What differs between two files: kinds of changes, partners, and the words of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from constitution.diff import Change, applied, compare
from constitution.diff_text import rendered, word_diff
from constitution.load import load
from constitution.model import Condition, Constitution, Example, Principle, Status, Tier
from tenet.cli import cli

KIND = Principle("kind", "The response is kind and speaks to the person as a friend would.")
TIDY = Principle("tidy", "The response has short paragraphs.")
EXACT = Principle("exact", "The response gives figures with their units.")


def file(*principles: Principle) -> Constitution:
    return Constitution("mine", "1", "", "", principles)


@pytest.mark.parametrize(
    ("edited", "kinds", "decides"),
    [
        (replace(TIDY, text="The response has short sentences."), ("reworded",), True),
        (replace(TIDY, weight=2.0), ("reweighted",), True),
        (replace(TIDY, tier=Tier.RULE), ("tier changed",), True),
        (replace(TIDY, applies_when=(Condition(pattern="x"),)), ("conditions changed",), True),
        (replace(TIDY, compare="Which is tidier?", critique="Is it tidy?"), ("questions changed",), True),
        (replace(TIDY, critique="Is it tidy?"), ("questions changed",), False),
        (replace(TIDY, yields_to=("kind",)), ("precedence changed",), True),
        (replace(TIDY, status=Status.RETIRED), ("status changed",), True),
        (replace(TIDY, examples=(Example("a", "b"),), source="a book"), ("examples changed", "source changed"), False),
    ],
)
def test_each_kind_of_change_has_its_name(edited: Principle, kinds: tuple[str, ...], decides: bool) -> None:
    found = compare(file(KIND, TIDY), file(KIND, edited))
    (change,) = found.changes
    assert (change.id, change.kinds, change.decides) == ("tidy", kinds, decides)
    assert not found.identical


def test_what_cannot_change_a_label_is_told_apart() -> None:
    noted = compare(file(KIND), file(replace(KIND, source="a book")))
    assert not noted.identical
    assert not noted.changes_labels
    assert compare(file(KIND), file(replace(KIND, revise="Be kind."))).changes_labels  # revisions would differ
    assert compare(file(KIND, TIDY), file(KIND, TIDY)).identical


def test_white_space_and_the_order_of_references_are_no_difference() -> None:
    one = replace(KIND, yields_to=("tidy", "exact"))
    assert compare(
        file(one), file(replace(one, text=KIND.text.replace(" ", "\n", 3), yields_to=("exact", "tidy")))
    ).identical


def test_a_draft_that_changes_decides_nothing() -> None:
    draft = replace(TIDY, status=Status.DRAFT)
    (change,) = compare(file(KIND, draft), file(KIND, replace(draft, text="Other."))).changes
    assert not change.decides


def test_added_and_removed_principles_and_another_order() -> None:
    found = compare(file(KIND, TIDY), file(EXACT, KIND))
    assert [(one.id, one.kinds) for one in found.changes] == [("tidy", ("removed",)), ("exact", ("added",))]
    assert not found.reordered
    assert compare(file(KIND, TIDY), file(TIDY, KIND)).reordered


def test_a_principle_with_like_words_is_renamed_and_the_most_alike_first() -> None:
    close = Principle("warm", KIND.text.replace("friend", "neighbour"))
    closer = Principle("warmer", KIND.text)
    (renamed, added) = compare(file(KIND), file(close, closer)).changes
    assert (renamed.before, renamed.after, renamed.kinds) == (KIND, closer, ("renamed",))
    assert (added.after, added.kinds) == (close, ("added",))
    (both,) = compare(file(KIND), file(close)).changes
    assert both.kinds == ("renamed", "reworded")


def test_a_great_many_new_ids_are_matched_by_equal_texts() -> None:
    many = [Principle(f"a{n}", f"The response holds figure {n} of the list.") for n in range(600)]
    found = compare(file(*many), file(*(replace(one, id=f"b{n}") for n, one in enumerate(many))))
    assert {change.kinds for change in found.changes} == {("renamed",)}


def test_a_change_can_be_made_alone_and_taken_back() -> None:
    one, other = file(KIND, TIDY), file(replace(KIND, weight=2.0), EXACT)
    found = compare(one, other)
    made = one
    for change in found.changes:
        made = applied(made, change)
    assert made == other
    for change in found.changes:
        made = applied(made, change.flipped())
    assert set(made.principles) == {KIND, TIDY}
    assert applied(one, Change(TIDY, None)).principles == (KIND,)


def test_words_are_told_one_by_one() -> None:
    assert word_diff("The reply is kind.", "The short reply is warm.") == [
        ("same", "The"), ("new", "short"), ("same", "reply is"), ("gone", "kind."), ("new", "warm."),
    ]  # fmt: skip
    text = rendered(compare(file(KIND, TIDY), file(replace(KIND, text="The response is firm.", weight=0.5), EXACT)))
    for part in (
        "The response is [-kind and speaks",
        "{+firm.+}",
        "~ kind (reworded, reweighted)",
        "weight        1 -> 0.5",
        "- tidy (removed)",
        "+ exact (added)",
        "standing      principle, weight 1, active; all prompts",
        "1 reworded, 1 reweighted, 1 removed, 1 added",
    ):
        assert part in text
    coloured = rendered(compare(file(KIND), file(replace(KIND, text="The response is firm."))), colour=True)
    assert "\x1b[32mfirm.\x1b[0m" in coloured
    assert "[-" not in coloured


def test_the_command_tells_shipped_files_apart() -> None:
    shown = CliRunner().invoke(cli, ["principles", "diff", "pocket/courteous", "pocket/blunt"])
    assert shown.exit_code == 0
    assert "- courteous (removed)" in shown.stdout
    assert "+ blunt (added)" in shown.stdout
    told = json.loads(
        CliRunner().invoke(cli, ["principles", "diff", "pocket/courteous", "pocket/blunt", "--json"]).stdout
    )
    assert told["effect"] is None
    assert [change["kinds"] for change in told["text"]["changes"]] == [["removed"], ["added"]]
    assert told["text"]["second"]["digest"] == load("pocket/blunt").digest


def test_the_command_says_that_files_are_identical() -> None:
    same = CliRunner().invoke(cli, ["principles", "diff", "honesty", "honesty", "--run", "nowhere"])
    assert same.exit_code == 0
    assert "hold the same principles. Nothing was asked." in same.stderr
