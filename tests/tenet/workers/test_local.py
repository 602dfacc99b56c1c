"""A stage asks what is owed and no more, whatever the work does and whenever it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import pytest

from tenet.console import Console, Progress
from tenet.errors import EngineError, Interrupted, TooManyFailures
from tenet.records import Finish, Sample
from tenet.runs import Row, Stage
from tenet.runs.manifest import ManifestFile
from tenet.workers.local import StageReport, Task, run_stage, survey


def stage_in(folder: Path) -> Stage[Sample]:
    return Stage("samples", Sample, ManifestFile(folder), resume="tenet generate run.yaml")


def answer(key: str, text: str = "hi") -> Row[Sample]:
    return Row(key, Sample(key, "p", 0, text, "m", Finish.STOP), ok=True)


def plan(*sizes: int, prefix: str = "k") -> list[list[Task[str]]]:
    numbers = iter(range(10_000))
    return [[Task(f"{prefix}{next(numbers):04d}", "x") for _ in range(size)] for size in sizes]


@dataclass
class Work:
    """Answers tasks and keeps a list of what it was asked."""

    reply: Callable[[str], Row[Sample]] = answer
    asked: list[str] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def __call__(self, tasks: Sequence[Task[str]]) -> Iterable[Row[Sample]]:
        self.calls.append(len(tasks))
        for task in tasks:
            self.asked.append(task.key)
            yield self.reply(task.key)


def go(
    stage: Stage[Sample],
    shards: Sequence[Sequence[Task[str]]],
    work: Callable[[Sequence[Task[str]]], Iterable[Row[Sample]]],
    *,
    batch: int = 4,
    retries: int = 2,
    max_failures: float = 0.2,
    retry_failed: bool = False,
    err: StringIO | None = None,
) -> StageReport:
    with Progress(Console(err=err or StringIO()), "samples") as progress:
        return run_stage(
            stage, shards, work, batch=batch, progress=progress, retries=retries, max_failures=max_failures,
            retry_failed=retry_failed,
        )  # fmt: skip


def test_everything_is_asked_once_in_batches_and_published(tmp_path: Path) -> None:
    stage, work, err = stage_in(tmp_path), Work(), StringIO()
    report = go(stage, plan(6, 3), work, err=err)
    assert (report.planned, report.ok, report.failed, report.asked) == (9, 9, 0, 9)
    assert work.calls == [4, 2, 3]
    assert stage.published(0)
    assert stage.published(1)
    assert "samples: 9 of 9 (100 %)" in err.getvalue()
    assert "stop 9" in err.getvalue()
    again = Work()
    report = go(stage, plan(6, 3), again)
    assert again.asked == []
    assert (report.planned, report.ok, report.asked) == (9, 9, 0)
    assert stage.entry.planned == 9


def test_growth_asks_only_what_is_new(tmp_path: Path) -> None:
    stage, work = stage_in(tmp_path), Work()
    go(stage, plan(4, 2), Work())
    go(stage, plan(4, 5), work)
    assert work.asked == ["k0006", "k0007", "k0008"]
    assert stage.published(1)
    assert len(list(stage.records())) == 9


def test_rows_count_wherever_they_are(tmp_path: Path) -> None:
    """A task put in front moves all the others along, some to another shard; only the new one is asked."""
    stage = stage_in(tmp_path)
    tasks = [Task(f"k{number}", "x") for number in range(9)]
    go(stage, [tasks[0:3], tasks[3:6], tasks[6:9]], Work())
    moved = [Task("new", "x"), *tasks]
    shards = [moved[0:3], moved[3:6], moved[6:9], moved[9:]]
    found = survey(stage, shards)
    assert (found.planned, found.ok, found.owed, found.strays) == (10, 9, 1, 0)
    work = Work()
    report = go(stage, shards, work)
    assert work.asked == ["new"]
    assert report.ok == 10
    assert len({row.key for row in stage.rows()}) == len(list(stage.rows())) == 10


def test_rows_that_the_plan_no_longer_asks_for_are_strays(tmp_path: Path) -> None:
    stage = stage_in(tmp_path)
    go(stage, plan(4), Work())
    report = go(stage, plan(3, prefix="other"), Work())
    assert (report.planned, report.ok) == (3, 3)
    assert (stage.entry.planned, stage.entry.strays) == (3, 4)
    assert survey(stage, plan(3, prefix="other")).owed == 0


def test_equal_keys_are_asked_once(tmp_path: Path) -> None:
    work = Work()
    report = go(stage_in(tmp_path), [[Task("k", "x"), Task("k", "x")]], work)
    assert work.asked == ["k"]
    assert report.planned == 1


def test_a_failed_row_is_asked_again_then_given_up_with_its_reason(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        return answer(key) if key != "k0001" else Row(key, None, ok=False, reason="no luck")

    stage, work = stage_in(tmp_path), Work(reply)
    report = go(stage, plan(10), work)
    assert work.asked.count("k0001") == 3
    assert (report.ok, report.failed, report.reasons) == (9, 1, {"no luck": 1})
    assert stage.failures(0)["k0001"].attempts == 3
    again = Work()
    assert go(stage, plan(10), again).failed == 1
    assert again.asked == []
    once_more = Work()
    assert go(stage, plan(10), once_more, retry_failed=True).failed == 0
    assert once_more.asked == ["k0001"]
    assert stage.counts().failed == 0


def test_retry_failed_gives_a_fresh_allowance_and_no_more(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        return answer(key) if key != "k0001" else Row(key, None, ok=False, reason="no luck")

    stage = stage_in(tmp_path)
    go(stage, plan(10), Work(reply))
    work = Work(reply)
    go(stage, plan(10), work, retry_failed=True)
    assert work.asked == ["k0001"] * 3
    assert stage.failures(0)["k0001"].attempts == 6


def test_an_exception_is_pinned_to_its_task(tmp_path: Path) -> None:
    def work(tasks: Sequence[Task[str]]) -> list[Row[Sample]]:
        if any(task.key == "k0005" for task in tasks):
            raise KeyError("odd prompt")
        return [answer(task.key) for task in tasks]

    stage = stage_in(tmp_path)
    report = go(stage, plan(16), work, batch=16, retries=0)
    assert (report.ok, report.failed) == (15, 1)
    ((reason, _),) = report.reasons.items()
    assert reason.startswith("KeyError: 'odd prompt' (test_local.py:")


def test_silence_and_unstorable_records_are_failures(tmp_path: Path) -> None:
    def work(tasks: Sequence[Task[str]]) -> list[Row[Sample]]:
        rows = [answer(task.key, "\ud800" if task.key == "k0003" else "ok") for task in tasks]
        return [row for row in rows if row.key != "k0002"]

    report = go(stage_in(tmp_path), plan(20), work, batch=20, retries=0)
    assert report.ok == 18
    reason = next(reason for reason in report.reasons if reason != "the work gave no answer")
    assert reason.startswith("the record cannot be stored: text: ")
    assert "surrogates" in reason
    assert "the work gave no answer" in report.reasons


@pytest.mark.parametrize("keys", [["other"], ["k0000", "k0000"]])
def test_an_answer_that_was_not_asked_for_is_a_bug(tmp_path: Path, keys: list[str]) -> None:
    def work(tasks: Sequence[Task[str]]) -> list[Row[Sample]]:
        return [answer(key) for key in keys]

    report = go(stage_in(tmp_path), plan(1), work, retries=0, max_failures=1.0)
    assert "answered what was not asked" in next(iter(report.reasons))


def test_a_reason_that_is_no_text_is_spelt_out(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        return Row(key, None, ok=False, reason="odd \ud800")

    report = go(stage_in(tmp_path), plan(1), Work(reply), retries=0, max_failures=1.0)
    assert report.reasons == {"odd \\ud800": 1}


def test_an_engine_that_dies_of_the_ctrl_c_stops_the_run_as_asked(tmp_path: Path) -> None:
    def work(tasks: Sequence[Task[str]]) -> Iterator[Row[Sample]]:
        yield answer(tasks[0].key)
        os.kill(os.getpid(), signal.SIGINT)
        raise EngineError("the engine is gone")

    with pytest.raises(Interrupted):
        go(stage_in(tmp_path), plan(8), work)


def test_too_many_failures_say_why_and_keep_what_worked(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        number = int(key[1:])
        return answer(key) if number % 2 else Row(key, None, ok=False, reason=f"reason {number % 3}")

    stage = stage_in(tmp_path)
    with pytest.raises(TooManyFailures) as caught:
        go(stage, plan(10), Work(reply))
    text = str(caught.value)
    assert "Stage samples: 5 of 10 failed" in text
    assert "2  reason 0" in text
    assert "--retry-failed" in text
    assert caught.value.exit_code == 4
    assert stage.counts().ok == 5
    assert go(stage, plan(10), Work(reply), max_failures=0.5).failed == 5


def test_a_hopeless_stage_stops_early(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        return Row(key, None, ok=False, reason="bad model")

    work = Work(reply)
    with pytest.raises(TooManyFailures, match="first 64 answers all failed"):
        go(stage_in(tmp_path), plan(1000), work)
    assert len(work.asked) == 64


def test_an_engine_error_ends_the_stage_and_keeps_what_was_answered(tmp_path: Path) -> None:
    def work(tasks: Sequence[Task[str]]) -> Iterator[Row[Sample]]:
        yield answer(tasks[0].key)
        raise EngineError("the server is gone")

    stage = stage_in(tmp_path)
    with pytest.raises(EngineError):
        go(stage, plan(8), work)
    assert stage.keys(0) == {"k0000": True}


def test_the_first_ctrl_c_finishes_the_batch_and_names_the_way_on(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        if key == "k0001":
            os.kill(os.getpid(), signal.SIGINT)
        return answer(key)

    stage, err = stage_in(tmp_path), StringIO()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted) as caught:
        go(stage, plan(8), Work(reply), err=err)
    assert caught.value.exit_code == 130
    assert "tenet generate run.yaml" in str(caught.value)
    assert list(stage.keys(0)) == ["k0000", "k0001", "k0002", "k0003"]
    assert "Ctrl-C again stops at once" in err.getvalue()
    assert signal.getsignal(signal.SIGINT) is before
    work = Work()
    go(stage, plan(8), work)
    assert work.asked == ["k0004", "k0005", "k0006", "k0007"]


def test_a_work_that_dies_of_the_ctrl_c_is_no_failure(tmp_path: Path) -> None:
    def work(tasks: Sequence[Task[str]]) -> Iterator[Row[Sample]]:
        yield answer(tasks[0].key)
        os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("engine process died")

    stage = stage_in(tmp_path)
    with pytest.raises(Interrupted):
        go(stage, plan(8), work)
    assert stage.keys(0) == {"k0000": True}


CHILD = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}]
from test_local import Task, Work, answer, go, plan, stage_in
def reply(key):
    time.sleep(0.002)
    return answer(key, "text of " + key)
print("ready", flush=True)
go(stage_in(Path({folder!r})), plan(*[40] * 10), Work(reply), batch=8)
"""


