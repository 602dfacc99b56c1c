"""Labels of people to a dataset without a run: p by who said what, splits by prompt, in the forms that trainers read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from generate.labelled import ONE_PRINCIPLE, SKIPS, TIES, labelled_pairs
from judges.blending.people import PRIOR
from judges.humans.labels import parse_label
from tenet.cli import cli
from tenet.records import Label


def label(choice: str, who: str = "ann", **more: object) -> Label:
    row = {"prompt": "Which?", "response_a": "this", "response_b": "that", "preference": choice, "annotator": who}
    found = parse_label({**row, **more}).label
    assert found is not None
    return found


def test_one_person_is_believed_as_often_as_people_are_right() -> None:
    pairs = labelled_pairs([label("b")])
    (row,) = pairs.rows
    assert (row.chosen.text, row.rejected.text) == ("that", "this")
    assert row.pair.p_chosen == pytest.approx(PRIOR, abs=1e-6)
    assert (row.pair.weight, row.pair.source) == (1.0, "human")


def test_people_are_brought_together_whichever_way_round_the_pair_stands() -> None:
    turned = label("b", "bob", response_a="that", response_b="this")
    (row,) = labelled_pairs([label("a"), turned]).rows
    assert row.chosen.text == "this"
    assert row.pair.p_chosen > 0.9  # two who agree: above either alone
    assert row.pair.judgements == 2
    assert labelled_pairs([label("a"), label("a", "bob", response_a="that", response_b="this")]).left_out == {TIES: 1}


def test_the_last_label_of_a_person_counts_and_no_opinion_is_none() -> None:
    (row,) = labelled_pairs([label("a", time="2026-01-01"), label("b", time="2026-01-02")]).rows
    assert (row.chosen.text, row.pair.judgements) == ("that", 1)
    told = labelled_pairs([label("skip"), label("a", principle="kind"), label("tie")])
    assert told.left_out == {SKIPS: 1, ONE_PRINCIPLE: 1, TIES: 1}
    assert not told.rows


def test_weight_is_design_and_shared_by_the_pairs_of_a_prompt() -> None:
    drawn = label("a", inclusion_probability=0.25)
    other = label("a", response_b="neither")
    assert [row.pair.weight for row in labelled_pairs([drawn, other]).rows] == [2.0, 0.5]
    assert [row.pair.weight for row in labelled_pairs([drawn]).rows] == [4.0]


def transcripts(path: Path, count: int) -> Path:
    rows = []
    for number in range(count):
        start = f"\n\nHuman: Hello?\n\nAssistant: Yes?\n\nHuman: Question {number}?\n\nAssistant:"
        rows.append({"chosen": f"{start} Gladly.", "rejected": f"{start} No."})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_transcripts_become_conversations_split_by_prompt(tmp_path: Path) -> None:
    from datasets import load_dataset

    file, out = transcripts(tmp_path / "hh.jsonl", 60), tmp_path / "data"
    words = ["labels", "dataset", str(file), "--out", str(out), "--test-share", "0.3", "--json"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["pairs"] == sum(told["written"]["trl-preference"]["splits"].values()) == 60
    pairs = load_dataset(str(out), "trl-preference", cache_dir=str(tmp_path / "cache"))
    shown = load_dataset(str(out), "sft", cache_dir=str(tmp_path / "cache"))
    row = pairs["train"][0]
    assert [turn["role"] for turn in row["prompt"]] == ["user", "assistant", "user"]
    assert row["chosen"] == [{"role": "assistant", "content": "Gladly."}]
    assert row["p_chosen"] == pytest.approx(PRIOR, abs=1e-6)
    assert shown["train"][0]["completion"] == [{"role": "assistant", "content": "Gladly."}]
    prompts = {split: {str(one["prompt"]) for one in pairs[split]} for split in ("train", "test")}
    assert 8 <= len(prompts["test"]) <= 30
    assert not prompts["train"] & prompts["test"]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "labelled by people" in card
    assert str(tmp_path) not in card
    again = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert json.loads(again.stdout) == told


def test_a_store_of_labels_and_what_is_wrong(tmp_path: Path) -> None:
    file, out = transcripts(tmp_path / "hh.jsonl", 5), tmp_path / "data"
    store = tmp_path / "run"
    store.mkdir()
    missing = CliRunner().invoke(cli, ["labels", "dataset", str(store), "--out", str(out)])
    assert (missing.exit_code, "has no labels" in missing.stderr) == (3, True)
    assert CliRunner().invoke(cli, ["labels", "import", str(file), "--to", str(store)]).exit_code == 0
    done = CliRunner().invoke(
        cli, ["labels", "dataset", str(store), "--out", str(out), "--limit", "3", "--to", "reward", "--json"]
    )
    assert json.loads(done.stdout)["labels"] == 3
    assert (out / "reward").is_dir()
    refused = CliRunner().invoke(cli, ["labels", "dataset", str(store), "--out", str(out), "--to", "rewards"])
    assert (refused.exit_code, 'did you mean "reward"' in refused.stderr) == (2, True)
    skips = tmp_path / "skips.csv"
    skips.write_text("prompt,response_a,response_b,preference,annotator\nQ?,a,b,tie,ann\n", encoding="utf-8")
    empty = CliRunner().invoke(cli, ["labels", "dataset", str(skips), "--out", str(out)])
    assert (empty.exit_code, "no label decides a pair" in empty.stderr) == (2, True)
