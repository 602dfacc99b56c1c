"""Bodies of requests: good ones become rows, bad ones an error that names what is wrong."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.engines.zoo import qwen
from train.serving.protocol import Limits, Refused, Row, openrlhf_answer, pairs, queries, read_body
from train.serving.rendered import PolicyText

POLICY = PolicyText(qwen())
LIMITS = Limits(rows=3, text=100)
PROMPT = "<|im_start|>user\nHow long?<|im_end|>\n<|im_start|>assistant\n"
TURNS = [{"role": "user", "content": "How long?"}]


def test_openrlhf_sends_texts_rendered_by_the_template() -> None:
    told = {"query": [PROMPT + "Five.<|im_end|>", "Plain? Six."], "prompts": [PROMPT, "Plain? "], "labels": ["x", None]}
    assert queries(told, POLICY, LIMITS) == [Row(TURNS, "Five.", rendered=True), Row("Plain? ", "Six.")]


def test_our_own_form_keeps_prompt_and_response_apart() -> None:
    told = {"prompts": [TURNS, "How long?"], "responses": ["Five.<|im_end|>", "Six."]}
    assert pairs(told, POLICY, LIMITS) == [Row(TURNS, "Five."), Row("How long?", "Six.")]


def test_the_answer_is_openrlhfs() -> None:
    rows = [Row(TURNS, "Five."), Row(TURNS, "Six")]
    assert openrlhf_answer([1.5, -1.0], [0.8, 0.3], rows, "reward_model") == {
        "rewards": [1.5, -1.0],
        "scores": [0.8, 0.3],
        "extra_logs": {"reward_model": [1.5, -1.0], "response_characters": [5, 3]},
    }


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({"query": ["a"]}, 400, "send `prompts` beside `query`"),
        ({}, 400, "`query` must be a list"),
        ({"query": [], "prompts": []}, 400, "`query` must be a list of one or more"),
        ({"query": "ab", "prompts": "a"}, 400, "`query` must be a list"),
        ({"query": ["ab", 3], "prompts": ["a", "a"]}, 400, "query[1] is not a text"),
        ({"query": ["ab"], "prompts": [None]}, 400, "prompts[0] is not a text"),
        ({"query": ["ab"], "prompts": ["a", "a"]}, 400, "query has 1 entries and prompts has 2"),
        ({"query": ["ab"], "prompts": ["b"]}, 422, "query 0 does not begin with prompts[0]"),
        ({"query": ["ab"] * 4, "prompts": ["a"] * 4}, 413, "3 is the most"),
        ({"query": ["a" * 101], "prompts": ["a"]}, 413, "row 0 has 101 characters; 100 is the most"),
    ],
)
def test_a_bad_request_of_openrlhf(told: dict[str, Any], status: int, said: str) -> None:
    with pytest.raises(Refused) as error:
        queries(told, POLICY, LIMITS)
    assert error.value.status == status
    assert said in error.value.message


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({"prompts": ["a"]}, 400, "`responses` must be a list"),
        ({"prompts": [["a"]], "responses": ["b"]}, 400, "prompts[0] is neither a text nor a list of messages"),
        ({"prompts": [[]], "responses": ["b"]}, 400, "prompts[0] is neither"),
        ({"prompts": [[{"role": "root", "content": "a"}]], "responses": ["b"]}, 400, "prompts[0] is neither"),
        ({"prompts": [[{"role": "user", "content": 3}]], "responses": ["b"]}, 400, "prompts[0] is neither"),
        ({"prompts": [[*TURNS, 5]], "responses": ["b"]}, 400, "prompts[0] is neither"),
        ({"prompts": [TURNS], "responses": ["b" * 100]}, 413, "row 0 has 109 characters"),
        ({"prompts": [TURNS], "responses": ["a", "b"]}, 400, "prompts has 1 entries and responses has 2"),
    ],
)
def test_a_bad_request_of_our_own_form(told: dict[str, Any], status: int, said: str) -> None:
    with pytest.raises(Refused) as error:
        pairs(told, POLICY, LIMITS)
    assert error.value.status == status
    assert said in error.value.message


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'{"query": ["\\ud800"]}', b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as error:
        read_body(body)
    assert error.value.status == 400


def test_unknown_keys_are_let_through() -> None:
    told = read_body(orjson.dumps({"prompts": [TURNS], "responses": ["a"], "labels": [], "more": {"x": 1}}))
    assert len(pairs(told, POLICY, LIMITS)) == 1
