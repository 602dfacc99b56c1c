"""What is noted of servers: rates and latencies on a simulated clock, and real streams over servers, slow, dead and faulty ones."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engines.http_log import LATEST, ServerLog
from engines.recorded import RecordingEngine
from engines.scripted import ScriptedEngine
from engines.scripted_server import scripted_server
from tenet.servers import ServerStats, slowest
from tests.engines.http_world import engine_on, labels_of, questions

NOBODY = "http://127.0.0.1:9/v1"  # the discard port: nothing listens there


def stats(log: ServerLog, now: float) -> ServerStats:
    return log.stats("s", now, window=8, resting=False)


def test_rate_and_latencies_are_those_of_the_last_minute() -> None:
    log = ServerLog()
    for second in range(1000, 1200):
        for _ in range(10):
            log.started(second, again=False)
            log.answered(second, second + 0.4)
    found = stats(log, 1199.5)
    assert found.answered == 2000
    assert found.rate == pytest.approx(10.0, rel=0.02)
    assert found.p50 == found.p95 == pytest.approx(0.4)
    later = stats(log, 1300.0)
    assert (later.answered, later.rate, later.p50) == (2000, 0.0, None)


def test_the_rate_begins_with_the_first_request_and_again_after_a_minute_of_rest() -> None:
    log = ServerLog()
    for began in (5000.0, 9000.0):
        log.started(began, again=False)
        log.answered(began, began + 2.0)
        assert stats(log, began + 4.0).rate == pytest.approx(0.25)


def test_quantiles_are_of_the_latest_answers_and_memory_is_bounded() -> None:
    log = ServerLog()
    for number in range(3 * LATEST):
        log.started(100.0, again=False)
        log.answered(100.0, 100.0 + (9.0 if number < LATEST else 0.001 * (1 + number % 100)))
    found = stats(log, 110.0)
    assert found.answered == 3 * LATEST
    assert found.p50 == pytest.approx(0.050, abs=0.003)
    assert found.p95 == pytest.approx(0.095, abs=0.003)
    assert len(log._latest) == LATEST


def test_every_end_of_an_attempt_is_counted_once() -> None:
    log = ServerLog()
    for again in (False, True, True):
        log.started(1.0, again=again)
    assert stats(log, 1.0).in_flight == 3
    log.answered(1.0, 2.0)
    log.failed()
    log.cancelled()
    found = stats(log, 3.0)
    assert (found.in_flight, found.answered, found.errors, found.retries) == (0, 1, 1, 2)


def test_the_slowest_is_the_one_with_the_largest_median_among_those_that_answer() -> None:
    quick, slow, silent = ServerStats("quick", p50=0.1), ServerStats("slow", p50=0.3), ServerStats("silent")
    assert slowest([quick, slow, silent]) is slow
    assert slowest([quick, silent]) is None
    assert slowest([]) is None


def test_of_two_servers_the_slow_one_is_named() -> None:
    with (
        scripted_server() as quick,
        scripted_server(latency=0.25) as slow,
        engine_on(quick.base_url, slow.base_url) as engine,
    ):
        assert engine.stats() == ()  # nothing is asked of anybody for it
        requests = questions(engine.tokenizer, 200)
        stream = engine.stream_labels(iter(requests), labels_of(engine))
        for _ in range(150):
            next(stream)
        amid = engine.stats()
        assert all(server.window > 0 for server in amid)
        assert len(list(stream)) == 50
        found = engine.stats()
    assert [server.name for server in found] == [quick.base_url, slow.base_url]
    assert sum(server.answered for server in found) == 200
    assert {(server.in_flight, server.window, server.errors, server.retries) for server in found} == {(0, 0, 0, 0)}
    behind = slowest(found)
    assert behind is not None
    assert behind.name == slow.base_url
    assert behind.p50 is not None
    assert behind.p50 >= 0.25
    assert found[0].answered > found[1].answered
    assert found[0].rate > found[1].rate > 0
    assert engine.stats() == ()  # closed


def test_faults_are_errors_and_what_is_asked_again_are_retries() -> None:
    with scripted_server(faults=0.3, kinds=["503", "500"]) as server, engine_on(server.base_url) as engine:
        requests = questions(engine.tokenizer, 80)
        reads = engine.read_labels(requests, labels_of(engine))
        (found,) = engine.stats()
        asked = server.counts()
    assert not any(read.error for read in reads)
    assert found.errors == found.retries == asked["repeated"] > 0
    assert found.answered == 80


def test_a_part_of_a_group_that_is_asked_alone_counts_as_a_retry() -> None:
    with (
        scripted_server(faults=0.1, kinds=["nan"]) as server,
        engine_on(server.base_url, prompts_per_request=20) as engine,
    ):
        reads = engine.read_labels(questions(engine.tokenizer, 100), labels_of(engine))
        (found,) = engine.stats()
    assert not any(read.error for read in reads)
    assert 0 < found.errors <= 5
    assert found.retries >= found.errors
    assert found.answered == 5 + found.retries - found.errors


def test_a_server_that_takes_no_connection_rests() -> None:
    with scripted_server() as server, engine_on(server.base_url, NOBODY) as engine:
        engine.read_labels(questions(engine.tokenizer, 60), labels_of(engine))
        there, gone = engine.stats()
    assert (there.answered, there.resting) == (60, False)
    assert gone.answered == 0
    assert gone.errors > 0
    assert gone.p50 is None


def test_stats_can_be_read_from_another_thread_while_answers_come() -> None:
    over, seen, failures = threading.Event(), [0], []

    def look() -> None:
        try:
            while not over.is_set():
                seen[0] = max([seen[0], *(server.answered for server in engine.stats())])
        except Exception as error:
            failures.append(error)

    with scripted_server() as server, engine_on(server.base_url) as engine:
        thread = threading.Thread(target=look)
        thread.start()
        engine.read_labels(questions(engine.tokenizer, 500), labels_of(engine))
        over.set()
        thread.join()
    assert not failures
    assert 0 < seen[0] <= 500


def test_engines_in_this_process_have_no_servers_and_a_recording_tells_those_of_its_engine(tmp_path: Path) -> None:
    with ScriptedEngine("hash") as engine:
        assert engine.stats() == ()
    with scripted_server() as server, RecordingEngine(engine_on(server.base_url), tmp_path / "r") as engine:
        engine.read_labels(questions(engine.tokenizer, 3), labels_of(engine))
        assert [one.answered for one in engine.stats()] == [3]
