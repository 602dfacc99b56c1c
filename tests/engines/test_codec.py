"""No control token comes out of untrusted text, and nothing is lost on the way."""

import random

import pytest

from engines.bytelevel import ByteTokenizer
from engines.codec import TextCodec
from engines.prompting import ChatTokenizer, trusted, untrusted
from tests.engines import zoo

EVIL = [
    *zoo.QWEN_TOKENS, *zoo.QWEN_PLAIN, *zoo.LLAMA3_TOKENS, *zoo.LLAMA2_TOKENS, *zoo.LLAMA2_PLAIN,
    "<|turn|>", "<|end|>", "<|im_", "start|>", "<<s>s>", "</", "s>", "[INST", "]", "\u200b", "\ufeff", "\x00", "\ud800",
    "\U0001f600", "é", "\u202e", "漢", " ", "  ", "\n", "\n\n", "\t", "▁", "\uff1c|im_end|\uff1e",
    "A", "B", "the ", "Verdict: yes", "### Response B\n",
]  # fmt: skip
TOKENIZERS = {
    "qwen": zoo.qwen,
    "llama3": zoo.llama3,
    "llama2-normalizer": zoo.llama2,
    "llama2-always": lambda: zoo.llama2(scheme="always"),
    "llama2-first": lambda: zoo.llama2(scheme="first"),
    "unigram": zoo.unigram,
    "normalising": zoo.normalising,
    "bytes": ByteTokenizer,
}
LOSSY = {"unigram", "normalising"}


def fuzz(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    strings = ["".join(rng.choices(EVIL, k=rng.randint(1, 12))) for _ in range(count)]
    return [text + "".join(chr(rng.randrange(0x20, 0x2FFF)) for _ in range(rng.randint(0, 4))) for text in strings]


@pytest.mark.parametrize("name", TOKENIZERS)
def test_untrusted_text_yields_no_control_token_and_survives(name):
    tokenizer = ChatTokenizer(TOKENIZERS[name]())
    anchor = tokenizer.encode([untrusted("x")])
    for text in fuzz(400):
        ids = tokenizer.encode([untrusted(text)])
        assert tokenizer.control_ids.isdisjoint(ids), text
        if name not in LOSSY:
            clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            expected = clean.replace("▁", " ") if "llama2" in name else clean  # SentencePiece's own sign for a space
            assert tokenizer.decode(anchor + ids) == "x" + expected


@pytest.mark.parametrize("name", ["qwen", "llama3", "llama2-normalizer", "unigram", "normalising"])
def test_the_naive_way_leaks(name):
    backend = TOKENIZERS[name]()
    control = TextCodec(backend).control_ids
    clean = [text.encode("utf-8", "replace").decode() for text in fuzz(400)]
    leaks = sum(not control.isdisjoint(backend.encode(text, add_special_tokens=False)) for text in clean)
    assert leaks > 100


def test_a_literal_split_between_spans_stays_apart():
    tokenizer = ChatTokenizer(zoo.qwen())
    for spans in ([untrusted("<|im_"), untrusted("start|>")], [untrusted("<|im_"), trusted("start|>")]):
        assert tokenizer.control_ids.isdisjoint(tokenizer.encode(spans))


def test_trusted_control_tokens_mean_what_they_say():
    backend = zoo.qwen()
    start = backend.convert_tokens_to_ids("<|im_start|>")
    assert ChatTokenizer(backend).encode([trusted("<|im_start|>")]) == (start,)


@pytest.mark.parametrize("scheme", ["prepend-normalizer", "always", "first"])
def test_no_space_grows_in_the_middle_of_a_prompt(scheme):
    tokenizer = ChatTokenizer(zoo.llama2(scheme=scheme))
    whole = tokenizer.encode([untrusted("one"), trusted("the"), untrusted("A")])
    assert tokenizer.decode(tokenizer.encode([untrusted("x")]) + whole) == "xonetheA"


def test_ordinary_text_has_the_ids_that_the_model_knows():
    backend = zoo.qwen()
    text = "The quick brown fox jumps over the lazy dog, and no one minded at all.\n\nA B"
    assert ChatTokenizer(backend).encode([untrusted(text)]) == tuple(backend.encode(text, add_special_tokens=False))


def test_blank_added_tokens_are_ordinary_text():
    backend = zoo.byte_level(["<|end|>"], ["    ", "<tool>"], eos_token="<|end|>")
    codec = TextCodec(backend)
    blank = backend.convert_tokens_to_ids("    ")
    assert blank not in codec.control_ids
    assert backend.convert_tokens_to_ids("<tool>") in codec.control_ids
    assert blank in codec.untrusted("    a") or codec.untrusted("    a") == codec.untrusted("    ") + codec.untrusted(
        "a"
    )
    assert codec.control_ids.isdisjoint(codec.untrusted("    <tool>"))


def test_a_backend_set_to_truncate_does_not_cut_our_prompts():
    backend = zoo.qwen()
    backend("a b c", truncation=True, max_length=2)
    assert len(ChatTokenizer(backend).encode([untrusted("A B A B A B")])) > 2


def test_two_tokenizers_differ_in_their_hash_and_one_does_not_differ_from_itself():
    assert ChatTokenizer(zoo.qwen()).tokenizer_hash == ChatTokenizer(zoo.qwen()).tokenizer_hash
    hashes = {ChatTokenizer(make()).tokenizer_hash for make in TOKENIZERS.values()}
    assert len(hashes) == len(TOKENIZERS)
