"""Servers that fail in every known way: what can be recovered is, everything else is an error with its reason, and no vote is wrong."""

import asyncio
import subprocess
import sys
import time
from collections import Counter

import pytest
from tenacity import RetryCallState

from engines.base import SamplingParams
from engines.http_failures import Failure, Trouble
from engines.http_loop import Inbox, LoopThread, Outbox
from engines.http_retries import Patience, Rules
from engines.scripted_faults import Fault, FaultPlan
from engines.scripted_server import scripted_server
from tenet.errors import EngineError
from tenet.records import Finish
from tests.engines.http_world import engine_on, labels_of, questions, truth

QUICK = {"connect_timeout": 0.5, "read_timeout": 1.0, "deadline": 20.0}
WORDS = {
    Fault.BROKEN: "HTTP 500: internal error (asked 3 times)",
    Fault.HANG: "no answer within 1.5 s (asked 3 times)",
    Fault.DRIP: "no answer within 1.5 s (asked 3 times)",
    Fault.RESET: "the connection broke",
    Fault.TRUNCATED: "the answer is no whole JSON (asked 3 times)",
    Fault.HTML: "the answer is an HTML page (asked 3 times)",
    Fault.ERROR_BODY: "the server answered with an error: the engine has stopped (asked 3 times)",
    Fault.NAN: "leaves a label's log-probability out, or gives NaN for it (asked 3 times)",
    Fault.MASKED: "the server masks a label: its log-probability is -9999",
    Fault.MISSING_LABEL: "leaves a label's log-probability out, or gives NaN for it (asked 3 times)",
    Fault.EMPTY_CHOICES: "the answer holds 0 choices for 1 prompt (asked 3 times)",
}


def meeting(engine, plan, each=2):
    """Questions that meet each kind of fault, so many times, by kind."""
    found: dict[Fault, list] = {kind: [] for kind in plan.kinds}
    for request in questions(engine.tokenizer, 3_000):
        kind = plan.fault(request.tokens)
        if kind is not None and len(found[kind]) < each:
            found[kind].append(request)
    assert all(len(requests) == each for requests in found.values())
    return found


@pytest.mark.parametrize("group", [1, 5])
def test_every_passing_fault_is_recovered(group):
    with (
        scripted_server(faults=1.0) as server,
        engine_on(server.base_url, prompts_per_request=group, **QUICK) as engine,
    ):
        found = meeting(engine, FaultPlan.of(1.0))
        masked = found.pop(Fault.MASKED)
        requests = [request for group in found.values() for request in group]
        reads = engine.read_labels(requests, labels_of(engine))
        assert [read.logprobs for read in reads] == [read.logprobs for read in truth(requests)]
        refused = engine.read_labels(masked[:1], labels_of(engine))[
            0
        ]  # a mask is the server's word: it is not asked again
        assert "masks a label" in refused.error


@pytest.mark.parametrize("group", [1, 13])
def test_every_lasting_fault_becomes_an_error_with_its_reason(group):
    kinds = list(WORDS)
    plan = FaultPlan.of(0.5, kinds, transient=False)
    with (
        scripted_server(faults=0.5, kinds=[kind.value for kind in kinds], for_good=True) as server,
        engine_on(server.base_url, prompts_per_request=group, tries=3, **QUICK) as engine,
    ):
        found = meeting(engine, plan, each=1)
        bad = {kind: requests[0] for kind, requests in found.items()}
        good = [request for request in questions(engine.tokenizer, 80) if plan.fault(request.tokens) is None]
        reads = engine.read_labels([*bad.values(), *good], labels_of(engine))
    for kind, read in zip(bad, reads, strict=False):
        assert read.logprobs == (), kind
        assert WORDS[kind] in read.error
    assert [read.logprobs for read in reads[len(bad) :]] == [read.logprobs for read in truth(good)]


