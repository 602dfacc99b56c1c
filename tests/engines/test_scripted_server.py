"""The scripted server speaks the OpenAI interface, and its faults come as ordered."""

import json
import math
import socket
import urllib.error
import urllib.request
from http.client import HTTPException

import pytest

from engines.bytelevel import ByteTokenizer
from engines.prompting import ChatTokenizer
from engines.registry import create_engine
from engines.scripted_faults import Fault, FaultPlan
from engines.scripted_server import scripted_server
from tenet.errors import EngineError, UsageError
from tests.engines.http_world import questions, truth

TOKENIZER = ChatTokenizer(ByteTokenizer())


@pytest.fixture(scope="module")
def server():
    with scripted_server() as running:
        yield running


def ask(base, path, body=None, headers=()):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json", **dict(headers)})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def labels(tokens, **more):
    return {"model": "scripted", "prompt": tokens, "max_tokens": 1, "temperature": 0, "logprobs": 1, "logprob_token_ids": [65, 66],
            "return_tokens_as_token_ids": True, **more}  # fmt: skip


def test_it_says_who_it_is(server):
    assert ask(server.base_url, "/models")[1]["data"][0]["id"] == "scripted"
    assert ask(server.base_url.removesuffix("/v1"), "/version")[0] == 200
    assert ask(server.base_url.removesuffix("/v1"), "/health")[0] == 200
    assert ask(server.base_url, "/nothing")[0] == 404


def test_labels_of_several_prompts_are_the_rules(server):
    requests = questions(TOKENIZER, 5)
    status, found = ask(server.base_url, "/completions", labels([list(each.tokens) for each in requests]))
    assert status == 200
    for choice, read in zip(found["choices"], truth(requests), strict=True):
        top = choice["logprobs"]["top_logprobs"][0]
        assert (top["token_id:65"], top["token_id:66"]) == read.logprobs
    assert found["usage"]["prompt_tokens"] == sum(len(each.tokens) for each in requests)


def test_a_chat_gives_the_same_with_its_most_probable_tokens(server):
    (request,) = questions(TOKENIZER, 1)
    content = TOKENIZER.decode(request.tokens).removeprefix("user\n").removesuffix("\nassistant\n")
    body = {"model": "scripted", "messages": [{"role": "user", "content": content}], "max_tokens": 1, "logprobs": True,
            "top_logprobs": 5}  # fmt: skip
    entries = ask(server.base_url, "/chat/completions", body)[1]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    values = {entry["token"]: entry["logprob"] for entry in entries}
    assert len(entries) == 5
    assert (values["A"], values["B"]) == truth([request])[0].logprobs


def test_it_refuses_what_a_server_refuses(server):
    tokens = list(questions(TOKENIZER, 1)[0].tokens)
    assert ask(server.base_url, "/completions", labels(tokens, model="other"))[0] == 404
    assert ask(server.base_url, "/completions", labels([1] * 70_000))[0] == 400
    assert ask(server.base_url, "/completions", labels([]))[0] == 400
    assert ask(server.base_url, "/completions", labels(None))[0] == 400


def test_it_counts_what_was_asked_twice():
    with scripted_server() as running:
        for request in questions(TOKENIZER, 3) * 2:
            ask(running.base_url, "/completions", labels(list(request.tokens)))
        counts = running.counts()
    assert (counts["requests"], counts["prompts"], counts["repeated"], len(counts["keys"])) == (6, 6, 3, 3)


def test_a_key_is_demanded_where_one_is_set(monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "open-sesame")
    with scripted_server(key_env="SCRIPTED_KEY") as running:
        assert ask(running.base_url, "/models")[0] == 401
        assert ask(running.base_url, "/models", headers={"Authorization": "Bearer wrong"}.items())[0] == 401
        assert ask(running.base_url, "/models", headers={"Authorization": "Bearer open-sesame"}.items())[0] == 200


