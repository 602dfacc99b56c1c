"""Answers of other runs are taken where the question is the same, to the last one, and nowhere else."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from generate.amounts import Amount
from generate.bill import Bill
from generate.cli import generate as command
from generate.context import Step
from generate.pipeline import ALL, Order, dry_run, generate, probe
from generate.planned import Line
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


def line(bill: Bill, step: str) -> Line:
    (found,) = [one for one in bill.lines if one.stage == step]
    return found


@pytest.mark.parametrize(
    "more",
    ["revise: {rounds: 1}\n", "schedule: {kind: knockout, second_order: close}\ncritique: none\n"],
    ids=["revised", "in waves"],
)
def test_a_plan_counts_what_other_runs_supply(tmp_path: Path, more: str) -> None:
    """Before anything is asked, the plan says what the run then takes, and what it asks."""
    file = write_run(tmp_path, prompts=20, words=WORDS, more=more)
    carry_out(file, tmp_path / "old", EACH)[0].close()
    write_run(tmp_path, prompts=20, words=EDITED, more=more)
    reuse = f"reuse=[{tmp_path / 'old/run'}]"
    config = load_config(file, RunConfig, (EACH, reuse))
    planned = dry_run(Order(config, tmp_path / "new/run", "tenet generate run.yaml"))
    alone = dry_run(Order(load_config(file, RunConfig, (EACH,)), tmp_path / "new/run", "tenet generate run.yaml"))
    run, _ = carry_out(file, tmp_path / "new", EACH, reuse)
    asked, taken = calls(run.path), {step: sum(by.values()) for step, by in read_reused(run.path).items()}
    samples, judging = line(planned, "samples"), line(planned, "judgements")
    assert samples.owed == Amount.exact(0)
    assert samples.reused == samples.calls == line(alone, "samples").owed == Amount.exact(taken["samples"])
    assert samples.prompt_tokens == samples.completion_tokens == Amount.exact(0)
    assert judging.reused.holds(taken["judgements"])
    assert judging.reused.expected == pytest.approx(taken["judgements"], rel=0.1)
    assert judging.owed.holds(asked["judgements"])
    if "schedule" not in more:
        with run:
            rows = [one for one in run.stage(Step.JUDGEMENTS, Judgement).records() if one.principle == "p3"]
        assert judging.reused == Amount.exact(taken["judgements"])
        assert judging.owed == Amount.exact(asked["judgements"]) == Amount.exact(len(rows))
        assert judging.prompt_tokens == Amount.exact(sum(one.prompt_tokens or 0 for one in rows))
        critiques, revisions = line(planned, "critiques"), line(planned, "revisions")
        assert critiques.owed.holds(asked.get("critiques", 0))
        assert critiques.reused.holds(taken["critiques"])
        assert 0 < (critiques.owed.expected or 0.0) < 0.5 * (line(alone, "critiques").owed.expected or 0.0)
        assert revisions.owed.holds(asked.get("revisions", 0))
        assert revisions.reused.high > 0


def test_a_run_that_others_supply_whole_is_planned_to_ask_nothing(tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=20, more="revise: {rounds: 1}\n")
    carry_out(file, tmp_path / "old")[0].close()
    words = [str(file), "--runs", str(tmp_path / "new"), "--reuse", str(tmp_path / "old/run"), "--dry-run"]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    told = json.loads(CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False).stdout)
    assert [(one["calls"], one["owed"]["high"]) for one in told["steps"]] == [
        (one["reused"], 0) for one in told["steps"]
    ]
    assert {one["stage"] for one in told["steps"]} == {"samples", "judgements", "critiques", "revisions"}
    assert "from reused runs" in done.stdout
    assert "From reused runs: 60 samples, " in done.stderr
    assert not (tmp_path / "new").exists()
    run, _ = carry_out(file, tmp_path / "new", f"reuse=[{tmp_path / 'old/run'}]")
    assert calls(run.path) == {}
    kept = json.loads((run.path / "plan.json").read_text())
    assert [one["reused"] for one in kept["steps"]] == [one["reused"] for one in told["steps"]]
    assert dataset_digest(tmp_path / "old/run") == dataset_digest(tmp_path / "new/run")


def test_a_probe_takes_what_others_have_drawn(tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=20, more="critique: none\n")
    carry_out(file, tmp_path / "old")[0].close()
    config = load_config(file, RunConfig, (f"reuse=[{tmp_path / 'old/run'}]",))
    order = Order(config, tmp_path / "new/run", "tenet generate run.yaml")
    probe(order, 10, Console(quiet=True, out=StringIO(), err=StringIO()))
    assert calls(order.folder) == {}
    assert read_reused(order.folder)["samples"] == {str(tmp_path / "old/run"): 60}


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
