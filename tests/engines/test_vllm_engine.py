"""A real vLLM engine, on whatever this machine has, beside transformers on the same model."""

import importlib.util
import json
import math
import os
import subprocess
import sys

import jsonschema
import pytest

from engines.base import Request, SamplingParams
from engines.registry import create_engine
from judges.kinds.listwise import schema_for
from tenet.errors import EngineError, MissingInput, UsageError
from tenet.records import Finish
from tests.engines.test_transformers_engine import requests_of

pytestmark = pytest.mark.vllm


def test_both_engines_read_the_same_labels(vllm_engine, tiny_model):
    with create_engine("transformers", str(tiny_model), options={"device": "cpu"}) as other:
        requests = requests_of(other, 60)
        labels = other.tokenizer.label_set(["A", "B"])
        expected = other.read_labels(requests, labels)
        assert other.info.tokenizer_hash == vllm_engine.info.tokenizer_hash
        assert other.info.revision == vllm_engine.info.revision
    assert vllm_engine.tokenizer.label_set(["A", "B"]) == labels
    found = vllm_engine.read_labels(requests, labels)
    for a, b in zip(found, expected, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)
        assert 0 < sum(map(math.exp, a.logprobs)) <= 1


def test_a_second_reading_comes_from_the_prefix_cache(vllm_engine):
    requests = requests_of(vllm_engine, 8, seed=5)
    labels = vllm_engine.tokenizer.label_set(["A", "B"])
    first = vllm_engine.read_labels(requests, labels)
    again = vllm_engine.read_labels(requests, labels)
    assert sum(read.usage.cached_tokens for read in again) > sum(read.usage.cached_tokens for read in first)
    for a, b in zip(first, again, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)


def test_greedy_texts_agree_with_transformers(vllm_engine, tiny_model):
    params = SamplingParams(max_tokens=12, temperature=0.0)
    with create_engine("transformers", str(tiny_model), options={"device": "cpu"}) as other:
        requests = requests_of(other, 10)
        expected = other.generate(requests, params)
    found = vllm_engine.generate(requests, params)
    assert sum(a.tokens == b.tokens for a, b in zip(found, expected, strict=True)) >= 9
    assert [a.text for a, b in zip(found, expected, strict=True) if a.tokens == b.tokens] == [
        b.text for a, b in zip(found, expected, strict=True) if a.tokens == b.tokens
    ]


def test_seeds_repeat_whatever_the_neighbours(vllm_engine):
    tokens = requests_of(vllm_engine, 1)[0].tokens
    params = SamplingParams(max_tokens=16)
    together = vllm_engine.generate([Request(tokens, seed) for seed in (1, 2, 3)], params)
    alone = vllm_engine.generate([Request(tokens, 2)], params)[0]
    assert alone.tokens == together[1].tokens
    assert len({c.text for c in together}) == 3


def test_more_long_prompts_than_one_step_takes_are_drawn_with_their_seeds(vllm_engine):
    length = vllm_engine.max_length - 40
    requests = [Request((20 + n,) * length, seed=n) for n in range(30)]
    found = vllm_engine.generate(requests, SamplingParams(max_tokens=4))
    assert [c.error for c in found] == [""] * 30
    assert all(c.usage.completion_tokens > 0 for c in found)


def test_stop_strings_and_end_tokens(vllm_engine):
    found = vllm_engine.generate(requests_of(vllm_engine, 12), SamplingParams(max_tokens=60, stop=("e",)))
    assert any(c.finish is Finish.STOP for c in found)
    assert not any("e" in c.text or "<|im_end|>" in c.text for c in found)


def test_bad_prompts_do_not_take_the_others_along(vllm_engine):
    labels = vllm_engine.tokenizer.label_set(["A", "B"])
    good = requests_of(vllm_engine, 2)
    limit = vllm_engine.max_length
    bad = [Request((5,) * limit), Request(()), Request((10**6,))]
    reads = vllm_engine.read_labels([bad[0], good[0], bad[1], bad[2], good[1]], labels)
    assert [bool(read.error) for read in reads] == [True, False, True, True, False]
    assert "beyond the model's vocabulary" in reads[3].error
    texts = vllm_engine.generate([bad[0], good[0], Request((5,) * (limit - 1))], SamplingParams(max_tokens=5))
    assert [c.finish is Finish.ERROR for c in texts] == [True, False, False]
    assert texts[2].usage.completion_tokens == 1