def test_faults_follow_from_the_prompt():
    plan = FaultPlan.of(0.25)
    found = [plan.fault(request.tokens) for request in questions(TOKENIZER, 2_000)]
    assert found == [plan.fault(request.tokens) for request in questions(TOKENIZER, 2_000)]
    assert set(found) == {None, *Fault}
    assert 0.22 < sum(fault is not None for fault in found) / len(found) < 0.28
    assert FaultPlan().fault((1, 2)) is None
    with pytest.raises(UsageError, match="no fault 418"):
        FaultPlan.of(0.1, ["418"])


@pytest.fixture(scope="module")
def broken():
    with scripted_server(faults=1.0, for_good=True) as running:
        yield running


def prompt_that_meets(kind):
    plan = FaultPlan.of(1.0)
    return list(next(each.tokens for each in questions(TOKENIZER, 500) if plan.fault(each.tokens) is kind))


@pytest.mark.parametrize("kind", [Fault.BUSY, Fault.BROKEN, Fault.OVERLOADED])
def test_a_status_is_the_one_that_was_ordered(broken, kind):
    assert ask(broken.base_url, "/completions", labels(prompt_that_meets(kind)))[0] == int(kind)


@pytest.mark.parametrize("kind", [Fault.HANG, Fault.DRIP])
def test_some_answers_do_not_come(broken, kind):
    host, port = broken.base_url.removeprefix("http://").removesuffix("/v1").split(":")
    body = json.dumps(labels(prompt_that_meets(kind))).encode()
    with socket.create_connection((host, int(port)), timeout=0.5) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        received = b""
        if kind is Fault.HANG:
            with pytest.raises(TimeoutError):
                connection.recv(1)
        else:
            while b"\r\n\r\n{" not in received:
                received += connection.recv(1 << 16)
        head, _, part = received.partition(b"\r\n\r\n")
        assert (b"Content-Length" in head) == (kind is Fault.DRIP)
        assert len(part) < 20


@pytest.mark.parametrize("kind", [Fault.RESET, Fault.TRUNCATED, Fault.HTML])
def test_some_answers_are_none(broken, kind):
    with pytest.raises((OSError, HTTPException, ValueError)):
        ask(broken.base_url, "/completions", labels(prompt_that_meets(kind)))


def test_some_answers_are_spoilt(broken):
    def answer(kind):
        status, found = ask(broken.base_url, "/completions", labels(prompt_that_meets(kind)))
        assert status == 200
        return found

    def values(kind):
        return list(answer(kind)["choices"][0]["logprobs"]["top_logprobs"][0].values())

    assert "error" in answer(Fault.ERROR_BODY)
    assert answer(Fault.EMPTY_CHOICES)["choices"] == []
    assert any(map(math.isnan, values(Fault.NAN)))
    assert -9999.0 in values(Fault.MASKED)
    assert len(values(Fault.MISSING_LABEL)) == 1


def test_a_transient_fault_comes_once():
    tokens = list(questions(TOKENIZER, 1)[0].tokens)
    with scripted_server(faults=1.0, kinds=["500"]) as running:
        assert [ask(running.base_url, "/completions", labels(tokens))[0] for _ in range(3)] == [500, 200, 200]


def test_a_server_that_cannot_start_says_so():
    with pytest.raises(EngineError, match="did not start"), scripted_server(rule="nonsense"):
        pass


def test_engine_and_server_log_a_question_alike_and_it_outlives_a_kill(tmp_path):
    log = tmp_path / "asked.log"
    one, other = questions(TOKENIZER, 2)
    engine = create_engine("scripted", "longer", options={"log": str(log)})
    engine.read_labels([one, other], [(65,), (66,)])
    with scripted_server(log=str(log)) as running:
        ask(running.base_url, "/completions", labels(list(one.tokens)))
        running.process.kill()
    first, second, third = log.read_text().splitlines()
    assert first == third != second
