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
from itertools import islice
from pathlib import Path

import pytest

from engines.base import batched
from tenet.console import Console, Progress
from tenet.errors import EngineError, Interrupted, MissingInput, TooManyFailures
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

    batch: int = 4

    def __call__(self, tasks: Iterable[Task[str]]) -> Iterable[Row[Sample]]:
        for group in batched(tasks, self.batch):
            self.calls.append(len(group))
            for task in group:
                self.asked.append(task.key)
                yield self.reply(task.key)


def first_of(tasks: Iterable[Task[str]]) -> Task[str]:
    """The first of four tasks that are taken in hand."""
    first, *_ = islice(tasks, 4)
    return first


def go(
    stage: Stage[Sample],
    shards: Sequence[Sequence[Task[str]]],
    work: Callable[[Iterable[Task[str]]], Iterable[Row[Sample]]],
    *,
    retries: int = 2,
    max_failures: float = 0.2,
    retry_failed: bool = False,
    err: StringIO | None = None,
    name: str = "",
) -> StageReport:
    with Progress(Console(err=err or StringIO()), "samples") as progress:
        return run_stage(
            stage, shards, work, progress=progress, retries=retries, max_failures=max_failures,
            retry_failed=retry_failed, plan=name,
        )  # fmt: skip


def test_everything_is_asked_once_in_batches_and_published(tmp_path: Path) -> None:
    stage, work, err = stage_in(tmp_path), Work(), StringIO()
    report = go(stage, plan(6, 3), work, err=err)
    assert (report.planned, report.ok, report.failed, report.asked) == (9, 9, 0, 9)
    assert work.calls == [4, 4, 1]
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


def test_a_settled_plan_is_not_looked_through_again(tmp_path: Path) -> None:
    class Shards(list[list[Task[str]]]):
        def __getitem__(self, number: int) -> list[Task[str]]:  # type: ignore[override]
            raise AssertionError("no task should be made")

    def reply(key: str) -> Row[Sample]:
        return answer(key) if key != "k0001" else Row(key, None, ok=False, reason="no luck")

    stage = stage_in(tmp_path)
    first = go(stage, plan(6, 4), Work(reply), name="this plan")
    again = go(stage, Shards(plan(6, 4)), Work(), name="this plan")
    assert (again.planned, again.ok, again.failed, again.reasons) == (10, 9, 1, first.reasons)
    assert again.asked == 0
    with pytest.raises(AssertionError):
        go(stage, Shards(plan(6, 4)), Work(), name="another plan")
    work = Work()
    assert go(stage, plan(6, 4), work, name="this plan", retry_failed=True).failed == 0
    assert work.asked == ["k0001"]


@pytest.mark.parametrize("damage", ["file", "gone", "grown"])
def test_a_settled_plan_is_looked_through_again_where_a_shard_is_not_what_it_was(tmp_path: Path, damage: str) -> None:
    stage = stage_in(tmp_path)
    go(stage, plan(6, 4), Work(), name="this plan")
    stage.close()
    stage = stage_in(tmp_path)
    path = tmp_path / "samples" / "00001.parquet"
    if damage == "file":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "gone":
        path.unlink()
    else:
        stage.reopen(1)
    assert not stage.settled("this plan")
    work = Work()
    assert go(stage, plan(6, 4), work, name="this plan").ok == 10
    assert len(work.asked) == (0 if damage == "grown" else 4)
    assert stage.settled("this plan")


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
    def work(tasks: Iterable[Task[str]]) -> list[Row[Sample]]:
        found = list(tasks)
        if any(task.key == "k0005" for task in found):
            raise KeyError("odd prompt")
        return [answer(task.key) for task in found]

    stage = stage_in(tmp_path)
    report = go(stage, plan(16), work, retries=0)
    assert (report.ok, report.failed) == (15, 1)
    ((reason, _),) = report.reasons.items()
    assert reason.startswith("KeyError: 'odd prompt' (test_local.py:")


