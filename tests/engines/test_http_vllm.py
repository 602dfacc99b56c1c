"""The HTTP engine on vLLM's own OpenAI server reads what the same model says in this process."""

import importlib.util
import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from engines.base import Request, SamplingParams
from engines.prompting import trusted, untrusted
from engines.registry import create_engine
from tenet.records import Finish

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

JUDGE = Path(__file__).parents[2] / "pocket" / "models" / "judge"
START_SECONDS = 400


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (make setup-vllm)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "log"
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(JUDGE), "--served-model-name", "judge",
               "--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager", "--max-model-len", "2048",
               "--enable-prompt-tokens-details"]  # fmt: skip
    env = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)
    try:
        for _ in range(START_SECONDS):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, log.read_text()[-2000:]
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def asked(tokenizer, count):
    return [
        Request(
            tokenizer.chat(
                [("user", [trusted("Which is better, A or B?\n"), untrusted(f"A: {n} cats\nB: {n * 7} dogs, please")])]
            ),
            n,
        )
        for n in range(count)
    ]


def test_labels_and_texts_are_those_of_the_model_in_this_process(server):
    http = create_engine(
        "http", "judge", base_url=[server], options={"tokenizer": str(JUDGE), "prompts_per_request": 20}
    )
    with http, create_engine("transformers", str(JUDGE), options={"device": "cpu", "dtype": "float32"}) as inside:
        http.check()
        assert http.info.parameters == {"api": "vllm", "protection": "ids"}
        assert http.info.tokenizer_hash == inside.info.tokenizer_hash
        assert http.max_length == 2048
        requests = asked(inside.tokenizer, 60)
        assert requests == asked(http.tokenizer, 60)
        labels = inside.tokenizer.label_set(("A", "B"))
        expected = inside.read_labels(requests, labels)
        found = http.read_labels(requests, labels)
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.error == ""
            assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)
        too_long = Request((5,) * 3000)
        assert "3,000 tokens" in http.read_labels([too_long], labels)[0].error

        greedy = SamplingParams(max_tokens=12, temperature=0.0)
        mine, other = http.generate(requests[:8], greedy), inside.generate(requests[:8], greedy)
        assert sum(a.text == b.text for a, b in zip(mine, other, strict=True)) >= 7
        drawn = SamplingParams(max_tokens=12, temperature=1.0)
        assert [a.text for a in http.generate(requests[:4], drawn)] == [
            a.text for a in http.generate(requests[:4], drawn)
        ]

    with create_engine(
        "http", "judge", base_url=[server], options={"tokenizer": str(JUDGE), "prompts_per_request": 1}
    ) as single:
        again = single.read_labels(requests[:10], labels)
        assert [read.usage.cached_tokens is not None for read in again] == [True] * 10
        for ours, theirs in zip(again, expected, strict=False):
            assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)

    # other servers' interfaces, on the same model: bounded by the list of 20, and never another verdict
    for options in ({"api": "completions", "tokenizer": str(JUDGE)}, {"api": "chat"}):
        with create_engine("http", "judge", base_url=[server], options=options) as plain:
            plain.check()
            mine = plain.read_labels(asked(plain.tokenizer, 10), plain.tokenizer.label_set(("A", "B")))
            for ours, theirs in zip(mine, expected, strict=False):
                # a label's spellings beyond the twenty listed tokens are not counted
                assert [*map(math.exp, ours.logprobs)] == pytest.approx([*map(math.exp, theirs.logprobs)], abs=0.02)
            assert all(each.finish is not Finish.ERROR for each in plain.generate(asked(plain.tokenizer, 2), greedy))
