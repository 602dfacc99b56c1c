"""The in-process engine against the model called by hand."""

import random
import subprocess
import sys

import pytest
import torch

from engines.base import Request, SamplingParams
from engines.prompting import Template, untrusted
from engines.registry import create_engine
from tenet.errors import EngineError, UsageError
from tenet.records import Finish

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "and", "no", "one", "minded", "at", "all"]
PAIR = Template.parse("Compare.\n\n{{prompt}}\n\n### Response A\n{{a}}\n\n### Response B\n{{b}}\n\nA or B?")


@pytest.fixture(scope="module")
def engine(tiny_model):
    with create_engine("transformers", str(tiny_model)) as made:
        yield made


@pytest.fixture(scope="module")
def by_hand(tiny_model):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()


def requests_of(engine, count=24, seed=0):
    rng = random.Random(seed)

    def text():
        return " ".join(rng.choices(WORDS, k=rng.randint(1, 20)))

    requests = []
    while len(requests) < count:
        prompt, replies = text(), [text() for _ in range(3)]
        for a in replies:
            for b in replies:
                if a != b:
                    turns = [("user", PAIR.fill(prompt=prompt, a=a, b=b))]
                    requests.append(Request(engine.tokenizer.chat(turns), seed=len(requests)))
    return requests[:count]


def test_info_says_what_the_model_is(engine):
    info = engine.info
    assert (info.engine, info.model, info.parameters["dtype"]) == ("transformers", "tiny", "float32")
    assert len(info.revision) == len(info.tokenizer_hash) == len(info.template_hash) == 64
    assert engine.max_length == 512
    assert not engine.capabilities.deterministic


def test_label_reads_equal_the_model_by_hand(engine, by_hand):
    requests = requests_of(engine)
    labels = engine.tokenizer.label_set(["A", "B"])
    reads = engine.read_labels(requests, labels)
    for request, read in zip(requests, reads, strict=True):
        with torch.no_grad():
            logits = by_hand(torch.tensor([request.tokens])).logits[0, -1]
        logprobs = torch.log_softmax(logits.float(), -1)
        expected = [torch.logsumexp(logprobs[list(ids)], 0).item() for ids in labels]
        assert read.logprobs == pytest.approx(expected, abs=1e-5)
        assert read.usage.prompt_tokens == len(request.tokens)
    assert sum(read.usage.cached_tokens for read in reads) > 0


def test_shared_beginnings_change_nothing(engine, tiny_model):
    labels = engine.tokenizer.label_set(["A", "B"])
    requests = requests_of(engine, 40)
    with create_engine("transformers", str(tiny_model), options={"prefix_reuse": False}) as plain:
        expected = plain.read_labels(requests, labels)
        texts = plain.generate(requests, SamplingParams(max_tokens=12))
    found = engine.read_labels(requests, labels)
    for a, b in zip(found, expected, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)
    assert all(read.usage.cached_tokens == 0 for read in expected)
    assert [c.tokens for c in engine.generate(requests, SamplingParams(max_tokens=12))] == [c.tokens for c in texts]


def test_greedy_text_equals_the_librarys(engine, by_hand):
    requests = requests_of(engine, 6)
    found = engine.generate(requests, SamplingParams(max_tokens=16, temperature=0.0))
    for request, completion in zip(requests, found, strict=True):
        ids = torch.tensor([request.tokens])
        out = by_hand.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16)
        assert completion.tokens == tuple(out[0, len(request.tokens) :].tolist())


def test_a_text_does_not_depend_on_its_neighbours(engine):
    requests = requests_of(engine, 12)
    params = SamplingParams(max_tokens=20, temperature=1.0, top_p=0.9)
    together = engine.generate(requests, params)
    backwards = engine.generate(requests[::-1], params)[::-1]
    alone = [engine.generate([request], params)[0] for request in requests]
    assert [c.tokens for c in together] == [c.tokens for c in alone] == [c.tokens for c in backwards]


def test_seeds_differ_and_repeat(engine):
    tokens = requests_of(engine, 1)[0].tokens
    requests = [Request(tokens, seed) for seed in (1, 2, 3, 1)]
    texts = [c.text for c in engine.generate(requests, SamplingParams(max_tokens=20))]
    assert len(set(texts[:3])) == 3
    assert texts[3] == texts[0]