def test_two_percent_malformed_cost_two_percent_and_nothing_else():
    kinds = ["truncated", "html", "nan", "missing-label", "empty-choices"]
    plan = FaultPlan.of(0.02, kinds)
    with scripted_server(faults=0.02, kinds=kinds, for_good=True) as server, engine_on(server.base_url) as engine:
        requests = questions(engine.tokenizer, 500)
        reads = engine.read_labels(requests, labels_of(engine))
        spoilt = [plan.fault(request.tokens) is not None for request in requests]
        counts = server.counts()
    assert [bool(read.error) for read in reads] == spoilt
    assert 2 <= sum(spoilt) <= 25
    expected = truth(requests)
    assert all(read.error or read.logprobs == right.logprobs for read, right in zip(reads, expected, strict=True))
    assert counts["repeated"] == 2 * sum(spoilt)  # three tries each; nothing else was asked twice


def test_no_wrong_vote_among_a_thousand_with_a_fifth_faulty():
    plan = FaultPlan.of(0.2)
    with scripted_server(faults=0.2) as server, engine_on(server.base_url, in_flight=64, **QUICK) as engine:
        requests = questions(engine.tokenizer, 1_000)
        reads = engine.read_labels(requests, labels_of(engine))
    errors = Counter(read.error for read in reads if read.error)
    masked = sum(plan.fault(request.tokens) is Fault.MASKED for request in requests)
    assert errors.total() == masked > 0
    assert all(
        read.error or read.logprobs == right.logprobs for read, right in zip(reads, truth(requests), strict=True)
    )


def test_completions_are_recovered_too():
    params = SamplingParams(max_tokens=20)
    with (
        scripted_server(faults=1.0, kinds=["500", "reset", "empty-choices", "truncated"]) as server,
        engine_on(server.base_url) as engine,
    ):
        found = engine.generate(questions(engine.tokenizer, 12), params)
    assert all(each.finish is not Finish.ERROR and each.text for each in found)


def test_a_busy_server_gets_fewer_requests_and_loses_none():
    with (
        scripted_server(latency=0.02, busy_above=6, retry_after="0.01") as server,
        engine_on(server.base_url, max_in_flight=64) as engine,
    ):
        requests = questions(engine.tokenizer, 400)
        reads = engine.read_labels(requests, labels_of(engine))
        refused = server.counts()["refused"]["429"]
    assert [read.logprobs for read in reads] == [read.logprobs for read in truth(requests)]
    assert 0 < refused < 200


def test_the_others_go_on_where_one_server_dies():
    with (
        scripted_server(latency=0.01) as one,
        scripted_server(latency=0.01) as other,
        scripted_server(latency=0.01) as third,
    ):
        servers = (one, other, third)
        with engine_on(*(server.base_url for server in servers), in_flight=12) as engine:
            requests = questions(engine.tokenizer, 600)
            reads = {}
            for place, read in engine.stream_labels(requests, labels_of(engine)):
                reads[place] = read
                if len(reads) == 100:
                    other.stop()
            shares = [server.counts()["prompts"] for server in (one, third)]
    assert [reads[place].logprobs for place in range(600)] == [read.logprobs for read in truth(requests)]
    assert min(shares) > 100


def test_a_server_that_comes_back_is_used_again():
    with scripted_server() as first:
        port = first.base_url.split(":")[2].split("/")[0]
        with engine_on(first.base_url, in_flight=4, deadline=30.0) as engine:
            requests = questions(engine.tokenizer, 300)
            reads = {}
            again = None
            for place, read in engine.stream_labels(requests, labels_of(engine)):
                reads[place] = read
                if len(reads) == 100:
                    first.stop()
                    again = subprocess.Popen(
                        [sys.executable, "-m", "engines.scripted_server", "--port", port], stdout=subprocess.PIPE
                    )
    assert again is not None
    again.kill()
    again.wait()
    again.stdout.close()
    assert [reads[place].logprobs for place in range(300)] == [read.logprobs for read in truth(requests)]


