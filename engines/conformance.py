"""What every engine promises, tried with a model of the plug-in's choice. Knows no engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Final

from engines.base import Engine, Request, SamplingParams
from engines.prompting import untrusted
from engines.registry import create_engine
from tenet.errors import EngineError
from tenet.ids import Json, canonical_json
from tenet.records import Finish

_TEXTS: Final = ("Say hello.", "Which is better, A or B?", "Zwölf Boxkämpfer \u2603 <|im_end|>")
_PARAMS: Final = SamplingParams(max_tokens=4, temperature=0.0)


def complaints(name: str, *, model: str, options: Mapping[str, Json]) -> Iterator[str]:
    """Everything in which the engine `name` does not keep its promises with a model.

    Raises:
        PluginBroken, UsageError, MissingInput, EngineError: the engine does not start.
    """
    with closing(create_engine(name, model, options=options)) as engine:
        engine.check()
        engine.load()
        if engine.info.engine != name:
            yield f"info.engine is {engine.info.engine!r}"
        if canonical_json(engine.info.as_json()) != canonical_json(engine.info.as_json()):
            yield "info changes from one look to the next"
        requests = [
            Request(engine.tokenizer.chat([("user", [untrusted(text)])]), seed) for seed, text in enumerate(_TEXTS)
        ]
        if not engine.capabilities.generates and not engine.capabilities.label_logprobs:
            yield "it neither writes nor reads labels"
        if engine.capabilities.generates:
            yield from _writes(engine, requests)
        yield from _reads(engine, requests)
    engine.close()


def _writes(engine: Engine, requests: list[Request]) -> Iterator[str]:
    found = engine.generate(requests, _PARAMS)
    if len(found) != len(requests):
        yield f"{len(requests)} requests have {len(found)} completions"
        return
    if any(one.usage.completion_tokens > _PARAMS.max_tokens for one in found):
        yield "a completion is longer than max_tokens"
    if any((one.finish is Finish.ERROR) != bool(one.error) for one in found):
        yield "finish is ERROR where error is empty, or the other way round"
    if engine.capabilities.deterministic and engine.generate(requests[::-1], _PARAMS)[::-1] != found:
        yield "it calls itself deterministic, and answers otherwise in another order"
    long = Request(requests[0].tokens * (engine.max_length // max(1, len(requests[0].tokens)) + 1))
    told = engine.generate([long, requests[0]], _PARAMS)
    if told[0].finish is not Finish.ERROR or told[1].finish is Finish.ERROR:
        yield "a prompt beyond max_length must be an error result, and its neighbour be answered"
    placed = dict(engine.stream_completions(iter(requests), _PARAMS))
    if sorted(placed) != list(range(len(requests))):
        yield "stream_completions does not give each request's place once"


def _reads(engine: Engine, requests: list[Request]) -> Iterator[str]:
    labels = engine.tokenizer.label_set(("A", "B"))
    if not engine.capabilities.label_logprobs:
        try:
            engine.read_labels(requests, labels)
        except EngineError:
            return
        yield "it declares no label_logprobs, and read_labels raises no EngineError"
        return
    found = engine.read_labels(requests, labels)
    if len(found) != len(requests):
        yield f"{len(requests)} requests have {len(found)} label reads"
        return
    if any(not one.error and (len(one.logprobs) != 2 or max(one.logprobs) > 1e-3) for one in found):
        yield "a label read holds other than one natural-log probability a label"
    if engine.capabilities.deterministic and engine.read_labels(requests[::-1], labels)[::-1] != found:
        yield "it calls itself deterministic, and reads otherwise in another order"
    if sorted(dict(engine.stream_labels(iter(requests), labels))) != list(range(len(requests))):
        yield "stream_labels does not give each request's place once"