def test_an_answer_ends_at_its_end_token_and_at_its_limit(engine, tiny_model):
    eos = engine.tokenizer.encode([untrusted("x")])
    completions = engine.generate(requests_of(engine, 24), SamplingParams(max_tokens=200))
    assert {c.finish for c in completions} == {Finish.STOP, Finish.LENGTH}
    for completion in completions:
        assert completion.usage.completion_tokens == len(completion.tokens) <= 200
        if completion.finish is Finish.LENGTH:
            assert len(completion.tokens) == 200 or completion.usage.prompt_tokens + len(completion.tokens) == 512
        assert "<|im_end|>" not in completion.text
    assert eos


def test_stop_strings_end_and_leave_the_text(engine):
    requests = requests_of(engine, 16)
    whole = engine.generate(requests, SamplingParams(max_tokens=30))
    stopped = engine.generate(requests, SamplingParams(max_tokens=30, stop=("e",)))
    cut = [c for c in stopped if c.finish is Finish.STOP]
    assert cut
    for before, after in zip(whole, stopped, strict=True):
        assert "e" not in after.text
        assert before.text.startswith(after.text)


def test_prompts_that_do_not_fit_are_errors_of_their_own(engine):
    labels = engine.tokenizer.label_set(["A", "B"])
    good = requests_of(engine, 1)[0]
    bad = [Request((5,) * 512), Request(()), Request((5,) * 511)]
    reads = engine.read_labels([bad[0], good, bad[1], bad[2]], labels)
    assert "512 tokens" in reads[0].error
    assert reads[2].error == "the prompt is empty"
    assert [bool(read.error) for read in reads] == [True, False, True, False]
    texts = engine.generate([bad[0], good, bad[2]], SamplingParams(max_tokens=5))
    assert [c.finish is Finish.ERROR for c in texts] == [True, False, False]
    assert len(texts[2].tokens) == 1


def test_nothing_asked_nothing_answered(engine):
    assert engine.read_labels([], [(1,), (2,)]) == []
    assert engine.generate([], SamplingParams()) == []


def test_nan_is_an_error_of_the_row(tiny_model):
    with create_engine("transformers", str(tiny_model)) as broken:
        with torch.no_grad():
            broken._loaded().lm_head.weight[7] = float("nan")
        labels = broken.tokenizer.label_set(["A", "B"])
        requests = requests_of(broken, 2)
        assert [read.error for read in broken.read_labels(requests, labels)] == ["the model gave NaN"] * 2
        found = broken.generate(requests, SamplingParams(max_tokens=3))
        assert [(c.finish, c.error) for c in found] == [(Finish.ERROR, "the model gave NaN")] * 2


def test_a_closed_engine_says_so(tiny_model):
    engine = create_engine("transformers", str(tiny_model))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.read_labels([Request((5,))], [(1,)])


def test_bad_options(tiny_model):
    with pytest.raises(UsageError, match=r"dtype: 'float13' is none of"):
        create_engine("transformers", str(tiny_model), options={"dtype": "float13"})
    with pytest.raises(EngineError, match="device 'nowhere'"):
        create_engine("transformers", str(tiny_model), options={"device": "nowhere"})
    with pytest.raises(UsageError, match="did you mean device"):
        create_engine("transformers", str(tiny_model), options={"devise": "cpu"})


def test_half_precision_loads(tiny_model):
    with create_engine("transformers", str(tiny_model), options={"dtype": "bfloat16", "max_length": 300}) as half:
        assert half.info.parameters["dtype"] == "bfloat16"
        assert half.max_length == 300
        assert half.generate(requests_of(half, 2), SamplingParams(max_tokens=2))[0].finish is not Finish.ERROR


def test_the_registry_pulls_in_no_heavy_library():
    code = (
        "import sys, engines.registry, engines.prompting, engines.scripted, engines.recorded;"
        "print([m for m in ('torch', 'transformers', 'vllm', 'numpy', 'tokenizers') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_library_is_not_shadowed_by_our_module():
    import transformers

    import engines.transformers

    assert transformers is not engines.transformers
    assert hasattr(transformers, "AutoTokenizer")