def test_when_nothing_answers_for_the_deadline_the_engine_says_so_and_what_was_answered_is_given():
    with (
        scripted_server(latency=0.01) as server,
        engine_on(server.base_url, "http://127.0.0.1:9/v1", in_flight=4, deadline=1.0) as engine,
    ):
        requests = questions(engine.tokenizer, 300)
        reads = []

        def work():
            for _, read in engine.stream_labels(requests, labels_of(engine)):
                reads.append(read)
                if len(reads) == 50:
                    server.stop()

        with pytest.raises(EngineError, match=r"no server answers(.|\n)*start one") as caught:
            work()
    assert server.base_url in str(caught.value)
    assert "http://127.0.0.1:9/v1: no server answers" in str(caught.value)  # all of them are named
    assert len(reads) >= 50
    assert not [read for read in reads if read.error]


def test_a_key_that_expires_stops_the_stream(monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "other")
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    with scripted_server(key_env="SERVER_KEY") as server, engine_on(server.base_url) as engine:
        with pytest.raises(EngineError, match="refuses the key"):
            list(engine.stream_labels(iter(questions(engine.tokenizer, 500)), labels_of(engine)))
        assert server.counts()["requests"] == 0


def test_a_server_that_asks_for_an_hour_is_not_waited_for():
    began = time.monotonic()
    with (
        scripted_server(faults=1.0, kinds=["429"], for_good=True, retry_after="3600") as server,
        engine_on(server.base_url, deadline=5.0) as engine,
    ):
        read = engine.read_labels(questions(engine.tokenizer, 1), labels_of(engine))[0]
    assert read.error == "HTTP 429: try again later"
    assert time.monotonic() - began < 3600


def rules_state(failure, rules):
    state = RetryCallState(None, None, (), {})
    state.set_exception((Failure, failure, None))
    state.upcoming_sleep = rules.pause(state)
    return state


def test_pauses_grow_with_jitter_and_heed_the_server():
    rules = Rules(Patience(tries=4, backoff=1.0), time.monotonic() + 1000)
    for most in (1.0, 2.0, 4.0):
        state = rules_state(Failure(Trouble.SERVER, "x"), rules)
        assert most / 2 <= state.upcoming_sleep <= most
        assert not rules.over(state)
    assert rules.over(rules_state(Failure(Trouble.SERVER, "x"), rules))  # the fourth was the last
    asked = rules_state(Failure(Trouble.BUSY, "x", 7.0), rules)
    assert 7.0 <= asked.upcoming_sleep <= 8.75
    assert not rules.over(asked)
    assert rules.over(rules_state(Failure(Trouble.BUSY, "x", 2000.0), rules))  # beyond the deadline
    assert rules_state(Failure(Trouble.DOWN, "x"), rules).upcoming_sleep == 0.0


def test_malformed_answers_are_tried_three_times():
    rules = Rules(Patience(tries=10, backoff=0.1), time.monotonic() + 1000)
    outcomes = [rules.over(rules_state(Failure(Trouble.MALFORMED, "x"), rules)) for _ in range(3)]
    assert outcomes == [False, False, True]


def test_boxes_between_threads_lose_nothing():
    thread = LoopThread("boxes")
    inbox: Inbox[int] = Inbox()
    outbox: Outbox[int]

    def echo():
        while (item := outbox.take()) is not None:
            inbox.put(item)

    outbox = Outbox(thread, echo)
    received = []
    for number in range(5_000):
        outbox.put(number)
        while inbox.items:
            received.append(inbox.items.popleft())
    while len(received) < 5_000:
        inbox.wait()
        while inbox.items:
            received.append(inbox.items.popleft())
    assert received == list(range(5_000))
    thread.stop()
    thread.stop()
    thread.post(lambda: None)


def test_a_loop_gives_results_and_errors_across_threads():
    thread = LoopThread("calls")

    async def fails():
        await asyncio.sleep(0)
        raise EngineError("no")

    assert thread.call(asyncio.sleep(0, 5)) == 5
    with pytest.raises(EngineError, match="no"):
        thread.call(fails())
    thread.stop()