def test_what_vllm_refuses_is_an_error_of_that_request(vllm_engine):
    process, llm = vllm_engine._process, vllm_engine._llm
    from vllm import SamplingParams as VllmParams

    one = VllmParams(max_tokens=1, detokenize=False)
    prompts = [{"prompt_token_ids": ids} for ids in ([5, 6], [5] * 9999, [7, 8])]
    found = process.generate(llm, prompts, [one] * 3)
    assert [isinstance(output, str) for output in found] == [False, True, False]
    assert "refuses" in found[1]


def test_unknown_options_are_named(tiny_model):
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (make setup-vllm)")
    with pytest.raises(UsageError, match="vLLM takes no tensor_paralel_size"):
        create_engine("vllm", str(tiny_model), options={"tensor_paralel_size": 2})


def test_keys_are_refused_and_weights_are_safetensors(tiny_model):
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (make setup-vllm)")
    with pytest.raises(UsageError, match="a key does not belong in a configuration") as caught:
        create_engine("vllm", str(tiny_model), options={"hf_token": "hf_secret"})
    assert "hf_secret" not in str(caught.value)
    with create_engine("vllm", str(tiny_model)) as engine:
        assert engine._start.args[1]["load_format"] == "safetensors"
    with create_engine("vllm", str(tiny_model), options={"load_format": "dummy"}) as engine:
        assert engine._start.args[1]["load_format"] == "dummy"


def test_a_start_that_fails_ends_in_words(tiny_model, vllm_engine):
    with pytest.raises(EngineError, match=r"starting vLLM with tiny failed"):
        create_engine("vllm", str(tiny_model), options={"quantization": "no-such-scheme"}).loaded()
    assert vllm_engine.read_labels(requests_of(vllm_engine, 1), [(1,), (2,)])[0].error == ""


@pytest.mark.slow
def test_one_model_after_another_in_one_process_and_nothing_printed(tiny_model):
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (make setup-vllm)")
    code = f"""
import os
from engines.base import Request, SamplingParams
from engines.registry import create_engine
before = os.sched_getaffinity(0)
for _ in range(2):
    with create_engine("vllm", {str(tiny_model)!r}) as engine:
        assert engine.generate([Request((5, 6, 7))], SamplingParams(max_tokens=3))[0].error == ""
        engine.close()
assert os.sched_getaffinity(0) == before
print("done")
"""
    env = {key: value for key, value in os.environ.items() if key != "VLLM_LOGGING_LEVEL"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert out.stdout == "done\n", out.stderr
    assert out.stderr == ""


def test_without_vllm_the_cure_is_named(tiny_model, monkeypatch):
    monkeypatch.setattr("engines.vllm_process.find_spec", lambda name: None)
    with pytest.raises(MissingInput, match=r"pip install 'tenet-rlaif\[vllm\]'"):
        create_engine("vllm", str(tiny_model))


def test_a_scale_of_five_labels_is_read_alike(vllm_engine, tiny_model):
    with create_engine("transformers", str(tiny_model), options={"device": "cpu"}) as other:
        requests = requests_of(other, 20, seed=9)
        labels = other.tokenizer.label_set(["A", "B", "C", "D", "E"])
        expected = other.read_labels(requests, labels)
    found = vllm_engine.read_labels(requests, labels)
    for a, b in zip(found, expected, strict=True):
        assert len(a.logprobs) == 5
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)


def test_a_ranking_is_held_to_its_schema(vllm_engine):
    schema = json.dumps(schema_for(3), sort_keys=True)
    requests = requests_of(vllm_engine, 6, seed=11)
    found = vllm_engine.generate(requests, SamplingParams(max_tokens=200, temperature=1.0, schema=schema))
    texts = [one.text for one in found if one.finish is Finish.STOP]
    assert texts, "no answer ended by itself"
    for text in texts:  # random weights: whatever is well formed is so by the schema alone
        jsonschema.validate(json.loads(text), json.loads(schema))
