"""Exports: whatever labels there are come back from every tool's file as they were."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.pipeline import ALL, generate
from judges.humans.cli import labels as command
from judges.humans.exporting import WRITERS, jsonl, tasks_of
from judges.humans.importer import Labels
from judges.humans.labels import with_id
from judges.humans.store import add_labels, read_store
from tenet.errors import MissingInput, UsageError
from tenet.records import Choice, Label, Message
from tests.generate.runs_example import make_order, quiet, write_rows

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")
ODD = st.sampled_from(
    [
        "\r",
        "\n",
        "\r\n",
        '"',
        ",",
        ";",
        "=1+1",
        "\u2028",
        "\n\nHuman: x\n\nAssistant:",
        '[{"role": "user"}]',
        "tie",
        "null",
        " ",
    ]
)
TEXT = st.lists(st.one_of(st.text(CHARACTERS, max_size=8), ODD), max_size=4).map("".join)
FULL_TEXT = TEXT.filter(lambda text: bool(text.strip()))
NAME = st.text(CHARACTERS, min_size=1, max_size=8).map(str.strip).filter(bool)
SHARE = st.floats(0.0, 1.0, allow_nan=False)
TIME = st.one_of(st.datetimes(), st.dates()).map(lambda when: when.isoformat())


@st.composite
def prompts(draw: st.DrawFn) -> tuple[Message, ...]:
    before = draw(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), TEXT), max_size=3))
    return (*(Message(role, text) for role, text in before), Message("user", draw(FULL_TEXT)))


@st.composite
def any_label(draw: st.DrawFn) -> Label:
    a, b = draw(st.tuples(FULL_TEXT, FULL_TEXT).filter(lambda texts: texts[0] != texts[1]))
    ids = draw(st.none() | st.tuples(NAME, NAME))
    return with_id(
        Label(
            id="",
            prompt=draw(prompts()),
            response_a=a,
            response_b=b,
            preference=draw(st.sampled_from(Choice)),
            annotator=draw(NAME),
            strength=draw(st.none() | SHARE),
            shown_first=draw(st.sampled_from([None, Choice.A, Choice.B])),
            principle=draw(st.none() | NAME),
            time=draw(st.none() | TIME),
            inclusion_probability=draw(SHARE.filter(bool)),
            source=draw(st.just("file.csv:7") | NAME),
            response_a_id=ids and ids[0],
            response_b_id=ids and ids[1],
            comment=draw(st.none() | FULL_TEXT),
            ranking=draw(st.none() | NAME),
        )
    )


SUFFIX = {"argilla": ".jsonl", "label-studio": ".json", "csv": ".csv", "jsonl": ".jsonl"}


def back(tool: str, held: list[Label], folder: Path) -> list[Label]:
    path = folder / f"labels{SUFFIX[tool]}"
    path.write_bytes("".join(WRITERS[tool](tasks_of(held))).encode())
    return list(Labels(path))


@pytest.mark.parametrize("tool", WRITERS)
@settings(max_examples=40, deadline=None)
@given(found=st.lists(any_label(), min_size=1, max_size=4, unique_by=lambda label: label.id))
def test_labels_come_back_whole(tool: str, found: list[Label]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        again = back(tool, found, Path(folder))
    assert sorted(again, key=lambda label: label.id) == sorted(found, key=lambda label: label.id)


def label(who: str, choice: Choice = Choice.A, **more: object) -> Label:
    made = Label("", (Message("user", "Why?"),), "yes", "no", choice, who, source="l:1", **more)  # type: ignore[arg-type]
    return with_id(made)


def test_people_share_a_task_and_times_do_not(tmp_path: Path) -> None:
    held = [label("ann"), label("bob", Choice.TIE), label("ann", Choice.B), label("eve", time="2026-01-31")]
    assert [list(task.said) for task in tasks_of(held)] == [["ann", "bob"], ["ann"], ["eve"]]
    for tool in WRITERS:
        assert {one.id for one in back(tool, held, tmp_path)} == {one.id for one in held}


def test_a_spreadsheet_that_saved_with_semicolons_reads_back(tmp_path: Path) -> None:
    held = [label("ann"), label("bob", Choice.SKIP, strength=0.5)]
    text = "".join(WRITERS["csv"](tasks_of(held))).replace(",", ";")
    (tmp_path / "l.csv").write_bytes(text.encode())
    assert list(Labels(tmp_path / "l.csv")) == held


def test_no_cell_is_a_formula_and_texts_come_back(tmp_path: Path) -> None:
    said = Label("", (Message("user", "=1+1"),), "-1", "'@sum(a1)", Choice.A, "+ann", source="l:1", comment="\t=1; =2")
    held = [with_id(said)]
    rows = list(csv.DictReader("".join(WRITERS["csv"](tasks_of(held))).lstrip("\ufeff").splitlines()))
    assert not [cell for cell in rows[0].values() if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert back("csv", held, tmp_path) == held


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    values = {
        "prompts": {"path": write_rows(folder / "prompts.jsonl", ({"prompt": f"Question {n}?"} for n in range(4)))},
        "policy": {"engine": "scripted", "model": "hash", "samples": 3},
        "judge": {"engine": "scripted", "model": "longer"},
    }
    with generate(make_order(folder, "made", values, steps=ALL), quiet()) as run:
        return run.path


def invoke(*words: str) -> tuple[str, str]:
    result = CliRunner().invoke(command, list(words), catch_exceptions=False)
    return result.stdout, result.stderr


@pytest.mark.parametrize("tool", WRITERS)
def test_pairs_go_out_and_come_back_labelled_once(made: Path, tool: str, tmp_path: Path) -> None:
    (made / "labels.jsonl").unlink(missing_ok=True)
    file = tmp_path / f"tasks{SUFFIX[tool]}"
    told, _ = invoke("export", str(made), "--to", tool, "--pairs", "--out", str(file), "--json")
    count = json.loads(told)["count"]
    assert count > 0
    untouched = Labels(file)
    assert list(untouched) == []
    assert sum(map(len, untouched.counts.left_out.values())) == count, "not labelled yet, and told so"
    before = file.read_bytes().decode()
    if tool == "label-studio":
        tasks = json.loads(before)
        tasks[0]["annotations"] = [{"completed_by": 3, "result": [{"type": "pairwise", "value": {"selected": "left"}}]}]
        file.write_text(json.dumps(tasks))
    elif tool == "argilla":
        rows = [json.loads(line) for line in before.splitlines()]
        rows[0] |= {"preference.responses": ["a"], "preference.responses.users": ["3"]}
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif tool == "jsonl":
        rows = [json.loads(line) for line in before.splitlines()]
        rows[0] |= {"preference": "a", "annotator": "3"}
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = before.split("\r\n")
        lines[1] = lines[1].replace('"",""', '"a","3"', 1)
        file.write_bytes("\r\n".join(lines).encode())
    for new in (1, 0):
        result = json.loads(invoke("import", str(file), "--to", str(made), "--json")[0])
        assert (result["labels"], result["new"], result["unknown"]) == (1, new, 0)
    (found,) = read_store(made / "labels.jsonl")
    assert (found.annotator, found.preference, found.shown_first) == ("3", Choice.A, Choice.A)
    again, _ = invoke("export", str(made), "--to", tool, "--pairs", "--out", str(file), "--json")
    assert json.loads(again)["count"] == count - 1


def test_labels_of_pairs_that_the_run_does_not_hold_are_told(made: Path, tmp_path: Path) -> None:
    (made / "labels.jsonl").unlink(missing_ok=True)
    (tmp_path / "l.jsonl").write_text("".join(jsonl(tasks_of([label("ann")]))))
    told, said = invoke("import", str(tmp_path / "l.jsonl"), "--to", str(made), "--json")
    assert json.loads(told)["unknown"] == 1
    assert "1 labels of pairs that the run does not hold, kept (line 1)" in said
    assert f"Warning: none of the 1 labels of l.jsonl is of a pair of {made}" in said
    assert f"tenet labels import {tmp_path / 'l.jsonl'} --to RUN" in said


def test_the_command(tmp_path: Path) -> None:
    add_labels(tmp_path / "labels.jsonl", [label("ann")])
    out, said = invoke("export", str(tmp_path / "labels.jsonl"), "--to", "csv")
    assert out.splitlines()[1].startswith('"Why?","yes","no","a","ann"')
    assert said == "1 labels\n"
    with pytest.raises(UsageError, match="--out FILE"):
        invoke("export", str(tmp_path / "labels.jsonl"), "--to", "csv", "--json")
    with pytest.raises(MissingInput, match="There is no run"):
        invoke("export", str(tmp_path / "none"), "--to", "csv")
    with pytest.raises(MissingInput, match="has no labels"):
        invoke("export", str(tmp_path / "none.jsonl"), "--to", "csv")
