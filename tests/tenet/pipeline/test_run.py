"""Carrying a pipeline out: what is unchanged is left out, what failed or was stopped is gone on with, nothing is written over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenet.errors import RunLocked
from tenet.pipeline.record import FILE, Record
from tests.tenet.pipeline.world import LABELS, did, invoke, votes, write

UNCHANGED = ("skip", "unchanged")


def test_unchanged_stages_are_left_out(folder: Path) -> None:
    first = invoke("people.yaml", "--json")
    stages = json.loads(first.stdout)["stages"]
    assert [(one["stage"], one["did"]) for one in stages] == [("labels", "run"), ("table", "run")]
    assert stages[1]["result"]["count"] == 3  # what the stage itself prints for --json
    again = did("people.yaml")
    assert again == {"labels": UNCHANGED, "table": UNCHANGED}
    os.utime("votes.csv")
    assert did("people.yaml") == again


def test_what_has_changed_is_carried_out_and_the_rest_is_not(folder: Path) -> None:
    did("people.yaml")
    assert did("people.yaml", "--set", "form=jsonl") == {
        "labels": UNCHANGED,
        "table": ("run", "its command has changed"),
    }
    rows = (folder / "votes.csv").read_text(encoding="utf-8")
    (folder / "votes.csv").write_text(rows + rows.splitlines()[1] + "\n", encoding="utf-8")  # a label that stands twice
    # The labels come out as they were, so the table is not made again.
    assert did("people.yaml", "--set", "form=jsonl") == {"labels": ("run", "votes.csv has changed"), "table": UNCHANGED}
    votes(folder / "votes.csv", 4)
    planned = did("people.yaml", "--set", "form=jsonl", "--dry-run")
    assert planned == {"labels": ("run", "votes.csv has changed"), "table": ("run", "if labels changes what it needs")}
    done = did("people.yaml", "--set", "form=jsonl")
    assert done["table"] == ("run", "work/labels.jsonl has changed")
    assert len((folder / "work/table").read_text(encoding="utf-8").splitlines()) == 4


def test_what_is_gone_or_edited_is_made_again(folder: Path) -> None:
    did("people.yaml")
    (folder / "work/table").unlink()
    assert did("people.yaml")["table"] == ("run", "work/table is not there any more")
    (folder / "work/table").write_text("edited", encoding="utf-8")
    assert did("people.yaml") == {"labels": UNCHANGED, "table": ("run", "work/table was changed since")}
    assert "Question 1?" in (folder / "work/table").read_text(encoding="utf-8-sig")


def test_one_stage_or_all_from_one(folder: Path) -> None:
    did("people.yaml")
    assert did("people.yaml", "--only", "table") == {"table": ("run", "asked for")}
    assert did("people.yaml", "--from", "labels") == {"labels": ("run", "asked for"), "table": UNCHANGED}
    refused = invoke("people.yaml", "--only", "tables")
    assert (refused.exit_code, "no stage tables" in refused.stderr) == (2, True)


def test_a_failure_stops_with_the_code_of_its_stage(folder: Path) -> None:
    (folder / "votes.csv").write_text("prompt,response_a\nx,y\n", encoding="utf-8")
    failed = invoke("people.yaml")
    assert failed.exit_code == 2
    assert "The stage labels failed (exit 2)" in failed.stderr
    assert "go on with: tenet pipeline people.yaml" in failed.stderr
    votes(folder / "votes.csv")
    assert did("people.yaml")["labels"] == ("run", "votes.csv has changed")


def test_a_stage_that_fails_for_another_reason_is_gone_on_with(folder: Path) -> None:
    (folder / "work/table").mkdir(parents=True)
    failed = invoke("people.yaml")
    assert failed.exit_code != 0
    assert "The stage table failed" in failed.stderr
    (folder / "work/table").rmdir()
    assert did("people.yaml") == {"labels": UNCHANGED, "table": ("resume", "it failed")}


def test_a_stage_that_makes_less_than_it_says_has_failed(folder: Path) -> None:
    text = LABELS.replace("    makes: ${folder}/table", "    makes: [$folder/table, $folder/page.html]")
    write(folder / "people.yaml", text)
    failed = invoke("people.yaml")
    assert failed.exit_code == 2
    assert "has not made work/page.html" in failed.stderr


def test_what_was_made_before_is_moved_aside_where_the_file_says_so(folder: Path) -> None:
    write(folder / "people.yaml", LABELS + "    aside: true\n")
    did("people.yaml")
    before = (folder / "work/labels.jsonl").read_bytes()
    votes(folder / "votes.csv", 2)
    dry = invoke("people.yaml", "--dry-run")
    assert "work/labels.jsonl would be moved aside first" in dry.stderr
    assert (folder / "work/labels.jsonl").read_bytes() == before
    done = invoke("people.yaml")
    assert "kept as work/labels.jsonl.before-1" in done.stderr
    assert (folder / "work/labels.jsonl.before-1").read_bytes() == before
    assert (folder / "work/labels.jsonl").read_bytes().count(b"\n") == 2


def test_a_stage_may_add_to_what_another_made(folder: Path) -> None:
    more = votes(folder / "more.csv", 5)
    text = (
        LABELS
        + f"  - name: more\n    run: tenet labels import {more.name} --to $folder/labels.jsonl\n    needs: {more.name}\n"
    )
    write(folder / "people.yaml", text)
    did("people.yaml")
    again = did("people.yaml")
    assert again["labels"] == again["more"] == UNCHANGED
    assert did("people.yaml") == {"labels": UNCHANGED, "table": UNCHANGED, "more": UNCHANGED}


def test_files_put_beside_what_a_stage_made_change_nothing(folder: Path) -> None:
    run = "tenet principles export helpfulness --format langchain --to ${folder}/made/file.json"
    text = f"name: x\nfolder: work\nstages:\n  - name: a\n    run: {run}\n    makes: $folder/made\n"
    text += "  - name: b\n    run: tenet principles check helpfulness\n    needs: $folder/made\n"
    (folder / "work/made").mkdir(parents=True)
    write(folder / "x.yaml", text)
    did("x.yaml")
    (folder / "work/made/notes.txt").write_text("mine", encoding="utf-8")
    assert did("x.yaml") == {"a": UNCHANGED, "b": UNCHANGED}


def test_one_process_at_a_time(folder: Path) -> None:
    with Record.read(folder / "work").locked(), pytest.raises(RunLocked):
        Record.read(folder / "work").locked()
    (folder / "work" / FILE).write_text("{}", encoding="utf-8")
    refused = invoke("people.yaml")
    assert (refused.exit_code, "pipeline.json" in refused.stderr) == (2, True)


TRAINING = """\
name: tuned
variables:
  model:
  rate: 1e-3
