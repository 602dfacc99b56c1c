"""Candidates from pools and from texts: what is read, what is left out, and what ids they get."""

from __future__ import annotations

from pathlib import Path

import pytest

from constitution.model import Status
from generate.suggest.candidates import for_file, of_texts, read_pool
from generate.suggest.propose import parse
from tenet.errors import InvalidInput, MissingInput, UsageError
from tests.judges.makers import constitution_of, principle


def test_pools_are_principles_files_and_lists(tmp_path: Path) -> None:
    ideas = tmp_path / "ideas.txt"
    ideas.write_text("# some\n- The response names its sources.\n- The response is short.\n")
    own = tmp_path / "own.yaml"
    own.write_text(
        "schema_version: 1\nname: own\nprinciples:\n  - {id: kind, text: The response is kind.}\n"
        "  - {id: old, text: The response is old., status: retired}\n  - {id: new, text: The response is new., status: draft}\n"
    )
    found = read_pool(["pocket/brief", str(ideas), str(own)])
    assert [one.id for one in found] == ["brief", "names-its-sources", "short", "kind", "new"]
    with pytest.raises(MissingInput):
        read_pool([str(tmp_path / "none.txt")])
    with pytest.raises(InvalidInput):
        read_pool([str(tmp_path)])


def test_what_is_said_already_is_left_out_and_ids_are_made_new() -> None:
    file = constitution_of(
        principle("kind"), principle("short", text="The response is short and says only what matters most.")
    )
    found = for_file(
        [
            principle("friendly", text="the response is KIND"),
            principle("terse", text="The response is short and says only what really matters most."),
            principle("wordy", text="The response is long and says only what matters most."),
            principle("kind", text="The response thanks the person.", status=Status.DRAFT),
            principle("warm", text="The response thanks the person!"),
        ],
        file,
    )
    assert [(one.id, one.status) for one in found.principles] == [("wordy", Status.ACTIVE), ("kind-2", Status.ACTIVE)]
    assert found.remarks == (
        "friendly is left out: it says what the file's kind says",
        "terse is left out: it says nearly what the file's short says",
        "warm is left out: it says what kind says",
        "kind is called kind-2 here: the id is taken by another principle",
    )
    with pytest.raises(UsageError, match="says what the file's kind says"):
        for_file([principle("kind")], file)


def test_texts_become_principles() -> None:
    found = of_texts(["The response names its sources.", "The response names its sources and dates."])
    assert [one.id for one in found] == ["names-its-sources", "names-its-sources-and-dates"]


def test_an_answer_is_read_strictly() -> None:
    told = (
        "Principle: The response is short.\n\n- principle: The response thanks the person.\n2) Principle: The response lists steps.\n"
        "Here is why: it is short.\nPrinciple: Be short.\nPrinciple: The response.\n"
        + "Principle: The response "
        + "x" * 400
    )
    assert parse(told) == (
        ["The response is short.", "The response thanks the person.", "The response lists steps."], 4,
    )  # fmt: skip
    assert parse("") == ([], 0)
