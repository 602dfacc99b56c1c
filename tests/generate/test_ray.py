"""Runs on two Ray actors: the same bytes as in one process, also after actors and drivers are killed, and the same errors."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from generate.context import Step
from generate.pipeline import ALL, Order, generate
from pocket import JUDGE_PATH, POLICY_PATH, world
from tenet.config import load_config, make_config
from tenet.console import Console
from tenet.errors import BudgetReached, EngineError, Interrupted, JudgeUnfit, MissingInput, RunLocked, TooManyFailures
from tenet.records import Judgement, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tenet.runs.lock import Holder, is_held, read_holder
from tenet.workers.settling import Told
from tests.generate.ray_example import cut_small
from tests.generate.runs_example import ROOT, dataset_digest, quiet, start, words_of, write_rows, write_run


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray of this machine's own with two CPUs, for all tests of the module."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'tenet-rlaif[ray]')")
    os.environ["PYTHONPATH"] = str(ROOT)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


@dataclass(frozen=True)
class Reference:
    """A run of two shards: its file, the same with answers that take their time, and the digest of its dataset as one process makes it."""

    quick: Path
    slow: Path
    digest: str


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    folder = tmp_path_factory.mktemp("reference")
    quick, slow = (
        write_run(folder / str(latency), prompts=264, latency=latency, samples=2, more="critique: none\n")
        for latency in (0.0, 0.05)
    )
    carry_out(quick, folder)[0].close()
    return Reference(quick, slow, dataset_digest(folder / "run"))


def carry_out(file: Path, runs: Path, *overrides: str, **more: Any) -> tuple[Run, str]:
    """The finished run, and what was said."""
    config = load_config(file, RunConfig, overrides)
    err = StringIO()
    order = Order(config, runs / config.name, "tenet generate run.yaml", ALL, **more)
    return generate(order, Console(out=StringIO(), err=err)), err.getvalue()


ON_RAY = ("workers.kind=ray", "workers.size=2")
ON_ONE = ("workers.kind=ray", "workers.size=1")
ALONE = ("--workers", "ray:2", "--set", "workers.address=local")


def on(cluster: Any) -> tuple[str, ...]:
    """What to add to a command so that it uses the tests' cluster."""
    return ("--workers", "ray:2", "--set", f"workers.address={cluster.get_runtime_context().gcs_address}")