def test_the_stream_goes_on_after_a_task_that_raises_and_nothing_is_asked_twice_for_it(tmp_path: Path) -> None:
    asked: list[str] = []

    def work(tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        for group in batched(tasks, 4):
            asked.extend(task.key for task in group)
            if any(task.key == "k0005" for task in group):
                raise KeyError("odd prompt")
            yield from (answer(task.key) for task in group)

    report = go(stage_in(tmp_path), plan(7, 7), work, retries=0)
    assert (report.ok, report.failed) == (13, 1)
    assert {key for key in asked if asked.count(key) > 1} == {f"k{number:04d}" for number in range(4, 8)}


def test_answers_may_come_in_any_order_across_shards(tmp_path: Path) -> None:
    def work(tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        for group in batched(tasks, 7):
            yield from (answer(task.key) for task in reversed(group))

    stage = stage_in(tmp_path)
    assert go(stage, plan(5, 2, 0, 9), work).ok == 16
    assert [stage.published(number) for number in range(4)] == [True, True, False, True]
    assert [row.key for row in stage.rows()] == [task.key for shard in plan(5, 2, 0, 9) for task in shard]


def test_tasks_are_made_only_when_there_is_room_for_them(tmp_path: Path) -> None:
    """A million tasks must not be in memory because a work looks a few ahead."""
    made: list[int] = []

    class Shards(list[list[Task[str]]]):
        def __getitem__(self, number: int) -> list[Task[str]]:  # type: ignore[override]
            made.append(number)
            return super().__getitem__(number)

        def size(self, number: int) -> int:
            return len(super().__getitem__(number))

    furthest: list[int] = []

    def work(tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        for group in batched(tasks, 2):
            furthest.append(len(made))
            yield from (answer(task.key) for task in group)

    assert go(stage_in(tmp_path), Shards(plan(4, 4, 4)), work).ok == 12
    assert made == [0, 1, 2]
    assert furthest == [1, 1, 2, 2, 3, 3]


def test_a_fault_in_making_tasks_is_not_taken_for_one_of_the_work(tmp_path: Path) -> None:
    class Shards(list[list[Task[str]]]):
        def __getitem__(self, number: int) -> list[Task[str]]:  # type: ignore[override]
            if number == 1:
                raise MissingInput("prompts.jsonl is gone")
            return super().__getitem__(number)

        def size(self, number: int) -> int:
            return 4

    stage = stage_in(tmp_path)
    with pytest.raises(MissingInput):
        go(stage, Shards(plan(4, 4)), Work())
    assert stage.counts().ok == 4


def test_a_work_that_takes_no_task_is_a_bug_and_no_endless_loop(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="took none"):
        go(stage_in(tmp_path), plan(4), lambda tasks: [])


def test_what_is_answered_is_on_the_disk_before_the_work_is_busy_again(tmp_path: Path) -> None:
    stage, seen = stage_in(tmp_path), []

    def work(tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        for group in batched(tasks, 40):
            seen.append(stage.counts().ok)
            yield from (answer(task.key) for task in group)

    assert go(stage, plan(100), work).ok == 100
    assert seen == [0, 40, 80]


def test_failures_are_asked_again_after_all_else(tmp_path: Path) -> None:
    failed: set[str] = set()

    def reply(key: str) -> Row[Sample]:
        if key in ("k0001", "k0006") and key not in failed:
            failed.add(key)
            return Row(key, None, ok=False, reason="busy")
        return answer(key)

    work, stage = Work(reply), stage_in(tmp_path)
    assert go(stage, plan(5, 5, 5), work).ok == 15
    assert work.asked[-2:] == ["k0001", "k0006"]
    assert [stage.published(number) for number in range(3)] == [True] * 3


def test_silence_and_unstorable_records_are_failures(tmp_path: Path) -> None:
    def work(tasks: Iterable[Task[str]]) -> list[Row[Sample]]:
        rows = [answer(task.key, "\ud800" if task.key == "k0003" else "ok") for task in tasks]
        return [row for row in rows if row.key != "k0002"]

    report = go(stage_in(tmp_path), plan(20), work, retries=0)
    assert report.ok == 18
    reason = next(reason for reason in report.reasons if reason != "the work gave no answer")
    assert reason.startswith("the record cannot be stored: text: ")
    assert "surrogates" in reason
    assert "the work gave no answer" in report.reasons


@pytest.mark.parametrize("keys", [["other"], ["k0000", "k0000"]])
def test_an_answer_that_was_not_asked_for_is_a_bug(tmp_path: Path, keys: list[str]) -> None:
    def work(tasks: Iterable[Task[str]]) -> list[Row[Sample]]:
        list(tasks)
        return [answer(key) for key in keys]

    report = go(stage_in(tmp_path), plan(1), work, retries=0, max_failures=1.0)
    assert "answered what was not asked" in next(iter(report.reasons))


def test_a_reason_that_is_no_text_is_spelt_out(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        return Row(key, None, ok=False, reason="odd \ud800")

    report = go(stage_in(tmp_path), plan(1), Work(reply), retries=0, max_failures=1.0)
    assert report.reasons == {"odd \\ud800": 1}


def test_an_engine_that_dies_of_the_ctrl_c_stops_the_run_as_asked(tmp_path: Path) -> None:
    def work(tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        yield answer(first_of(tasks).key)
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
    with pytest.raises(TooManyFailures, match="answers all failed"):
        go(stage_in(tmp_path), plan(1000), work)
    assert len(work.asked) <= 256


def test_failures_that_are_few_do_not_stop_a_stage_when_asked_again(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        return Row(key, None, ok=False, reason="odd") if int(key[1:]) % 10 == 0 else answer(key)

    report = go(stage_in(tmp_path), plan(1000), Work(reply))
    assert (report.ok, report.failed, report.asked) == (900, 100, 1200)


def test_a_stage_stops_early_where_the_engine_breaks_on_the_way(tmp_path: Path) -> None:
    def reply(key: str) -> Row[Sample]:
        return answer(key) if key < "k0300" else Row(key, None, ok=False, reason="out of memory")

    work, stage = Work(reply), stage_in(tmp_path)
    with pytest.raises(TooManyFailures, match="answers all failed"):
        go(stage, plan(1000), work)
    assert len(work.asked) < 700
    assert stage.counts().ok == 300


def test_an_engine_error_ends_the_stage_and_keeps_what_was_answered(tmp_path: Path) -> None:
    def work(tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        yield answer(first_of(tasks).key)
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
    def work(tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        yield answer(first_of(tasks).key)
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
go(stage_in(Path({folder!r})), plan(*[40] * 10), Work(reply, batch=40))
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
from test_local import answer, first_of, go, plan, stage_in
def work(tasks):
    yield answer(first_of(tasks).key)
    print("working", flush=True)
    time.sleep(60)
go(stage_in(Path({str(tmp_path)!r})), plan(4), work)
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
