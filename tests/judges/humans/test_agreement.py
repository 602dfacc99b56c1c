"""Agreement of people: worked by hand on a small run, drift, repeats, principles, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from generate.recorded import assemble, write_run
from judges.formats.registry import read_file
from judges.humans.agreement import Agreement, measure
from judges.humans.cli import labels as command
from judges.humans.labels import with_id
from judges.humans.store import add_labels
from tenet.errors import UsageError
from tenet.records import Choice, Label, Message
from tests.judges.formats.rows_example import llmbar_row, pandalm_row

PAIRS = 80


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three people on 80 pairs: annotator3 says the other thing in every fourth; a judge that always says 1."""
    rows = [pandalm_row(n, 1, 1, 2 if n % 4 == 0 else 1, words=f"Question {n}?") for n in range(PAIRS)]
    verdicts = [{"idx": str(n), "gpt_result": "1"} for n in range(PAIRS)]
    files = [tmp_path / "testset.json", tmp_path / "gpt-testset.json"]
    for path, content in zip(files, (rows, verdicts), strict=True):
        path.write_text(json.dumps(content))
    write_run(tmp_path / "run", assemble([read_file(path) for path in files]), ["x"], command="tenet verdicts import")
    return tmp_path / "run"


def said(n: int, who: str, choice: Choice, **more: object) -> Label:
    turns = (Message("user", f"Question {n}?"),)
    return with_id(Label("", turns, "yes", "no", choice, who, **more))  # type: ignore[arg-type]


def measured(run: Path) -> Agreement:
    return measure(run, replicates=50)


def test_each_person_is_held_against_the_others(run: Path) -> None:
    found = measured(run)
    one, three = found.annotators["annotator1"], found.annotators["annotator3"]
    assert (one.labels, three.labels, one.skips) == (PAIRS, PAIRS, 0)
    assert three.with_others.value == 0.75
    assert three.with_others.low is not None
    assert one.with_others.value == 1.0
    assert one.with_others.count == 60, "where the other two differ, they have no majority"
    assert one.accuracy is not None
    assert three.accuracy is not None
    assert one.accuracy > three.accuracy == pytest.approx(0.75, abs=0.01)
    assert three.with_judges["gpt"].value == 0.75
    assert three.drift is None, "no times"
    assert three.first_rate.value is None
    assert found.people["human_ceiling"].value == pytest.approx(180 / 200), (
        "annotator3 alone is wrong where others agree"
    )
    assert found.judges["gpt"]["pair_accuracy"].value == 1.0
    assert len(found.disagreements) == 20
    first = found.disagreements[0]
    assert dict(first.said) == {"annotator1": "a", "annotator2": "a", "annotator3": "b"}
    assert dict(first.judges) == {"gpt": "a"}


def test_drift_repeats_and_first_shown(run: Path) -> None:
    times = [f"2026-01-{1 + n // 24:02d}T{n % 24:02d}:00:00" for n in range(PAIRS)]
    late = [
        said(n, "late", Choice.A if n < 40 else Choice.B, time=times[n], shown_first=Choice.A) for n in range(PAIRS)
    ]
    again = [said(n, "late", Choice.A, shown_first=Choice.B) for n in range(30, 50)]
    add_labels(run / "labels.jsonl", [*late, *again])
    one = measured(run).annotators["late"]
    assert one.drift is not None
    assert [value for value, _, _ in one.drift.shares] == [1.0, 1.0, 0.0, 0.0]
    assert one.drift.p_value < 1e-10
    assert one.drift.shares[0][1] < 1.0, "with Wilson's interval"
    assert (one.repeats.value, one.repeats.count) == (0.5, 20)
    assert one.first_rate.value == 0.4


def test_people_by_principle(run: Path) -> None:
    kind = [said(n, who, choice, principle="kind") for n in range(30) for who, choice in (
        ("ann", Choice.A), ("bob", Choice.B if n < 10 else Choice.A),
    )]  # fmt: skip
    add_labels(run / "labels.jsonl", kind)
    found = measured(run).principles["kind"]
    assert found["unanimous"].value == pytest.approx(2 / 3)
    assert (found["human_ceiling"].value, found["human_ceiling"].reason) == (None, "fewer than three annotators")


def test_the_command(run: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["agreement", str(run), "--json"], catch_exceptions=False)
    whole = json.loads(told.stdout)
    assert whole["annotators"]["annotator3"]["with_others"]["value"] == 0.75
    assert len(whole["disagreements"]) == 20
    plain = CliRunner().invoke(command, ["agreement", str(run)], catch_exceptions=False)
    assert "People differ on 20 pairs" in plain.stdout
    assert "Question 0?" not in plain.output, "texts are printed only when asked for"
    shown = CliRunner().invoke(command, ["agreement", str(run), "--show", "1"], catch_exceptions=False)
    assert shown.stderr.count("Response a:\nyes") == 1
    path = tmp_path / "evaluators/j/p/result.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps([llmbar_row(1, "1", "1")]))
    write_run(tmp_path / "bare", assemble([read_file(path)]), ["x"], command="x")
    (tmp_path / "bare/labels.jsonl").unlink()
    with pytest.raises(UsageError, match="has no labels of its pairs"):
        measure(tmp_path / "bare")
