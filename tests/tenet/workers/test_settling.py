"""A worker settles the shards that it is given while it is talked to, and tells how it went."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tenet.errors import EngineError
from tenet.records import Finish, Sample
from tenet.runs import Fingerprint, Row, Run
from tenet.runs.lock import Holder
from tenet.workers.settling import Made, Order, Outcome, Settler
from tenet.workers.survey import Task

SHARDS = [[Task(f"k{shard}{number}", "x") for number in range(5)] for shard in range(3)]


@dataclass
class Answers:
    """Makes work that answers every task, but those in `bad`; `fails` breaks it as a whole, `gate` holds it up."""

    folder: Path
    driver: Holder
    bad: frozenset[str] = frozenset()
    fails: bool = False
    gate: threading.Event = field(default_factory=threading.Event)

    def make(self, order: Order) -> Made[Any, Any]:
        run = Run.attach(self.folder, self.driver)
        return Made(run.stage("samples", Sample), SHARDS, self.work, dict, run.close)

    def work(self, tasks: Iterable[Task[str]]) -> Iterator[Row[Sample]]:
        for task in tasks:
            self.gate.wait(30)
            if self.fails:
                raise EngineError("The engine broke.", hint="Mend it.")
            ok = task.key not in self.bad
            record = Sample(task.key, "p", 0, "hi", "m", Finish.STOP) if ok else None
            yield Row(task.key, record, ok=ok, reason="" if ok else "no")

    def call(self, name: str) -> Any:
        raise EngineError(f"No {name}.")

    def close(self) -> None:
        pass


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Run.open(tmp_path / "run", {}, Fingerprint({"seed": 0}), command="again", say=lambda _: None) as run:
        run.stage("samples", Sample)
        yield run


def going(settler: Settler, order: Order) -> tuple[threading.Thread, list[Outcome]]:
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.append(settler.begin(order)), daemon=True)
    thread.start()
    return thread, found


def test_shards_come_while_it_works_and_are_published_when_it_says_so(run: Run) -> None:
    maker = Answers(run.path, run.driver, bad=frozenset({"k11"}))
    settler = Settler(maker, watch=False)
    settler.exchange(1, [2], last=False, stop=False)  # may come before the order itself
    thread, found = going(settler, Order(None, serial=1))
    maker.gate.set()
    settler.exchange(1, [1], last=True, stop=False)
    thread.join(30)
    (outcome,) = found
    assert (outcome.stopped, outcome.failure) == (False, None)
    assert outcome.report.settled == {2: {}, 1: {"no": 1}}
    assert (outcome.report.done, outcome.report.asked) == (10, 12)
    assert outcome.report.outcomes == {"stop": 9, "failed": 1}
    assert sorted(run.manifest.stages["samples"].shards) == [1, 2]


def test_a_stop_keeps_what_was_answered(run: Run) -> None:
    maker = Answers(run.path, run.driver)
    settler = Settler(maker, watch=False)
    thread, found = going(settler, Order(None, serial=1))
    settler.exchange(1, [0, 1], last=False, stop=False)
    settler.exchange(1, [], last=False, stop=True)
    maker.gate.set()
    thread.join(30)
    assert found[0].stopped
    assert set(run.stage("samples", Sample).keys(0)) <= {task.key for task in SHARDS[0]}


def test_errors_are_told_with_their_hints(run: Run) -> None:
    maker = Answers(run.path, run.driver, fails=True)
    maker.gate.set()
    settler = Settler(maker, watch=False)
    thread, found = going(settler, Order(None, serial=1))
    settler.exchange(1, [0], last=True, stop=False)
    thread.join(30)
    assert found[0].failure is not None
    assert str(found[0].failure.error()) == "The engine broke.\n  Mend it."
    assert str(settler.call("such thing").error()) == "No such thing."
    gone = Settler(Answers(run.path, Holder(1, "elsewhere", "then")), watch=False).begin(Order(None, serial=1))
    assert gone.failure is not None
    assert gone.failure.kind == "RunLocked"


def test_a_late_message_of_an_earlier_order_changes_nothing(run: Run) -> None:
    maker = Answers(run.path, run.driver)
    maker.gate.set()
    settler = Settler(maker, watch=False)
    settler.exchange(2, [0], last=True, stop=False)
    assert settler.exchange(1, [1], last=True, stop=True).settled == {}
    thread, found = going(settler, Order(None, serial=2))
    thread.join(30)
    assert set(found[0].report.settled) == {0}


WORKER = """
import sys, threading
from pathlib import Path
from tenet.runs.lock import Holder
from tenet.workers.settling import Settler
from tests.tenet.workers.test_settling import Answers

Settler(Answers(Path(sys.argv[1]), Holder(int(sys.argv[2]), sys.argv[3], sys.argv[4])))
print("watching", flush=True)
threading.Event().wait()
"""


def test_a_worker_ends_by_itself_when_its_driver_is_gone(run: Run) -> None:
    driver = run.driver
    words = [sys.executable, "-c", WORKER, str(run.path), str(driver.pid), driver.host, driver.since]
    root = Path(__file__).parents[3]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        assert process.poll() is None
        run.close()
        assert process.wait(120) == 1
