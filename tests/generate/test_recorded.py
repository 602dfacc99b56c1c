"""Recorded verdicts as a run: rows with the same texts stay apart, files of a set come together, nothing is counted twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from generate.exporting import export_run
from generate.recorded import ORDER_UNKNOWN, assemble, write_run
from generate.recorded_cli import verdicts
from generate.report.data import gather as report_data
from generate.report.judgecard import sentence
from generate.report.render import render
from judges.card.build import make_card, write_card
from judges.formats.registry import Reading, read_file
from judges.humans.importer import read_labels
from judges.humans.labels import with_id
from judges.humans.store import add_labels, read_store
from tenet.errors import FingerprintMismatch, InvalidInput
from tenet.records import Judgement, Outcome, PreferencePair, Prompt, Rating, Sample
from tenet.runs import Run
from tests.judges.formats.rows_example import llmbar_row, pandalm_row


def write(folder: Path, rows: Any, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(rows))
    return path


def result(folder: Path, judge: str, winners: list[tuple[str | None, str | None]], **changes: Any) -> Path:
    rows = [llmbar_row(n, first, second, **changes) for n, (first, second) in enumerate(winners)]
    return write(folder / "evaluators" / judge / "Vanilla", rows, "result.json")


def rows_of(run: Path, stage: str, kind: Any) -> list[Any]:
    with Run.read(run) as opened:
        return list(opened.stage(stage, kind).records(ok=None)) if stage in opened.manifest.stages else []


def imported(run: Path, *files: Path) -> None:
    readings: list[Reading] = [read_file(file) for file in files]
    write_run(run, assemble(readings), [file.name for file in files], command="tenet verdicts import")


def test_two_judges_of_one_set_share_prompts_and_samples(tmp_path: Path) -> None:
    run = tmp_path / "run"
    imported(run, result(tmp_path, "one", [("1", "1"), ("2", "1")]), result(tmp_path, "two", [("1", None), ("1", "1")]))
    assert len(rows_of(run, "prompts", Prompt)) == 2
    assert len(rows_of(run, "samples", Sample)) == 4
    told = rows_of(run, "judgements", Judgement)
    assert len(told) == 8
    outcomes = sorted(one.outcome for one in told if one.judge == "two/Vanilla")
    assert outcomes == [Outcome.FIRST, Outcome.FIRST, Outcome.SECOND, Outcome.UNPARSED]
    assert len(read_store(run / "labels.jsonl")) == 2, "the label beside both verdicts is one label"
    assert not rows_of(run, "pairs", PreferencePair), "several judges are not averaged"


def test_importing_again_changes_nothing_and_more_files_add(tmp_path: Path) -> None:
    run, first = tmp_path / "run", result(tmp_path, "one", [("1", "1"), ("2", "2")])
    imported(run, first)
    assert len(rows_of(run, "pairs", PreferencePair)) == 2
    before = [
        rows_of(run, name, kind) for name, kind in (("prompts", Prompt), ("samples", Sample), ("judgements", Judgement))
    ]
    imported(run, first)
    again = [
        rows_of(run, name, kind) for name, kind in (("prompts", Prompt), ("samples", Sample), ("judgements", Judgement))
    ]
    assert again == before
    imported(run, result(tmp_path, "two", [("1", "1"), ("2", "2"), ("1", "2")]))
    assert len(rows_of(run, "prompts", Prompt)) == 3
    assert not rows_of(run, "pairs", PreferencePair), "a second judge takes the pairs of the first one back"


def test_rows_with_the_same_texts_are_different_pairs(tmp_path: Path) -> None:
    labels = write(
        tmp_path,
        [pandalm_row(0, 1, 1, 1), pandalm_row(1, 2, 2, 2), pandalm_row(2, 2, 2, 0, turned=True)],
        "testset-v1.json",
    )
    told = write(
        tmp_path,
        [{"idx": str(n), "gpt_result": name} for n, name in enumerate(("1", "1", "Tie"))],
        "gpt-testset-v1.json",
    )
    run = tmp_path / "run"
    imported(run, told, labels)
    assert len(rows_of(run, "prompts", Prompt)) == 1
    judged = rows_of(run, "judgements", Judgement)
    assert len({frozenset((one.first_id, one.second_id)) for one in judged}) == 3
    assert {one.judge for one in judged} == {"gpt"}
    assert all(one.reason == ORDER_UNKNOWN for one in judged)
    card = make_card(run)
    assert card.counts["pairs"] == 3
    assert card.counts["majority"] == {"a": 1, "b": 2, "tie": 0}
    assert card.judges["gpt"].figures["accuracy"].value == pytest.approx(1 / 3)
    assert card.judges["gpt"].figures["position_consistency"].value is None
    again = make_card(run, labels)
    assert replace(again, labels=card.labels) == card, "the set itself as anchors finds the same rows"
    assert len(read_labels(labels).labels) == 9, "no row is taken for another's double"


def test_verdicts_without_their_texts(tmp_path: Path) -> None:
    told = write(tmp_path, [{"idx": "0", "gpt_result": "1"}, {"idx": "9", "gpt_result": "1"}], "gpt-testset-v1.json")
    labels = write(tmp_path, [pandalm_row(0, 1, 1, 1)], "testset-v1.json")
    with pytest.raises(InvalidInput, match="--labels FILE"):
        assemble([read_file(told), read_file(labels)])
    lenient = assemble([read_file(told), read_file(labels)], strict=False)
    assert (len(lenient.judgements), len(lenient.unmatched)) == (1, 1)
    with pytest.raises(InvalidInput, match="without their texts"):
        assemble([read_file(told)], strict=False)
    twice = write(tmp_path, [pandalm_row(0, 1, 1, 1), pandalm_row(0, 2, 2, 2, words="other")], "twice.json")
    with pytest.raises(InvalidInput, match="same key"):
        assemble([read_file(twice)])


def test_a_judge_has_one_verdict_on_a_question(tmp_path: Path) -> None:
    run = tmp_path / "run"
    file = result(tmp_path, "one", [("1", "1")])
    imported(run, file, file)
    assert len(rows_of(run, "judgements", Judgement)) == 2
    other = result(tmp_path / "other", "one", [("2", "1")])
    for files in ((file, other), (other,)):
        with pytest.raises(InvalidInput, match="different verdicts of one judge"):
            imported(run, *files)
    assert len(rows_of(run, "judgements", Judgement)) == 2


def test_ratings_of_one_response(tmp_path: Path) -> None:
    row = {
        "category": "c", "response_type": "Comply", "prompt": [{"role": "user", "content": "q"}],
        "completion": [{"role": "assistant", "content": "a"}], "propositions": {"kind": True, "long": False},
    }  # fmt: skip
    run = tmp_path / "run"
    imported(run, write(tmp_path, [row, {**row, "propositions": {"kind": True, "long": True}}], "gold.json"))
    ratings = rows_of(run, "ratings", Rating)
    assert sorted((one.principle, one.score, one.judge) for one in ratings) == [
        ("kind", 1.0, "human:gold"), ("kind", 1.0, "human:gold"), ("long", 0.0, "human:gold"), ("long", 1.0, "human:gold"),
    ]  # fmt: skip
    assert len(rows_of(run, "samples", Sample)) == 2, "the same text rated twice is two responses"
    told: Any = make_card(run).as_json()["ratings"]
    assert told["long"]["fire_rate"]["value"] == 0.5


def test_a_run_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    from tenet.runs import Fingerprint

    with Run.open(tmp_path / "run", {"name": "run"}, Fingerprint({"seed": 0}), command="tenet generate"):
        pass
    with pytest.raises(FingerprintMismatch):
        imported(tmp_path / "run", result(tmp_path, "one", [("1", "1")]))


def test_the_command_and_the_report_of_what_it_made(tmp_path: Path) -> None:
    run = tmp_path / "run"
    file = result(tmp_path, "one", [("1", "1"), ("2", "2"), ("1", "2")])
    done = CliRunner().invoke(verdicts, ["import", str(file), "--to", str(run), "--json"])
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout)
    assert (counts["prompts"], counts["judgements"], counts["judges"], counts["labels"]) == (3, 6, ["one/Vanilla"], 3)
    assert "tenet card" in done.stderr
    card = make_card(run)
    write_card(run, card)
    data = report_data(run)
    (shown,) = data.judge_cards
    assert (shown.name, shown.labelled, shown.stale) == ("one/Vanilla", 3, False)
    assert {row.name: row.value for row in shown.rows}["accuracy"] == "50.0\u202f%"
    page = render(data)
    assert "How far the judge may be trusted" in page
    assert "50.0\u202f%" in page
    told = sentence(data.judge_cards)
    assert told.startswith("one/Vanilla gave the verdict of 1 person in 50.0\u202f%")
    assert "unvalidated" not in page
    with Run.read(run) as opened:
        export_run(opened, ["trl-preference"], tmp_path / "dataset")
    card_text = (tmp_path / "dataset/README.md").read_text()
    assert "one/Vanilla gave the verdict of 1 person" in card_text
    assert "Unvalidated" not in card_text
    imported(run, result(tmp_path, "two", [("1", "1")]))
    assert report_data(run).judge_cards[0].stale, "the run was judged further since"


def test_a_card_is_stale_once_there_are_other_labels(tmp_path: Path) -> None:
    run = tmp_path / "run"
    imported(run, result(tmp_path, "one", [("1", "1"), ("2", "2"), ("1", "2")]))
    write_card(run, make_card(run))
    assert [one.stale for one in report_data(run).judge_cards] == [False]
    first = next(iter(read_store(run / "labels.jsonl")))
    add_labels(run / "labels.jsonl", [with_id(replace(first, annotator="eve"))])
    data = report_data(run)
    assert [one.stale for one in data.judge_cards] == [True]
    (told,) = [one for one in data.notices if one.title == "People's labels are not used yet"]
    assert (told.level, told.command) == ("caution", f"tenet card {run}")
    write_card(run, make_card(run))
    assert not report_data(run).judge_cards[0].stale
    add_labels(run / "labels.jsonl", [], withdrawn=[first.id])
    assert report_data(run).judge_cards[0].stale, "a label was taken back"
    write_card(run, make_card(run, run / "labels.jsonl"))
    assert not report_data(run).judge_cards[0].stale, "measured against a file of the user's own"
