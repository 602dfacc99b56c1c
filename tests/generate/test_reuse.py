"""Answers of other runs are taken where the question is the same, to the last one, and nowhere else."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from generate.context import Step
from generate.pipeline import ALL, Order, generate
from generate.reuse import read_reused
from tenet.config import load_config
from tenet.console import Console
from tenet.errors import MissingInput, UsageError
from tenet.records import Judgement, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tests.generate.runs_example import WORDS, dataset_digest, write_run

EDITED = (*WORDS[:3], "punctual", *WORDS[4:])
EACH = "judge.principles=each"


def carry_out(file: Path, runs: Path, *overrides: str, **more: Any) -> tuple[Run, str]:
    config = load_config(file, RunConfig, overrides)
    err = StringIO()
    order = Order(config, runs / config.name, "tenet generate run.yaml", ALL, **more)
    return generate(order, Console(out=StringIO(), err=err)), err.getvalue()


def calls(run: Path) -> dict[str, int]:
    """What the run's commands have asked, by step."""
    usage = json.loads((run / "stats.json").read_text())["usage"]
    return {step: spent["calls"] for step, spent in usage.items()}


def test_one_edited_principle_of_ten_asks_its_tenth(tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=20, words=WORDS, more="critique: none\n")
    with carry_out(file, tmp_path / "runs", EACH)[0] as run:
        all_rows = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
    before = calls(tmp_path / "runs/run")
    assert before["judgements"] == len(all_rows)
    write_run(tmp_path, prompts=20, words=EDITED, more="critique: none\n")
    with carry_out(file, tmp_path / "runs", EACH, relabel=True)[0] as run:
        now = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
    after = calls(tmp_path / "runs/run")
    assert after["judgements"] - before["judgements"] == len(all_rows) // 10
    assert {one.principle for name, one in now.items() if name not in all_rows} == {"p3"}
    carry_out(file, tmp_path / "runs", EACH)[0].close()
    assert calls(tmp_path / "runs/run") == after


def test_another_run_is_asked_for_what_differs_and_comes_out_as_if_asked_whole(tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=20, words=WORDS, more="revise: {rounds: 1}\n")
    carry_out(file, tmp_path / "old", EACH)[0].close()
    write_run(tmp_path, prompts=20, words=EDITED, more="revise: {rounds: 1}\n")
    carry_out(file, tmp_path / "alone", EACH)[0].close()
    run, said = carry_out(file, tmp_path / "new", EACH, f"reuse=[{tmp_path / 'old/run'}]")
    asked, whole = calls(run.path), calls(tmp_path / "alone/run")
    assert "samples" not in asked
    assert asked["judgements"] == whole["judgements"] // 10
    assert asked["critiques"] < whole["critiques"]
    taken = whole["judgements"] - asked["judgements"]
    assert f"{taken:,} judgements taken from {tmp_path / 'old/run'}" in said
    assert read_reused(run.path)["judgements"] == {str(tmp_path / "old/run"): taken}
    assert dataset_digest(tmp_path / "alone/run") == dataset_digest(tmp_path / "new/run")


def test_what_failed_elsewhere_is_asked(tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=20, more="critique: none\n")
    faulty = ("policy.options={errors: 0.05}", "max_failures=0.5")
    with carry_out(file, tmp_path / "old", *faulty)[0] as run:
        failed = run.stage(Step.SAMPLES, Sample).counts().failed
    assert failed > 0
    run, _ = carry_out(file, tmp_path / "new", *faulty, f"reuse=[{tmp_path / 'old/run'}]")
    assert calls(run.path)["samples"] == 3 * failed  # asked three times each, and given up again


def test_runs_that_will_not_do_are_refused(tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=3)
    run, _ = carry_out(file, tmp_path / "old")
    with pytest.raises(MissingInput, match="is no run folder"):
        carry_out(file, tmp_path / "new", f"reuse=[{tmp_path}]")
    with pytest.raises(UsageError, match="is this run itself"):
        carry_out(file, tmp_path / "old", f"reuse=[{run.path}]")
    data = json.loads((run.path / "run.json").read_text())
    data["fingerprint"]["informational"]["tenet-rlaif"] = "0.0.1"
    (run.path / "run.json").write_text(json.dumps(data))
    with pytest.raises(UsageError, match=r"was made by Tenet 0\.0\.1"):
        carry_out(file, tmp_path / "new", f"reuse=[{run.path}]")
    manifest = json.loads((run.path / "manifest.json").read_text())
    manifest["stages"]["samples"]["record"] = "Drawing"
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    data["fingerprint"]["informational"]["tenet-rlaif"] = None
    data["fingerprint"] |= {"informational": Run.read(tmp_path / "new/run").fingerprint.informational}
    (run.path / "run.json").write_text(json.dumps(data))
    with pytest.raises(UsageError, match="holds records of type Drawing"):
        carry_out(file, tmp_path / "new", f"reuse=[{run.path}]")