def test_two_actors_give_the_bytes_that_one_process_gives(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_small(monkeypatch)
    waves = "schedule: {kind: knockout, second_order: close}\n"
    file = write_run(tmp_path, prompts=20, more=f"revise: {{rounds: 1}}\n{waves}")
    with carry_out(file, tmp_path / "local")[0] as run:
        here = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
    with carry_out(file, tmp_path / "ray", *ON_RAY)[0] as run:
        there = {one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()}
    assert here == there
    assert dataset_digest(tmp_path / "local/run") == dataset_digest(tmp_path / "ray/run")
    usage = (tmp_path / "ray/run/stats.json").read_text()
    carry_out(file, tmp_path / "ray", *ON_RAY)[0].close()
    assert json.loads((tmp_path / "ray/run/stats.json").read_text())["usage"] == json.loads(usage)["usage"]


@pytest.mark.slow
def test_two_actors_read_of_a_real_model_what_one_process_reads(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_small(monkeypatch)
    rows = ({"prompt": one.text} for one in world.prompts(12, seed=5, split="heldout"))
    values = {
        "prompts": {"path": write_rows(tmp_path / "prompts.jsonl", rows)},
        "principles": "pocket/courteous",
        "policy": {"model": str(POLICY_PATH), "samples": 3, "max_tokens": 32},
        "judge": {"model": str(JUDGE_PATH)},
        "critique": "none",
    }
    found = []
    for name, workers in (("local", {}), ("ray", {"workers": {"kind": "ray", "size": 2}})):
        config = make_config({"name": name, **values, **workers}, RunConfig)
        with generate(Order(config, tmp_path / name, "tenet generate run.yaml"), quiet()) as run:
            found.append({one.id: one for one in run.stage(Step.JUDGEMENTS, Judgement).records()})
    here, there = found
    assert here.keys() == there.keys()
    assert len(here) > 40
    for name, one in here.items():
        assert one.p_first == pytest.approx(there[name].p_first, abs=1e-3)


def test_an_actor_that_dies_costs_what_it_had_in_hand(cluster: Any, reference: Reference, tmp_path: Path) -> None:
    with under_way(words_of(reference.slow, tmp_path, *on(cluster)), tmp_path) as process:
        os.kill(workers(tmp_path / "run")[0], signal.SIGKILL)
        assert process.wait(300) == 0, (tmp_path / "log").read_text()
    assert "a worker has died" in (tmp_path / "log").read_text()
    assert dataset_digest(tmp_path / "run") == reference.digest


def test_workers_end_when_their_driver_is_killed_and_the_next_one_waits_for_them(
    cluster: Any, reference: Reference, tmp_path: Path
) -> None:
    with under_way(words_of(reference.slow, tmp_path, *on(cluster)), tmp_path) as process:
        process.kill()
        process.wait()
    carry_out(reference.quick, tmp_path)[0].close()
    assert not [lock for lock in (tmp_path / "run/.workers").iterdir() if is_held(lock)]
    assert dataset_digest(tmp_path / "run") == reference.digest


def test_ctrl_c_records_what_is_in_hand_and_leaves_no_process(reference: Reference, tmp_path: Path) -> None:
    # A Ray that the command starts itself: a terminal's Ctrl-C reaches its processes too.
    with under_way(words_of(reference.slow, tmp_path, *ALONE), tmp_path) as process:
        started = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(300) == Interrupted.exit_code, (tmp_path / "log").read_text()
    wait_for(lambda: not any(map(alive, started)))
    said = (tmp_path / "log").read_text()
    assert "Stopping after the work in hand" in said
    assert f"go on with: tenet generate {reference.slow} --runs {tmp_path} --workers ray:2" in said
    assert not workers(tmp_path / "run")
    before = recorded(tmp_path / "run")
    assert 0 < before < 1056
    carry_out(reference.quick, tmp_path)[0].close()
    assert dataset_digest(tmp_path / "run") == reference.digest


def test_errors_of_actors_arrive_as_they_are(cluster: Any, tmp_path: Path) -> None:
    file = write_run(tmp_path, prompts=80)
    with pytest.raises(TooManyFailures, match="a fault on order"):
        carry_out(file, tmp_path / "runs", *ON_ONE, "policy.options={errors: 0.9}", "name=many")
    unfit = "judge={engine: scripted, model: longer, options: {label_mass: 0.01}}"
    with pytest.raises(JudgeUnfit, match="label"):
        carry_out(file, tmp_path / "runs", *ON_ONE, unfit, "name=unfit")


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


@contextmanager
def under_way(words: list[str], runs: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, with a worker of it at work and the first rows on the books."""
    process = start(words, runs / "log")
    try:
        wait_for(lambda: recorded(runs / "run") > 50 and workers(runs / "run"), process)
        yield process
    finally:
        process.kill()


def descendants(pid: int) -> list[Any]:
    """Every process that a process has started, also by others."""
    psutil = pytest.importorskip("psutil", reason="psutil is not installed (it comes with the training extra)")
    return list(psutil.Process(pid).children(recursive=True))


def alive(process: Any) -> bool:
    """Whether a process is at work still; one that nobody has waited for is not."""
    return bool(process.is_running() and process.status() != "zombie")


def wait_for(what: Callable[[], Any], process: subprocess.Popen[bytes] | None = None, seconds: float = 300) -> Any:
    """What `what` gives once it gives something; fails where the process ends before."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert process is None or process.poll() is None, "the command ended too early"
        assert time.monotonic() < until
        time.sleep(0.05)
    return found
