"""Stages at work tell how they get on to other processes: they see it while their process lives, and a watch ends with it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from io import StringIO
from pathlib import Path

import pytest

from tenet.budget import Meter, Spent
from tenet.console import Console
from tenet.live import FILES, Live, looked, read_live, told_live, write_live
from tenet.records import Finish, Sample
from tenet.runconfig import PriceConfig
from tenet.runs import Fingerprint, Row, Run
from tenet.runs.lock import Holder
from tenet.servers import ServerStats
from tenet.show_status import line, page
from tenet.standing import Looker

ROOT = Path(__file__).parents[2]
SECONDS = 120.0
WRITER = """
import sys
from io import StringIO
from pathlib import Path
from tenet.budget import Meter, Spent
from tenet.console import Console
from tenet.live import told_live
from tenet.records import Finish, Sample
from tenet.runconfig import PriceConfig
from tenet.runs import Fingerprint, Row, Run
from tenet.servers import ServerStats

with Run.open(Path("runs/r"), {"name": "r"}, Fingerprint({"m": 1}), command="tenet generate run.yaml") as run:
    stage = run.stage("samples", Sample)
    stage.plan(10)
    stage.put(0, [Row(f"k{n}", Sample(f"s{n}", "p", 0, "t", "m", Finish.STOP, 0, 100, 20), True) for n in range(4)])
    meter = Meter({"policy": PriceConfig(1.0, 2.0)})
    meter.add("samples", "policy", Spent(4, 400, 80, 100, 400))
    servers = [ServerStats("http://one/v1", 3, 9.0, 2, 8, 0.05, 0.07), ServerStats("http://two/v1", 1, 0.5, 8, 8, 1.5, 2.0)]
    console = Console(quiet=True, err=StringIO())
    with console.progress("sampling m") as progress, told_live(
        run.path, run.driver, "samples", progress=progress, meter=meter, servers=lambda: servers, every=0.05
    ):
        progress.start(10, 2, {"stop": 2})
        progress.advance(2, {"stop": 2})
        progress.in_flight(6)
        while True:  # until the file tells what was noted
            held = Path("runs/r/live-samples.json")
            if held.exists() and '"in_flight": 6' in held.read_text() and '"done": 4' in held.read_text():
                break
        print("ready", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@contextmanager
def writer() -> Iterator[subprocess.Popen[str]]:
    """A process at work on a run, until its standard input ends."""
    words = [sys.executable, "-c", WRITER]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


def status(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tenet", "status", "r", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )


def test_a_stage_at_work_in_another_process_is_shown_until_that_is_gone() -> None:
    with writer() as process:
        shown = status()
        data = json.loads(status("--json").stdout)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert list(Path("runs/r").glob(FILES))  # it is still there, and nobody's
        after = json.loads(status("--json").stdout)
    (live,) = data["live"]
    assert data["writer"]["pid"] == process.pid
    assert (live["stage"], live["title"], live["done"], live["planned"], live["in_flight"]) == (
        "samples", "sampling m", 4, 10, 6,
    )  # fmt: skip
    assert live["rate"] > 0
    assert live["eta_seconds"] > 0
    assert live["outcomes"] == {"stop": 4}
    so_far = data["so_far"]
    assert (so_far["prompt_tokens"], so_far["cached_tokens"], so_far["completion_tokens"]) == (400, 100, 80)
    assert so_far["cost"] == pytest.approx(400e-6 + 160e-6)
    assert live["slowest"] == "http://two/v1"
    assert [server["name"] for server in live["servers"]] == ["http://one/v1", "http://two/v1"]
    assert data["stages"][0]["rate"] == live["rate"]
    text = shown.stdout
    assert "sampling m: 4 of 10 (40 %)" in text
    assert "6 in flight" in text
    assert "this command so far: 400 tokens in (25 % cached), 80 out" in text
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.split()[:1] in (["one"], ["two"])}
    assert rows["one"][1:] == ["3", "9.0", "2", "of", "8", "50", "ms", "70", "ms", "0", "0"]
    assert rows["two"][1:] == ["1", "0.5", "8", "of", "8", "1.5", "s", "2.0", "s", "0", "0", "slowest"]
    assert (after["live"], after["so_far"]) == ([], None)
    assert after["writer"] is None
    assert after["stages"][0]["recorded"] == 4


def test_a_file_of_an_earlier_holder_of_the_lock_is_nobodys() -> None:
    with Run.open(Path("runs/r"), {"name": "r"}, Fingerprint({"m": 1}), command="c") as run:
        write_live(run.path, Live(run.driver, "samples", "sampling"))
        assert read_live(run.path) == (Live(run.driver, "samples", "sampling"),)
        write_live(run.path, Live(Holder(run.driver.pid, run.driver.host, "earlier"), "samples", "sampling"))
        assert read_live(run.path) == ()
        write_live(run.path, Live(run.driver, "judgements", "judging"))
        assert [live.stage for live in read_live(run.path)] == ["judgements"]
        for other in ('{"torn": ', "[]", json.dumps({"writer": asdict(run.driver), "stage": "judgements"})):
            Path("runs/r/live-judgements.json").write_text(other)
            assert read_live(run.path) == ()


def test_each_stage_at_work_is_told_in_the_order_of_the_steps() -> None:
    meter = Meter({"policy": PriceConfig(1.0, 2.0), "judge": PriceConfig(1.0, 2.0)})
    meter.add("samples", "policy", Spent(4, 400, 80, 100, 400))
    meter.add("judgements", "judge", Spent(6, 600, 20))
    console = Console(quiet=True, err=StringIO())
    drawn, judged = (
        [ServerStats(f"http://{name}{n}/v1", 3, 9.0, 2, 8, 0.1 * n, 0.9) for n in (1, 2)] for name in ("draw", "judge")
    )
    with Run.open(Path("runs/r"), {"name": "r"}, Fingerprint({"m": 1}), command="c") as run:
        for name in ("samples", "judgements"):
            run.stage(name, Sample).put(0, [Row(name, Sample(name, "p", 0, "t", "m", Finish.STOP), True)])
        two, one = console.progress("judging"), console.progress("sampling")
        told = partial(told_live, run.path, run.driver, meter=meter, every=0.02)
        with told("judgements", place=2, progress=two, servers=lambda: judged, finished=lambda: {"prompts": (5, 1.0)}):
            with told("samples", place=1, progress=one, servers=lambda: drawn):
                one.start(10, 4)
                two.expect(6, 1)
                wait_for(lambda: [live.planned for live in read_live(run.path)] == [10, 6])
                standing = Looker(run.path).look()
            alone = read_live(run.path)
            two.expect(6, last=True)
            two.advance(2)
            wait_for(lambda: [(live.planned, live.growing) for live in read_live(run.path)] == [(12, False)])
            later = json.loads(json.dumps(Looker(run.path).look().as_json()))
    both, shown, log = json.loads(json.dumps(standing.as_json())), page(standing), line(standing)
    assert [(live["stage"], live["done"], live["planned"], live["growing"]) for live in both["live"]] == [
        ("samples", 4, 10, False),
        ("judgements", 1, 6, True),
    ]
    assert both["live"][1]["eta_seconds"] is None
    assert not {"writer", "spent", "cost", "finished"} & {key for live in both["live"] for key in live}
    assert both["so_far"]["prompt_tokens"] == 1000
    assert both["so_far"]["cost"] == pytest.approx(1200e-6)
    assert shown.count("this command so far: 1,000 tokens in") == 1
    heads = ["sampling: 4 of 10 (40 %)", "judging: 1 of 6 so far", "this command so far", "sampling, its servers:"]
    places = [shown.index(words) for words in [*heads, "draw1", "draw2", "judging, its servers:", "judge1", "judge2"]]
    assert places == sorted(places)
    assert shown.count("slowest") == 2
    assert "slowest server draw2, 200 ms | judging: 1 of 6 so far" in log
    assert log.count("0.0012") == 1
    assert [live.stage for live in alone] == ["judgements"]
    (judging,) = later["live"]
    assert judging["stage"] == "judgements"
    assert judging["eta_seconds"] > 0


def test_the_file_goes_with_the_stage_however_that_ends() -> None:
    with Run.open(Path("runs/r"), {"name": "r"}, Fingerprint({"m": 1}), command="c") as run:
        progress = Console(quiet=True, err=StringIO()).progress("x")
        with pytest.raises(ZeroDivisionError), told_live(run.path, run.driver, "s", progress=progress, meter=Meter()):
            raise ZeroDivisionError
        assert sorted(path.name for path in run.path.glob("*live*")) == []


def test_a_look_before_and_after_it_is_known_what_is_owed() -> None:
    clock = [100.0]
    progress = Console(quiet=True, err=StringIO(), clock=lambda: clock[0]).progress("x")
    begun, finished = Live(Holder(1, "h", "t"), "s", "x"), {"samples": (10, 2.0)}
    assert looked(begun, progress, Meter(), (), {}).planned is None
    progress.start(100, 40)
    clock[0] += 10
    progress.advance(20)
    meter = Meter({"policy": None, "judge": PriceConfig(2.0, 8.0, 0.5)})
    meter.add("judgements", "judge", Spent(20, 1000, 20, 600, 1000))
    live = looked(begun, progress, meter, [ServerStats("a")], finished)
    assert (live.done, live.planned, live.rate, live.eta_seconds) == (60, 100, 2.0, 20.0)
    assert live.cost == pytest.approx((400 * 2.0 + 600 * 0.5 + 20 * 8.0) / 1e6)
    assert live.finished == finished
    assert looked(begun, progress, Meter({"policy": None}), (), {}).cost is None
    progress.expect(20)
    live = looked(begun, progress, meter, (), {})
    assert (live.planned, live.growing, live.rate, live.eta_seconds) == (120, True, 2.0, None)
    assert " left" not in progress.line()
    progress.expect(20, last=True)
    live = looked(begun, progress, meter, (), {})
    assert (live.planned, live.growing, live.eta_seconds) == (140, False, 40.0)
    assert "60 of 140 (43 %)" in progress.line()


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_watch_ends_with_the_process_at_work(more: list[str]) -> None:
    words = [sys.executable, "-m", "tenet", "status", "r", "--watch", "--every", "0.2", *more]
    with writer() as process:
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            first = watch.stdout.readline()
            assert process.stdin is not None
            process.stdin.close()
            out, err = watch.communicate(timeout=SECONDS)
        assert watch.returncode == 0
    if more:
        looks = [json.loads(first), *map(json.loads, out.splitlines())]
        assert looks[0]["live"][0]["done"] == 4
        assert looks[-1]["writer"] is None
        assert looks[-1]["live"] == []
        return
    assert "sampling m: 4 of 10 (40 %)" in first
    assert "slowest server two, 1.5 s" in first
    assert [line.split()[:4] for line in out.splitlines() if line.strip().startswith("samples")] == [
        ["samples", "4", "0", "6"]
    ]
    assert "Go on with: tenet generate run.yaml" in err


def test_a_watch_of_a_run_at_rest_shows_it_once() -> None:
    Run.open(Path("runs/r"), {"name": "r"}, Fingerprint({"m": 1}), command="c").close()
    assert status("--watch").stdout.count("nothing recorded yet") == 1
    assert len(status("--watch", "--json").stdout.splitlines()) == 1


def test_on_a_terminal_the_page_is_drawn_over_and_ctrl_c_leaves_the_run_alone() -> None:
    with writer() as process:
        leader, follower = pty.openpty()
        words = [sys.executable, "-m", "tenet", "status", "r", "--watch", "--every", "0.2"]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "140", "LINES": "40"}
        with subprocess.Popen(words, stdout=follower, stderr=subprocess.PIPE, env=environment) as watch:
            os.close(follower)
            seen = b""
            until = time.monotonic() + SECONDS
            while seen.count(b"sampling m:") < 2:
                assert time.monotonic() < until
                seen += os.read(leader, 65536)
            watch.send_signal(signal.SIGINT)
            assert watch.wait(SECONDS) == 0
        os.close(leader)
        assert b"\x1b[2K" in seen
        assert b"slowest" in seen
        assert process.poll() is None
        assert len(Looker(Path("runs/r")).look().live) == 1
