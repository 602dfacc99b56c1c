"""Files as annotation tools really wrote them, with other texts: exported by Label Studio 1.23.2 and by the SDK of Argilla 2.8.0.

In each, tasks that Tenet had written were answered through the tool's own interface: by two people, one of them with a comment, as a tie,
skipped, empty, and not at all; to Label Studio a label had been brought that Tenet already had.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from judges.formats.argilla import DRAFT, OPEN
from judges.humans.exporting import WRITERS, tasks_of
from judges.humans.importer import Labels
from judges.humans.labels import with_id
from tenet.records import Choice, Label, Message

FILES = Path(__file__).parent / "tools"
FIRST, SECOND = (f"00000000-0000-0000-0000-{number:012}" for number in (1, 2))
ANSWERS = [
    ("1", Choice.A, None, "sample-1"),
    ("1", Choice.TIE, None, "sample-3"),
    ("2", Choice.B, "clearer\nand shorter", "sample-1"),
]


def said(labels: Sequence[Label]) -> list[tuple[str, Choice, str | None, str | None]]:
    return sorted(
        (one.annotator, one.preference, one.comment, one.response_a_id) for one in labels if one.response_a_id
    )


def read(name: str) -> tuple[list[Label], str, dict[str, list[int]]]:
    """The labels of a file, what it was read as, and what was left out."""
    labels = Labels(FILES / name)
    found = list(labels)
    return found, labels.stream.format.name, dict(labels.counts.left_out)


def test_label_studio_json() -> None:
    labels, name, left_out = read("label-studio.json")
    assert name == "label-studio"
    skip = ("1", Choice.SKIP, None, "sample-5")
    assert said(labels) == sorted([*ANSWERS, skip])
    assert left_out == {"an annotation without a result": [4], "not labelled yet": [5]}
    own, new, multi = [one for one in labels if one.response_a_id is None]
    assert (own.annotator, own.preference, own.strength, own.comment, own.shown_first) == (
        "ann",
        "a",
        0.5,
        "short",
        "b",
    )
    assert own.source == "labels.jsonl:1", "the label that went out comes back as it was"
    assert (new.annotator, new.preference, new.strength, new.comment, new.shown_first) == ("2", "b", None, None, "a")
    assert new.time is not None, "and what it said is not taken for what the next person says"
    assert (multi.annotator, multi.preference, len(multi.prompt)) == ("ann", "skip", 3)


@pytest.mark.parametrize("name", ["label-studio-min.json", "label-studio.csv"])
def test_label_studio_short(name: str) -> None:
    labels, form, left_out = read(name)
    assert form == "label-studio-min"
    assert said(labels) == ANSWERS
    whole = {one.id for one in read("label-studio.json")[0]}
    assert {one.id for one in labels} < whole, "a label is the same in either export"
    assert sorted(len(rows) for rows in left_out.values()) == [2, 2], "nothing said, and not told apart"


def test_the_tool_takes_no_author_that_it_does_not_know() -> None:
    held = [
        with_id(Label("", (Message("user", "Why?"),), "yes", "no", choice, who))
        for who, choice in (("ann", Choice.A), ("bob", Choice.TIE))
    ]
    (task,) = json.loads("".join(WRITERS["label-studio"](tasks_of(held))))
    assert [sorted(one) for one in task["annotations"]] == [["id", "result", "was_cancelled"]] * 2
    assert task["data"]["tenet"]["annotators"] == {"1": "ann", "2": "bob"}
    assert task["annotations"][1]["result"][0]["from_name"] == "tie"


@pytest.mark.parametrize(("name", "open_"), [("argilla-flat.json", DRAFT), ("argilla-nested.json", OPEN)])
def test_argilla(name: str, open_: str) -> None:
    labels, form, left_out = read(name)
    assert form == "argilla"
    assert said(labels) == [
        (FIRST, Choice.A, "clearer", "sample-1"),
        (FIRST, Choice.SKIP, None, "sample-3"),
        (SECOND, Choice.TIE, None, "sample-1"),
    ]
    assert left_out == {open_: [3], "not labelled yet": [4]}


def test_argilla_is_given_a_chat() -> None:
    label = with_id(Label("", (Message("user", "Why?"),), "yes", "no", Choice.A, "ann"))
    (row,) = map(json.loads, WRITERS["argilla"](tasks_of([label])))
    assert row["prompt"] == [{"role": "user", "content": "Why?"}], "the same kind of field for all prompts"
