"""The HTTP engine on scripted servers: the same answers as in this process, over every interface, and one clear error where it cannot."""

import gc
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engines.base import Request, SamplingParams
from engines.http import HttpEngine
from engines.http_affinity import LOOKAHEAD
from engines.http_check import clean_bases
from engines.registry import create_engine
from engines.scripted import ScriptedEngine
from engines.scripted_server import scripted_server
from tenet.errors import EngineError, JudgeUnfit, MissingInput, UsageError
from tenet.records import Finish
from tests.engines.http_world import SHORT, engine_on, labels_of, lead, mass, questions, truth

NOBODY = "http://127.0.0.1:9/v1"  # the discard port: nothing listens there
KEY = "sk-planted-0123456789"


@pytest.fixture(scope="module")
def server():
    with scripted_server(max_length=4096) as running:
        yield running


@pytest.fixture(scope="module")
def plain():
    with scripted_server(plain=True) as running:
        yield running


@pytest.fixture(scope="module")
def wordless():
    with scripted_server(no_logprobs=True) as running:
        yield running


@pytest.fixture
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize("group", [1, 7, 50])
def test_label_reads_are_those_of_the_model_itself(server, group):
    with engine_on(server.base_url, prompts_per_request=group) as engine:
        requests = questions(engine.tokenizer, 120)
        found = engine.read_labels(requests, labels_of(engine))
    assert [read.logprobs for read in found] == [read.logprobs for read in truth(requests)]
    assert all(read.usage.prompt_tokens == len(each.tokens) for read, each in zip(found, requests, strict=True))


def test_completions_are_those_of_the_model_itself(server):
    with engine_on(server.base_url) as engine, ScriptedEngine("hash") as inside:
        requests = questions(engine.tokenizer, 20)
        found, expected = engine.generate(requests, SHORT), inside.generate(requests, SHORT)
    assert found == expected


@pytest.mark.parametrize("options", [{"api": "completions", "tokenizer": "bytes"}, {"api": "chat"}])
@pytest.mark.parametrize("host", ["server", "plain"])
def test_other_interfaces_read_the_same_labels(options, host, request):
    base = request.getfixturevalue(host).base_url
    with HttpEngine("scripted", base_url=[base], options=options) as engine:
        engine.check()
        requests = questions(engine.tokenizer, 30)
        found = engine.read_labels(requests, labels_of(engine))
        written = engine.generate(requests[:3], SHORT)
    for read, expected in zip(found, truth(requests), strict=True):
        # a label beyond the listed tokens gets a bound: the lead may be smaller, never turned
        assert read.logprobs[0] == pytest.approx(expected.logprobs[0], abs=1e-9) or mass(read) >= mass(expected)
        assert lead(read) == pytest.approx(lead(expected), abs=1e-9) or 0 <= lead(read) / lead(expected) < 1
    with ScriptedEngine("hash") as inside:
        assert [each.text for each in written] == [each.text for each in inside.generate(requests[:3], SHORT)]


def test_the_interface_is_found_out(server, plain):
    for running, options, api in (
        (server, {"tokenizer": "bytes"}, "vllm"),
        (plain, {"tokenizer": "bytes"}, "completions"),
        (plain, {}, "chat"),
    ):
        with HttpEngine("scripted", base_url=[running.base_url], options=options) as engine:
            assert engine.info.parameters["api"] == api


def test_nothing_is_asked_before_it_is_needed():
    with engine_on(NOBODY) as engine:
        assert engine.max_length > 1000
        assert engine.info.engine == "http"
        assert engine.capabilities.label_logprobs
        assert not [thread for thread in threading.enumerate() if thread.name == "tenet-http"]
    with HttpEngine("m", base_url=[NOBODY]) as engine, pytest.raises(EngineError, match="no server answers"):
        _ = engine.info  # auto has to ask


def test_the_fingerprint_holds_what_changes_results_only(server):
    with (
        engine_on(server.base_url) as one,
        engine_on(NOBODY, server.base_url, in_flight=3, deadline=9.0, prompts_per_request=9) as other,
        engine_on(server.base_url, verdicts="text") as text,
    ):
        assert one.info.as_json() == other.info.as_json()
        assert one.info.as_json() != text.info.as_json()
        assert one.info.parameters == {"api": "vllm", "protection": "ids"}


def test_prompts_are_taken_only_as_there_is_room(server):
    taken = 0

    def endless(tokenizer):
        nonlocal taken
        for request in questions(tokenizer, 100_000):
            taken += 1
            yield request

    with engine_on(server.base_url, in_flight=5) as engine:
        stream = engine.stream_labels(endless(engine.tokenizer), labels_of(engine))
        for number, (place, read) in zip(range(40), stream, strict=False):
            assert not read.error
            assert taken <= number + 1 + 2 * 5 + LOOKAHEAD + 5
            assert place < taken
        stream.close()
        after = taken
    assert taken == after <= 60 + LOOKAHEAD


