"""What the recipe stands on: the tokenizer, packed rows, training rows, and their being the same whenever they are made."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")
import torch
from transformers import PreTrainedTokenizerFast

from pocket import JUDGE_PATH, POLICY_PATH, oracle
from pocket.recipe.data import RowMaker, Stage
from pocket.recipe.models import new_model
from pocket.recipe.packing import Row, attention_mask, collate
from pocket.recipe.templates import COMPARE, PROMPTS, Encoder, Template
from pocket.recipe.tokenizer import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return load_tokenizer(JUDGE_PATH)


@pytest.fixture(scope="module")
def maker(tokenizer: PreTrainedTokenizerFast) -> RowMaker:
    return RowMaker(Encoder(tokenizer))


def test_both_models_share_one_tokenizer() -> None:
    assert (JUDGE_PATH / "tokenizer.json").read_bytes() == (POLICY_PATH / "tokenizer.json").read_bytes()


def test_the_labels_are_single_tokens(maker: RowMaker) -> None:
    first, second = maker.encode.labels
    assert [maker.encode.tokenizer.decode([label]) for label in (first, second)] == ["A", "B"]


@pytest.mark.parametrize(
    "text", ["naïve café", "日本語のテキスト", "🙂 \u0007 tab\tend", "a" * 300, "\n\n  spaces  \n"]
)
def test_any_text_survives_the_bytes(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text
    assert max(ids) < len(tokenizer)


def test_the_template_opens_the_assistants_turn_and_takes_system_and_several_turns(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    turns = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "V"},
    ]
    assert tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False) == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
        "<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n"
    )


def test_generation_marks_cover_the_assistants_words_and_their_end(tokenizer: PreTrainedTokenizerFast) -> None:
    turns = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}]
    out = tokenizer.apply_chat_template(turns, return_dict=True, return_assistant_tokens_mask=True)
    marked = [token for token, mark in zip(out["input_ids"], out["assistant_masks"], strict=True) if mark]
    assert tokenizer.decode(marked) == "Good day.<|im_end|>"


def test_ends_and_padding(tokenizer: PreTrainedTokenizerFast) -> None:
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token) == ("<|im_end|>", "<|endoftext|>", None)


def test_the_mask_of_a_prefix_with_two_tails() -> None:
    # prefix p0 p1, tail a0 a1, tail b0, one place of padding
    mask = attention_mask(torch.tensor([[0, 0, 1, 1, 2, -1]]))[0, 0].int().tolist()
    assert mask == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]


def test_packed_rows_give_what_plain_sequences_give(tokenizer: PreTrainedTokenizerFast) -> None:
    model = new_model("judge", tokenizer, 3).eval()
    prefix, tails = [10, 11, 12, 13], [[20, 21], [30, 31, 32], [20]]
    row = Row.of(prefix)
    ends = [row.add(tail) + len(tail) - 1 for tail in tails]
    batch = collate([row, Row.of([5] * 12)], 0)
    with torch.inference_mode():
        packed = model(input_ids=batch.ids, attention_mask=batch.mask, position_ids=batch.positions).logits[0, ends]
        plain = [model(input_ids=torch.tensor([prefix + tail])).logits[0, -1] for tail in tails]
    assert torch.allclose(packed, torch.stack(plain), atol=1e-5)


def test_a_filled_template_has_the_ids_of_the_whole_text(maker: RowMaker) -> None:
    values = {
        "prompt": "How do I fix my kettle?",
        "response_a": "Check the plug.",
        "response_b": "Thank you.",
        "principle": "Be kind.",
        "question": COMPARE,
    }
    text = (PROMPTS / "pairwise.txt").read_text(encoding="utf-8").rstrip("\n")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    assert Template.read("pairwise").ids(maker.encode, values) == maker.encode(text)


def test_learn_points_from_the_place_before() -> None:
    row = Row.of([1, 2])
    start = row.add([7, 8])
    row.learn(start, start + 2, 0.5)
    assert row.words == [(1, 7, 0.5), (2, 8, 0.5)]


def test_rows_are_the_same_for_the_same_seed(maker: RowMaker) -> None:
    for kind in ("pair_row", "match_row", "critique_row", "revise_row", "whole_row"):
        one, two = (getattr(maker, kind)(random.Random(9), Stage()) for _ in range(2))
        assert (one.ids, one.labels, one.words, one.probes) == (two.ids, two.labels, two.words, two.probes)


def test_labels_of_rows_are_the_oracles(maker: RowMaker) -> None:
    rng = random.Random(4)
    labels = [p for _ in range(60) for _, p in maker.pair_row(rng, Stage()).labels]
    ties = sum(p == 0.5 for p in labels) / len(labels)
    assert set(labels) == {0.0, 0.5, 1.0}
    assert 0.05 < ties < 0.25


def test_no_early_row_asks_about_a_second_polarity(maker: RowMaker) -> None:
    stage = Stage(("courteous", "brief"), opposed=False)
    asked = {
        answer for _ in range(20) for _, kind, answer in maker.pair_row(random.Random(2), stage).probes if kind == 3
    }
    assert asked <= {oracle.FAMILIES.index("courteous"), oracle.FAMILIES.index("brief")}
