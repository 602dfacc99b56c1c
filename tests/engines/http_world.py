"""What the tests of the HTTP engine share: questions, an engine on a server, and the right answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engines.base import LabelRead, Request, SamplingParams
from engines.http import HttpEngine
from engines.prompting import ChatTokenizer, untrusted
from engines.scripted import ScriptedEngine

BYTES = {"api": "vllm", "tokenizer": "bytes", "backoff": 0.02}


def engine_on(*urls: str, model: str = "scripted", prefill: str = "", **options) -> HttpEngine:
    return HttpEngine(model, base_url=urls, prefill=prefill, options={**BYTES, "prompts_per_request": 1, **options})


def questions(tokenizer: ChatTokenizer, count: int, start: int = 0) -> list[Request]:
    """Pairwise questions, all different."""
    return [
        Request(
            tokenizer.chat(
                [
                    (
                        "user",
                        [untrusted(f"### Response A\nfirst {n}\n\n### Response B\nother {n}\n\nWhich response is it?")],
                    )
                ]
            ),
            seed=n,
        )
        for n in range(start, start + count)
    ]


def truth(requests: Sequence[Request]) -> list[LabelRead]:
    """What the server's rule says."""
    with ScriptedEngine("hash") as engine:
        return engine.read_labels(requests, engine.tokenizer.label_set(("A", "B")))


def labels_of(engine: HttpEngine):
    return engine.tokenizer.label_set(("A", "B"))


def lead(read: LabelRead) -> float:
    return read.logprobs[0] - read.logprobs[1]


def mass(read: LabelRead) -> float:
    return math.fsum(map(math.exp, read.logprobs))


SHORT = SamplingParams(max_tokens=60, temperature=0.7)
