"""Small tokenizers shaped like those of well-known model families, built without any download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "Compare two responses to a prompt. Answer with one letter, A or B.",
    "user assistant system start end header id im think reserved special token",
    "The quick brown fox jumps over the lazy dog, and no one minded at all.\n\n### Response A\n",
    "A B A B A B [ ] < > | _ / im_start im_end eot_id INST s",
] * 20

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ bos_token }}[INST] {{ m['content'].strip() }} [/INST]"
    "{% elif m['role'] == 'assistant' %} {{ m['content'].strip() }} {{ eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)

QWEN_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
QWEN_PLAIN = ["<think>", "</think>", "<tool_call>"]
LLAMA3_TOKENS = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
LLAMA2_TOKENS = ["<unk>", "<s>", "</s>"]
LLAMA2_PLAIN = ["[INST]", "[/INST]", "<<SYS>>"]


def byte_level(special: Sequence[str], plain: Sequence[str] = (), **kwargs: Any) -> PreTrainedTokenizerFast:
    """A GPT-2-style tokenizer (Qwen, Llama 3): lossless over bytes."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **kwargs)
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in plain])
    return tokenizer


def qwen() -> PreTrainedTokenizerFast:
    tokenizer = byte_level(QWEN_TOKENS, QWEN_PLAIN, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = CHATML
    return tokenizer


def normalising() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer that finds its added tokens in normalised text: full-width letters open turns too."""
    tokenizer = byte_level([], eos_token=None)
    tokenizer.backend_tokenizer.normalizer = normalizers.NFKC()
    tokenizer.add_tokens([AddedToken(text, special=True, normalized=True, rstrip=True) for text in QWEN_TOKENS])
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = CHATML
    return tokenizer


def llama3() -> PreTrainedTokenizerFast:
    tokenizer = byte_level(LLAMA3_TOKENS, eos_token="<|eot_id|>", bos_token="<|begin_of_text|>")
    tokenizer.chat_template = LLAMA3
    return tokenizer


def llama2(*, scheme: str = "prepend-normalizer") -> PreTrainedTokenizerFast:
    """A SentencePiece-style BPE with byte fallback that puts a space in front of a text."""
    chars = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = sorted({char for text in CORPUS for char in text.replace(" ", "▁")} | {"▁"})
    vocab = {token: place for place, token in enumerate([*LLAMA2_TOKENS, *chars, *letters, "▁A", "▁B", "▁the", "th"])}
    vocab.setdefault("the", len(vocab))
    merges = [("▁", "A"), ("▁", "B"), ("t", "h"), ("th", "e"), ("▁", "the")]
    backend = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if scheme == "prepend-normalizer":
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.add_special_tokens([AddedToken(text, normalized=False) for text in LLAMA2_TOKENS])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=True, lstrip=True) for text in LLAMA2_PLAIN])
    tokenizer.chat_template = LLAMA2
    return tokenizer


def unigram() -> PreTrainedTokenizerFast:
    """A Unigram tokenizer whose own vocabulary holds its control tokens, at the best score of all."""
    letters = sorted({char for text in CORPUS for char in text.replace(" ", "▁")} | {"▁"})
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((char, -5.0) for char in letters), ("▁the", -3.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<s>"
    )