stages:
  - name: sft
    run: tenet train sft --model ${model} --data texts.jsonl --out ${folder}/sft --set batch_size=1 --set max_steps=200
      --set save_every=5 --set learning_rate=${rate}
    needs: texts.jsonl
    makes: ${folder}/sft
"""


@pytest.mark.slow
def test_ctrl_c_reaches_the_stage_and_the_same_command_goes_on(folder: Path, tiny_model: Path) -> None:
    write(folder / "tuned.yaml", TRAINING)
    write(
        folder / "texts.jsonl", "".join(json.dumps({"text": f"line {number} of a text"}) + "\n" for number in range(40))
    )
    words = [sys.executable, "-m", "tenet", "pipeline", "tuned.yaml", "--set", f"model={tiny_model}"]
    began = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)
    checkpoints = folder / "runs/tuned/sft/checkpoints"
    while not list(checkpoints.glob("checkpoint-*/trainer_state.json")):
        assert began.poll() is None, began.communicate()
        time.sleep(0.05)
    began.send_signal(signal.SIGINT)  # to the pipeline alone: it passes it on
    _, told = began.communicate(timeout=120)
    assert began.returncode == 130, told
    assert f"go on with: tenet pipeline tuned.yaml --set model={tiny_model}" in told
    record = json.loads((folder / "runs/tuned/sft/train.json").read_text(encoding="utf-8"))
    assert record["status"] == "running"
    assert did(*words[4:], "--dry-run") == {"sft": ("resume", "it was stopped")}
    gone_on = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "--resume" in gone_on.stderr
    assert "going on from checkpoint-" in gone_on.stderr
    assert (folder / "runs/tuned/sft/model.safetensors").is_file()
    planned = invoke(*words[4:], "--dry-run", "--set", "rate=1e-4")
    assert "runs/tuned/sft would be moved aside first" in planned.stderr