def spawn(folder: Path) -> subprocess.Popen[str]:
    script = CHILD.format(tests=str(Path(__file__).parent), folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_real_kills_lose_nothing_and_ask_little_again(tmp_path: Path) -> None:
    seen: dict[str, Row[Sample]] = {}
    for delay in (0.05, 0.2, 0.35, 0.5):
        with spawn(tmp_path) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay)
            child.kill()
        stage = stage_in(tmp_path)
        now = {row.key: row for row in stage.rows()}
        stage.close()
        assert all(now[key] == row for key, row in seen.items())
        seen = now
    assert seen
    with spawn(tmp_path) as child:
        _, err = child.communicate()
        assert child.returncode == 0, err
    stage = stage_in(tmp_path)
    rows = list(stage.rows())
    assert [row.key for row in rows] == [task.key for shard in plan(*[40] * 10) for task in shard]
    assert all(row.record is not None and row.record.text == f"text of {row.key}" for row in rows)


def test_a_second_ctrl_c_ends_the_process_where_it_stands(tmp_path: Path) -> None:
    script = f"""
import sys, time
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from pathlib import Path
from test_local import answer, go, plan, stage_in
def work(tasks):
    yield answer(tasks[0].key)
    print("working", flush=True)
    time.sleep(60)
go(stage_in(Path({str(tmp_path)!r})), plan(4), work, batch=4)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == -signal.SIGINT


def test_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        os.kill(os.getpid(), signal.SIGINT)
        return answer(key)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert go(stage_in(tmp_path), plan(8), Work(reply)).ok == 8
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
