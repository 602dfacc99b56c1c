"""Runs on two Ray actors: the same bytes as in one process, also after actors and drivers are killed, and the same errors."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from generate.context import Step
from generate.pipeline import ALL, Order, generate
from tenet.config import load_config
from tenet.console import Console
from tenet.errors import BudgetReached, EngineError, MissingInput, RunLocked, TooManyFailures
from tenet.records import Judgement, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tenet.runs.lock import Holder, is_held
from tenet.workers.settling import Told
from tests.generate.runs_example import dataset_digest, start, words_of, write_run


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray of this machine's own with two CPUs, for all tests of the module."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'tenet-rlaif[ray]')")
    from tests.generate.runs_example import ROOT

    os.environ["PYTHONPATH"] = str(ROOT)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


def carry_out(file: Path, runs: Path, *overrides: str, **more: Any) -> tuple[Run, str]:
    """The finished run, and what was said."""
    config = load_config(file, RunConfig, overrides)
    err = StringIO()
    order = Order(config, runs / config.name, "tenet generate run.yaml", ALL, **more)
    return generate(order, Console(out=StringIO(), err=err)), err.getvalue()


ON_RAY = ("workers.kind=ray", "workers.size=2")


def on(cluster: Any) -> tuple[str, ...]:
    """What to add to a command so that it uses the tests' cluster."""
    return ("--workers", "ray:2", "--set", f"workers.address={cluster.get_runtime_context().gcs_address}")


@pytest.mark.parametrize("more", ["revise: {rounds: 1}\n", "schedule: {kind: knockout, second_order: close}\n"])
def test_two_actors_give_the_bytes_that_one_process_gives(cluster: Any, tmp_path: Path, more: str) -> None:
    file = write_run(tmp_path, prompts=520, more=more)
    with carry_out(file, tmp_path / "local")[0] as run:
        here = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
    with carry_out(file, tmp_path / "ray", *ON_RAY)[0] as run:
        there = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
    assert here == there
    assert dataset_digest(tmp_path / "local/run") == dataset_digest(tmp_path / "ray/run")
    usage = (tmp_path / "ray/run/stats.json").read_text()
    carry_out(file, tmp_path / "ray", *ON_RAY)[0].close()
    assert json.loads((tmp_path / "ray/run/stats.json").read_text())["usage"] == json.loads(usage)["usage"]


def test_an_actor_that_dies_costs_what_it_had_in_hand(cluster: Any, tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=520, latency=0.05)
    carry_out(file, tmp_path / "local")[0].close()
    process = start(words_of(file, tmp_path / "ray", *on(cluster)), tmp_path / "log")
    try:
        worker = wait_for(lambda: next(iter(workers(tmp_path / "ray/run")), None), process)
        wait_for(lambda: recorded(tmp_path / "ray/run") > 50, process)
        os.kill(worker, signal.SIGKILL)
        assert process.wait(300) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
    assert "a worker has died" in (tmp_path / "log").read_text()
    assert dataset_digest(tmp_path / "local/run") == dataset_digest(tmp_path / "ray/run")


def test_workers_end_when_their_driver_is_killed_and_the_next_one_waits_for_them(cluster: Any, tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=520, latency=0.05)
    carry_out(file, tmp_path / "local")[0].close()
    process = start(words_of(file, tmp_path / "ray", *on(cluster)), tmp_path / "log")
    wait_for(lambda: recorded(tmp_path / "ray/run") > 50, process)
    process.kill()
    process.wait()
    carry_out(file, tmp_path / "ray")[0].close()
    assert not [lock for lock in (tmp_path / "ray/run/.workers").iterdir() if is_held(lock)]
    assert dataset_digest(tmp_path / "local/run") == dataset_digest(tmp_path / "ray/run")


def test_errors_of_actors_arrive_as_they_are(cluster: Any, tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=300)
    with pytest.raises(TooManyFailures, match="a fault on order"):
        carry_out(file, tmp_path / "runs", *ON_RAY, "policy.options={errors: 0.9}", "name=many")
    unfit = "judge={engine: scripted, model: longer, options: {label_mass: 0.01}}"
    with pytest.raises(Exception, match="label") as caught:
        carry_out(file, tmp_path / "runs", *ON_RAY, unfit, "name=unfit")
    assert type(caught.value).__name__ == "JudgeUnfit"


def test_a_limit_holds_for_all_actors_together(cluster: Any, tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=300)
    with pytest.raises(BudgetReached, match="as the limit says"):
        carry_out(file, tmp_path / "runs", *ON_RAY, max_tokens=60_000)
    with Run.read(tmp_path / "runs/run") as run:
        rows = list(run.stage(Step.SAMPLES, Sample).records())
    spent = sum((one.prompt_tokens or 0) + (one.completion_tokens or 0) for one in rows)
    assert 30_000 < spent <= 60_000


def test_a_told_error_is_the_same_error() -> None:
    error = Told.of(EngineError("It broke.", hint="Mend it.")).error()
    assert type(error) is EngineError
    assert (str(error), error.hint, error.exit_code) == ("It broke.\n  Mend it.", "Mend it.", 3)


def test_only_workers_of_the_driver_at_work_may_join(tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=3)
    run, _ = carry_out(file, tmp_path / "runs")
    gone = Holder(1, "elsewhere", "2020-01-01T00:00:00+0000")
    with pytest.raises(RunLocked, match="is not open for process 1 on elsewhere"):
        Run.attach(run.path, gone)
    with pytest.raises(MissingInput, match=re.escape("no run folder")) as caught:
        Run.attach(tmp_path / "nowhere", gone)
    assert "shared file system" in caught.value.hint


def workers(run: Path) -> list[int]:
    """The processes that are workers of a run now."""
    from tenet.runs.lock import read_holder

    folder = run / ".workers"
    locks = sorted(folder.glob("*.lock")) if folder.is_dir() else []
    holders = [read_holder(lock) for lock in locks if is_held(lock)]
    return [holder.pid for holder in holders if holder is not None]


def recorded(run: Path) -> int:
    """How many samples and judgements a run holds."""
    if not (run / "run.json").exists():
        return 0
    with Run.read(run, say=lambda _: None) as held:
        return sum(
            held.stage(name, kind).counts().rows
            for name, kind in ((Step.SAMPLES, Sample), (Step.JUDGEMENTS, Judgement))
            if name in held.manifest.stages
        )


def wait_for(what: Callable[[], Any], process: Any, seconds: float = 300) -> Any:
    """What `what` gives once it gives something; fails where the process ends before."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert process.poll() is None, "the command ended too early"
        assert time.monotonic() < until
        time.sleep(0.05)
    return found