def test_closing_a_stream_cancels_what_is_in_flight():
    with scripted_server(latency=30.0) as slow, engine_on(slow.base_url, in_flight=4) as engine:
        requests = iter(questions(engine.tokenizer, LOOKAHEAD + 50))
        short = questions(engine.tokenizer, 1, start=900)[0]
        too_long = Request((1,) * 70_000)

        def source():
            yield too_long  # answered at once, here
            yield from requests

        stream = engine.stream_labels(source(), labels_of(engine))
        assert "70,000 tokens" in next(stream)[1].error or engine.max_length > 70_000
        stream.close()
        assert next(requests, short) is not short  # the rest was never taken


def test_a_prompt_that_cannot_fit_is_an_error_of_its_own(server):
    with engine_on(server.base_url, max_length=200, prompts_per_request=10) as engine:
        good = questions(engine.tokenizer, 12)
        requests = [*good[:6], Request((5,) * 300), Request(()), *good[6:]]
        found = engine.read_labels(requests, labels_of(engine))
    assert "300 tokens" in found[6].error
    assert found[7].error == "the prompt is empty"
    assert [read.logprobs for read in (*found[:6], *found[8:])] == [read.logprobs for read in truth(good)]


def test_a_bad_prompt_spoils_no_other_of_its_request(server):
    with engine_on(server.base_url, prompts_per_request=50) as engine:
        good = questions(engine.tokenizer, 99)
        requests = [*good[:20], Request((5,) * 5000), *good[20:]]  # 4,096 is the server's limit, which nobody told us
        found = engine.read_labels(requests, labels_of(engine))
    assert found[20].logprobs == ()
    assert "HTTP 400: This model's maximum context length is 4096 tokens" in found[20].error
    rest = [read.logprobs for place, read in enumerate(found) if place != 20]
    assert rest == [read.logprobs for read in truth(good)]


def test_the_servers_context_length_becomes_known(server):
    with engine_on(server.base_url) as engine:
        engine.check()
        assert engine.max_length == 4096


def test_text_verdicts_are_marked(wordless):
    with HttpEngine("scripted", base_url=[wordless.base_url], options={"api": "chat", "verdicts": "text"}) as engine:
        engine.check()
        requests = questions(engine.tokenizer, 10)
        found = engine.read_labels(requests, labels_of(engine))
        assert engine.info.parameters["verdicts"] == "text"
    assert {read.kind for read in found} == {"text"}
    assert [lead(read) > 0 for read in found] == [lead(read) >= 0 for read in truth(requests)]


def test_no_log_probabilities_is_one_clear_error(wordless, plain):
    for options in ({"api": "chat"}, {"api": "vllm", "tokenizer": "bytes"}, {"tokenizer": "bytes"}):
        with HttpEngine("scripted", base_url=[wordless.base_url], options=options) as engine:
            with pytest.raises(JudgeUnfit, match=r"holds no log-probabilities(.|\n)*options.verdicts: text"):
                engine.check()
            found = engine.read_labels(questions(engine.tokenizer, 2), labels_of(engine))
            assert all(read.logprobs == () and "no log-probabilities" in read.error for read in found)
    with engine_on(plain.base_url) as engine, pytest.raises(JudgeUnfit, match="leaves a label"):
        engine.check()  # told to be vLLM, and is not


def test_a_policy_needs_no_log_probabilities(wordless):
    with HttpEngine("scripted", base_url=[wordless.base_url], options={"api": "chat", "verdicts": "none"}) as engine:
        engine.check()
        assert not engine.capabilities.label_logprobs
        assert engine.generate(questions(engine.tokenizer, 2), SHORT)[0].finish is not Finish.ERROR
        with pytest.raises(EngineError, match="told to read no labels"):
            engine.read_labels([], [(1,), (2,)])


def test_a_server_that_is_down_is_one_clear_error(server):
    with engine_on(NOBODY, server.base_url) as engine, pytest.raises(EngineError) as caught:
        engine.check()
    assert f"{NOBODY}: no server answers" in str(caught.value)
    assert "python -m vllm.entrypoints.openai.api_server --model scripted --host 127.0.0.1 --port 9" in str(
        caught.value
    )


def test_an_unknown_model_names_those_that_are_served(server):
    with engine_on(server.base_url, model="other") as engine:
        with pytest.raises(EngineError, match="does not serve other\n  set model to what it serves: scripted"):
            engine.check()
        with pytest.raises(EngineError, match="does not serve other: HTTP 404: The model `other` does not exist"):
            engine.read_labels(questions(engine.tokenizer, 3), labels_of(engine))


