"""Labels of a scale over HTTP, by token id from a vLLM-like server and off the top of a list from others, and schemas of rankings."""

from __future__ import annotations

import json
import math

import pytest

from engines.base import Request, SamplingParams, Usage
from engines.http_wire import by_text, text_fields
from engines.prompting import untrusted
from engines.scripted import ScriptedEngine
from engines.scripted_server import scripted_server
from tests.engines.http_world import engine_on, mass

QUESTION = "### Response\n{text}\n\n### Principle\nIt is long.\n\nAnswer with one number: 1, 2, 3, 4 or 5."
LABELS = ("1", "2", "3", "4", "5")


def requests_of(engine) -> list[Request]:
    return [
        Request(engine.tokenizer.chat([("user", [untrusted(QUESTION.format(text="word " * count))])]))
        for count in (1, 15, 60)
    ]


@pytest.mark.parametrize("options", [{}, {"api": "completions"}])
def test_a_server_gives_the_scale_that_its_engine_reads(options):
    with scripted_server(rule="longer", plain=bool(options)) as server, engine_on(server.base_url, **options) as engine:
        asked = requests_of(engine)
        labels = engine.tokenizer.label_set(LABELS)
        found = engine.read_labels(asked, labels)
    with ScriptedEngine("longer") as here:
        truth = here.read_labels(asked, labels)
    for one, true in zip(found, truth, strict=True):
        assert one.error == ""
        assert len(one.logprobs) == 5
        assert mass(one) == pytest.approx(0.98, abs=0.02)
        best = max(range(5), key=lambda rung: true.logprobs[rung])
        assert one.logprobs[best] == pytest.approx(true.logprobs[best], abs=1e-6)


def test_labels_that_a_list_leaves_out_share_what_it_leaves_over():
    listed = {"1": math.log(0.7), "2": math.log(0.2)}
    read = by_text(LABELS)({"logprobs": {"top_logprobs": [listed]}}, Usage(1))
    assert read.logprobs[:2] == pytest.approx(tuple(listed.values()))
    assert read.logprobs[2:] == pytest.approx((math.log(0.1 / 3),) * 3)
    assert mass(read) == pytest.approx(1.0)


def test_a_schema_goes_along_only_where_the_server_holds_the_model_to_it():
    params = SamplingParams(schema=json.dumps({"type": "object"}))
    sent = text_fields(params, structured=True)["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    assert "response_format" not in text_fields(params, structured=False)
    assert "response_format" not in text_fields(SamplingParams(), structured=True)
    assert "schema" not in SamplingParams().as_json()
    assert SamplingParams(schema="{}").as_json()["schema"] == "{}"
