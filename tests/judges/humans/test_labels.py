"""Labels of people: strict reading, nothing lost, told as judgements."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from judges.humans.cli import labels as command
from judges.humans.importer import LabelSet, read_labels
from judges.humans.labels import label_to_json, label_to_judgement, parse_label, response_id, with_id
from judges.humans.store import add_labels, read_store, store_path
from tenet.errors import InvalidInput, MissingInput, UsageError
from tenet.records import Choice, Label, Message, Outcome, prompt_id

ROW: dict[str, Any] = {
    "prompt": "Which is better?",
    "response_a": "this",
    "response_b": "that",
    "preference": "a",
    "annotator": "ann",
}
FULL: dict[str, Any] = {
    **ROW,
    "strength": 0.75,
    "shown_first": "b",
    "principle": "kind",
    "time": "2026-01-31T12:00:00+00:00",
    "inclusion_probability": 0.25,
}


def write(tmp_path: Path, rows: list[dict[str, Any]] | str, name: str = "l.jsonl") -> Path:
    path = tmp_path / name
    path.write_text(rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(tmp_path: Path, rows: list[dict[str, Any]] | str, name: str = "l.jsonl", **options: Any) -> LabelSet:
    return read_labels(write(tmp_path, rows, name), **options)


def label(**changes: Any) -> Label:
    parsed = parse_label({**FULL, **changes})
    assert parsed.label is not None, parsed.problems
    return parsed.label


def test_a_full_row(tmp_path: Path) -> None:
    (found,) = read(tmp_path, [FULL]).labels
    expected = Label(
        id=found.id,
        prompt=(Message("user", "Which is better?"),),
        response_a="this",
        response_b="that",
        preference=Choice.A,
        annotator="ann",
        strength=0.75,
        shown_first=Choice.B,
        principle="kind",
        time="2026-01-31T12:00:00+00:00",
        inclusion_probability=0.25,
        source="l.jsonl:1",
    )
    assert found == expected == with_id(expected)


@pytest.mark.parametrize("name", ["l.csv", "l.tsv", "l.parquet", "l.json"])
def test_other_formats_give_the_same_labels(tmp_path: Path, name: str) -> None:
    wanted = read(tmp_path, [FULL]).labels[0]
    if name == "l.parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([FULL]), tmp_path / name)
        (found,) = read_labels(tmp_path / name).labels
    elif name == "l.json":
        (found,) = read(tmp_path, json.dumps([FULL]), name).labels
    else:
        mark = "," if name == "l.csv" else "\t"
        lines = [mark.join(map(str, cells)) for cells in (FULL.keys(), FULL.values())]
        (found,) = read(tmp_path, "\n".join(lines) + "\n", name).labels
    assert replace(found, source="") == replace(wanted, source="")


def test_unknown_fields_stay_unknown(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path, "prompt,response_a,response_b,preference,annotator,strength\np,x,y,tie,7,\n", "l.csv"
    ).labels
    assert (found.strength, found.shown_first, found.principle, found.time) == (None, None, None, None)
    assert (found.inclusion_probability, found.annotator, found.preference) == (1.0, "7", Choice.TIE)


def test_the_id_is_all_that_was_said_and_not_where(tmp_path: Path) -> None:
    assert label().id == label(source="elsewhere").id
    changes = {
        "prompt": "Other?", "response_a": "x", "response_b": "x", "preference": "b", "annotator": "bob", "strength": 0.5,
        "shown_first": "a", "principle": None, "time": None, "inclusion_probability": 1.0,
    }  # fmt: skip
    ids = {label().id, *(label(**{name: value}).id for name, value in changes.items())}
    assert len(ids) == len(changes) + 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"preference": "first"}, 'preference: is "first"; expected one of a, b, tie, skip'),
        ({"preference": 1}, "preference: is 1; expected one of"),
        ({"shown_first": "tie"}, 'shown_first: is "tie"; expected one of a, b'),
        ({"response_a": True}, "response_a: is a truth value and not text"),
        ({"strength": 2}, "strength: is 2; expected 0 to 1"),
        ({"strength": "much"}, 'strength: is "much"; expected a number'),
        ({"strength": True}, "strength: is True; expected a number"),
        ({"strength": float("nan")}, "strength: is nan; expected a number"),
        ({"inclusion_probability": 0}, "inclusion_probability: is 0, but the pair was labelled"),
        ({"annotator": " "}, 'annotator: is " "; expected a name'),
        ({"time": "yesterday"}, 'time: is "yesterday"; expected a time as ISO 8601 writes it'),
        ({"prompt": ""}, "prompt: is empty"),
        (
            {"prompt": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
            "prompt: ends with an answer",
        ),
    ],
)
def test_each_check(change: dict[str, Any], told: str) -> None:
    parsed = parse_label({**FULL, **change})
    assert parsed.label is None
    assert any(told in problem for problem in parsed.problems), parsed.problems


def test_all_problems_of_a_file_are_told_at_once_and_nothing_is_kept(tmp_path: Path) -> None:
    rows = [
        ROW,
        {**ROW, "preference": "c", "strength": 9},
        {key: ROW[key] for key in ROW if key != "annotator"},
    ]
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, rows)
    assert [(problem.line, problem.message.split(":")[0]) for problem in caught.value.problems] == [
        (2, "preference"),
        (2, "strength"),
        (3, "no `annotator`"),
    ]
    assert "nothing was written" in str(caught.value)
    with pytest.raises(InvalidInput, match="and 5 more"):
        read(tmp_path, [{**ROW, "preference": "?"}] * 25)
    with pytest.raises(InvalidInput, match=r"l\.jsonl:2: not JSON"):
        read(tmp_path, json.dumps(ROW) + "\n{\n")
    with pytest.raises(InvalidInput, match="no labels"):
        read(tmp_path, "")


def test_unknown_columns_come_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path, "prompt,respnse_a,response_b,preference,annotator,mood\np,x,y,a,z,1\n", "l.csv")
    assert 'l.csv:1: unknown column "respnse_a"' in str(caught.value)
    assert (
        'did you mean "response_a"?; use it with --map response_a=respnse_a, or leave it out with --ignore respnse_a'
        in str(caught.value)
    )
    assert 'no column "response_a"' in str(caught.value)
    with pytest.raises(InvalidInput, match='unknown column "mood"') as caught:
        read(tmp_path, [{**ROW, "mood": 1}, {**ROW, "mood": 2, "annotator": "b"}])
    assert len(caught.value.problems) == 1, "each unknown column is told once"


def test_columns_are_mapped_and_ignored(tmp_path: Path) -> None:
    text = "question,response_a,response_b,choice,worker,mood\np,x,y,b,z,1\n"
    names = {"prompt": "question", "preference": "choice", "annotator": "worker"}
    (found,) = read(tmp_path, text, "l.csv", names=names, ignored=["mood"]).labels
    assert (found.preference, found.annotator, found.prompt[0].content) == (Choice.B, "z", "p")
    with pytest.raises(UsageError, match='Tenet has no column "prompts"'):
        read(tmp_path, text, "l.csv", names={"prompts": "question"})
    with pytest.raises(UsageError, match='has no column "questions"'):
        read(tmp_path, text, "l.csv", names={"prompt": "questions"})
    with pytest.raises(UsageError, match="two meanings"):
        read(tmp_path, text, "l.csv", names={"prompt": "question", "response_a": "question"})
    with pytest.raises(UsageError, match="no label format"):
        read(tmp_path, text, "l.csv", format="argila")


def test_facts_of_the_data_are_counted(tmp_path: Path) -> None:
    rows = [
        ROW,
        ROW,
        {**ROW, "preference": "b"},
        {**ROW, "response_a": "that", "response_b": "this", "preference": "tie"},
        {**ROW, "response_b": "this"},
        {**ROW, "response_b": " "},
        {**ROW, "annotator": "bob", "response_a": "thi\0s"},
    ]
    found = read(tmp_path, rows)
    counts = found.counts
    assert (counts.rows, counts.labels, counts.duplicates, counts.identical, counts.empty) == (7, 4, 1, 1, 1)
    assert counts.repeated == 2, "the same person on the same pair, in either order"
    assert (counts.annotators, counts.prompts, dict(counts.preferences)) == (2, 1, {"a": 2, "b": 1, "tie": 1})
    assert counts.cleaning.nul == 1
    assert found.labels[-1].response_a == "this"
    assert counts.lines()[0] == "7 rows read, 4 labels (2 a, 1 b, 1 tie) of 2 people on 1 prompts"


def test_a_person_is_a_judge() -> None:
    told = label_to_judgement(label(shown_first="a"))
    assert told is not None
    prompt = prompt_id((Message("user", "Which is better?"),))
    assert told.prompt_id == prompt
    assert (told.judge, told.principle, told.outcome, told.p_first) == (
        "human:ann",
        "kind",
        Outcome.FIRST,
        None,
    )
    assert (told.first_id, told.second_id) == (response_id(prompt, "this"), response_id(prompt, "that"))
    assert told.weight == 4.0


@pytest.mark.parametrize(
    ("preference", "first", "outcome"),
    [
        ("a", "a", Outcome.FIRST),
        ("a", "b", Outcome.SECOND),
        ("b", "a", Outcome.SECOND),
        ("b", "b", Outcome.FIRST),
        ("b", None, Outcome.SECOND),
        ("tie", "b", Outcome.TIE),
        ("skip", "b", Outcome.REFUSED),
    ],
)
def test_judgements_stand_in_the_order_of_showing(preference: str, first: str | None, outcome: Outcome) -> None:
    told = label_to_judgement(label(preference=preference, shown_first=first), lambda _, text: f"id-{text}")
    assert told is not None
    assert told.outcome is outcome
    assert (told.first_id, told.second_id) == (("id-that", "id-this") if first == "b" else ("id-this", "id-that"))
    assert told.outcome.is_opinion == (preference != "skip")


def test_labels_of_responses_that_a_run_does_not_know() -> None:
    assert label_to_judgement(label(), lambda _, text: "known" if text == "this" else None) is None


def test_the_store_adds_what_is_new_and_changes_nothing_else(tmp_path: Path) -> None:
    path = store_path(tmp_path)
    assert read_store(path) == ()
    found = read(tmp_path, [FULL, {**ROW, "prompt": "Other\u2028?"}]).labels
    assert add_labels(path, found).new == 2
    before = path.read_bytes()
    again = add_labels(path, found)
    assert (again.new, again.total) == (0, 2)
    assert path.read_bytes() == before
    assert read_store(path) == found, "what is stored reads back equal, place and all"
    assert add_labels(path, [label(annotator="eve"), *found]).total == 3
    assert path.read_bytes().startswith(before)
    assert json.loads(path.read_text().splitlines()[0]) == label_to_json(found[0])


def test_a_damaged_store_is_never_written_over(tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": \n', "labels.jsonl")
    with pytest.raises(InvalidInput, match=r"labels\.jsonl:1"):
        add_labels(path, [label()])
    assert path.read_text() == '{"prompt": \n'


def test_the_command(tmp_path: Path) -> None:
    run, file = (
        tmp_path / "run",
        write(tmp_path, "prompt,response_a,response_b,preference,worker\np,x,y,a,z\n", "l.csv"),
    )
    run.mkdir()
    words = ["import", str(file), "--to", str(run), "--map", "annotator=worker"]
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "1 rows read, 1 labels (1 a) of 1 person" in result.stderr
    assert "1 labels, 1 of them new, 0 were there already" in result.stderr
    again = CliRunner().invoke(command, [*words, "--json"])
    assert json.loads(again.stdout)["new"] == 0
    assert json.loads(again.stdout)["total"] == 1
    assert len(read_store(run / "labels.jsonl")) == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--to", "."], MissingInput),
        (["--to", "labels.txt"], UsageError),
        (["--to", ".", "--map", "annotator"], UsageError),
        (["--to", ".", "--map", "annotator=a", "--map", "annotator=b"], UsageError),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, words: list[str], error: type[Exception]) -> None:
    result = CliRunner().invoke(command, ["import", str(tmp_path / "none.csv"), *words])
    assert isinstance(result.exception, error)


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(command, ["import", "--help"])
    assert "Example: tenet labels import" in result.output