def test_a_redirection_is_not_followed_and_no_key_goes_with_it(monkeypatch):
    asked = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        with engine_on(f"http://127.0.0.1:{running.server_port}/v1") as engine, pytest.raises(EngineError) as caught:
            engine.check()
        running.shutdown()
    assert "a redirection, which is not followed" in str(caught.value)
    assert {path for path, _ in asked} == {"/v1/models"}
    assert KEY not in str(caught.value)


def test_an_address_without_v1_is_told_so(server):
    with (
        engine_on(server.base_url.removesuffix("/v1")) as engine,
        pytest.raises(EngineError, match=r"try base_url: http.*/v1"),
    ):
        engine.check()


def test_keys_come_from_the_environment_and_appear_nowhere(monkeypatch, capfd, caplog):
    monkeypatch.setenv("SERVER_KEY", "right-one")
    with scripted_server(key_env="SERVER_KEY") as guarded:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        with engine_on(guarded.base_url) as engine, pytest.raises(EngineError, match="export OPENAI_API_KEY="):
            engine.check()
        monkeypatch.setenv("MY_KEY", KEY)
        with engine_on(guarded.base_url, api_key_env="MY_KEY") as engine:
            told = [repr(engine.info), repr(vars(engine))]
            for work in (engine.check, lambda: engine.read_labels(questions(engine.tokenizer, 2), labels_of(engine))):
                with pytest.raises(EngineError, match="the key in the environment variable MY_KEY") as caught:
                    work()
                assert "Incorrect API key provided: [key]" in str(caught.value)  # the server repeats it; we do not
                error: BaseException | None = caught.value
                while error is not None:
                    told.append(repr(error) + str(error))
                    error = error.__cause__ or error.__context__
        with engine_on(guarded.base_url, api_key_env="SERVER_KEY") as engine:
            engine.check()
        with engine_on(NOBODY, api_key_env="MY_KEY") as engine, pytest.raises(EngineError) as caught:
            engine.check()
    told += [str(caught.value), *capfd.readouterr(), caplog.text]
    assert not [text for text in told if KEY in text]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"api_key": KEY}, "a key does not belong in a configuration"),
        ({"headers": {"Authorization": KEY}}, "a key does not belong in a configuration"),
        ({"api_key_env": KEY}, "api_key_env is no name"),
        ({"api_key_env": 5}, "api_key_env is no name"),
        ({"api": "grpc"}, "api: 'grpc' is none of auto, vllm, completions, chat"),
        ({"verdicts": "guess"}, "verdicts: 'guess' is none of"),
        ({"in_flight": 0}, "in_flight: must be more than 0"),
        ({"deadline": -1.0}, "deadline: must be more than 0"),
        ({"timeout": 3}, "timeout: unknown"),
        ({"tries": 2.5}, "tries: 2.5 is no int"),
    ],
)
def test_options_are_checked(options, says):
    with pytest.raises(UsageError, match=says) as caught:
        HttpEngine("m", base_url=[NOBODY], options=options)
    assert KEY not in str(caught.value)


def test_addresses_are_checked():
    assert clean_bases(["http://h:1/v1/", "http://h:1/v1", "https://x.org/v1"]) == ("http://h:1/v1", "https://x.org/v1")
    for wrong in ("h:8000", "ftp://h/v1", "http://", "http://h:99999/", "file:///x"):
        with pytest.raises(UsageError, match="base_url"):
            clean_bases([wrong])
    for secret in (f"http://user:{KEY}@h/v1", f"http://h/v1?key={KEY}"):
        with pytest.raises(UsageError, match="environment only") as caught:
            clean_bases([secret])
        assert KEY not in str(caught.value)
    with pytest.raises(UsageError, match="needs an address"):
        HttpEngine("m")


def test_the_registry_hands_addresses_on_to_those_that_take_them(server):
    with create_engine("http", "scripted", base_url=(server.base_url,), options={"api": "chat"}) as engine:
        engine.check()
    with pytest.raises(UsageError, match="takes no address"):
        create_engine("scripted", "hash", base_url=(NOBODY,))


def test_a_chat_server_takes_no_prefill_and_a_token_server_needs_a_tokenizer():
    with pytest.raises(UsageError, match="prefill"):
        HttpEngine("m", base_url=[NOBODY], prefill="Answer: ", options={"api": "chat"})
    with pytest.raises(MissingInput, match=r"options\.tokenizer"):
        HttpEngine("no-such-model", base_url=[NOBODY], options={"api": "vllm"})


def test_a_closed_engine_says_so_and_leaves_no_thread(server):
    engine = engine_on(server.base_url)
    assert math.isclose(mass(engine.read_labels(questions(engine.tokenizer, 1), labels_of(engine))[0]), 0.98)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.generate(questions(engine.tokenizer, 1), SamplingParams())
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name == "tenet-http"]


def test_an_interruption_gets_through_at_once():
    import os
    import signal

    with scripted_server(latency=60.0) as slow, engine_on(slow.base_url) as engine:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            engine.read_labels(questions(engine.tokenizer, 3), labels_of(engine))
