"""The JSON of label reads and completions over the OpenAI interface: bodies out, answers in. Pure functions of both; knows no transport.

Where the server gives a list of top log-probabilities only, a label's entries are those whose text is the label, white space aside. A label
that the list leaves out gets the most that it can have: the smallest listed probability, or its share of what the listed ones leave over
if that is less. That understates the leads of the others, and never turns one. Labels that are all absent have next to no mass.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson

from engines.base import Completion, LabelRead, Request, SamplingParams, TokenIds, Usage
from engines.http_failures import Failure, malformed, short
from engines.letters import letter_of
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Finish

MASKED: Final = -9999.0
"""What vLLM writes for a log-probability of minus infinity: the token is masked."""
ABSENT: Final = -100.0
"""The log-probability of a label in a list that holds none of the labels."""
CERTAIN: Final = -30.0
"""The log-probability of a label that a text verdict does not name; the one that it names has 0."""
_LETTER_TOKENS: Final = 8
_FINISH: Final = {"stop": Finish.STOP, "length": Finish.LENGTH, "eos": Finish.STOP, "eos_token": Finish.STOP}

Choice = Mapping[str, Any]
R = TypeVar("R")


def id_prompt(requests: Sequence[Request]) -> bytes:
    """The `prompt` of token ids: one list, or a list of lists."""
    return orjson.dumps(requests[0].tokens if len(requests) == 1 else [request.tokens for request in requests])


@dataclass(frozen=True, slots=True)
class Frame:
    """What every body of a plan holds: the path, the constant fields, and how prompts are written as a field."""

    path: str
    fields: Mapping[str, Json]
    prompt: Callable[[Sequence[Request]], str]

    def body(self, requests: Sequence[Request], more: Mapping[str, Json] | None = None) -> bytes:
        """The whole body. `prompt` gives JSON text, with the field's name."""
        constant = json.dumps({**self.fields, **(more or {})})
        return f"{constant[:-1]}, {self.prompt(requests)}}}".encode()


def token_prompt(requests: Sequence[Request]) -> str:
    """The prompt field of /completions."""
    return f'"prompt": {id_prompt(requests).decode()}'


def text_prompt(texts: Sequence[str]) -> str:
    """The prompt field of /completions for a server that tokenises by itself."""
    return f'"prompt": {json.dumps(texts[0] if len(texts) == 1 else texts, ensure_ascii=False)}'


class LabelPlan:
    """Reads labels: `read` makes a result of one choice."""

    def __init__(self, frame: Frame, read: Callable[[Choice, Usage], LabelRead | Failure]) -> None:
        self.path = frame.path
        self._frame = frame
        self._read = read
        whole = frame.body(()) if frame.prompt is token_prompt else b""
        self._head, _, self._tail = whole.partition(b'"prompt": []')

    def encode(self, requests: Sequence[Request]) -> bytes:
        """See `engines.http_flow.Plan`."""
        if self._head:
            return self._head + b'"prompt": ' + id_prompt(requests) + self._tail
        return self._frame.body(requests)

    def decode(self, answer: dict[str, Any], requests: Sequence[Request]) -> Sequence[LabelRead | Failure]:
        """See `engines.http_flow.Plan`."""
        found = choices(answer, len(requests))
        return [
            self._read(choice, usage(answer, request, alone=len(requests) == 1, written=1))
            for choice, request in zip(found, requests, strict=True)
        ]

    def failed(self, request: Request, words: str) -> LabelRead:
        """See `engines.http_flow.Plan`."""
        return LabelRead((), Usage(len(request.tokens)), words)


class TextPlan:
    """Completes prompts, one a request."""

    def __init__(self, frame: Frame, params: SamplingParams, room: Callable[[Request], int], *, seeded: bool) -> None:
        self.path = frame.path
        self._frame = frame
        self._params = params
        self._room = room
        self._seeded = seeded and params.temperature > 0

    def encode(self, requests: Sequence[Request]) -> bytes:
        """See `engines.http_flow.Plan`."""
        (request,) = requests
        more: dict[str, Json] = {"max_tokens": max(1, min(self._params.max_tokens, self._room(request)))}
        if self._seeded:
            more["seed"] = request.seed
        return self._frame.body(requests, more)

    def decode(self, answer: dict[str, Any], requests: Sequence[Request]) -> Sequence[Completion | Failure]:
        """See `engines.http_flow.Plan`."""
        return [
            self._completion(answer, choice, request)
            for choice, request in zip(choices(answer, len(requests)), requests, strict=True)
        ]

    def failed(self, request: Request, words: str) -> Completion:
        """See `engines.http_flow.Plan`."""
        return Completion("", Finish.ERROR, Usage(len(request.tokens)), error=words)

    def _completion(self, answer: dict[str, Any], choice: Choice, request: Request) -> Completion | Failure:
        text = written_text(choice)
        if text is None:
            return malformed("the answer holds no text")
        ids = choice.get("token_ids")
        tokens = tuple(ids) if isinstance(ids, list) and all(type(token) is int for token in ids) else ()
        spent = usage(answer, request, alone=True, written=len(tokens))
        ended = choice.get("finish_reason")
        finish = _FINISH.get(ended) if isinstance(ended, str) else None
        if finish is None:
            return Completion("", Finish.ERROR, spent, tokens, f"the server ended the answer with {ended!r}")
        cuts = [place for stop in self._params.stop if (place := text.find(stop)) >= 0]
        return Completion(text[: min(cuts)] if cuts else text, finish, spent, tokens)


def choices(answer: Mapping[str, Any], count: int) -> Sequence[Choice]:
    """The choices of an answer, in the order of the prompts.

    Raises:
        Failure: there are not just as many, or they are not numbered.
    """
    found = answer.get("choices")
    if not isinstance(found, list) or len(found) != count or not all(isinstance(each, dict) for each in found):
        number = len(found) if isinstance(found, list) else "no"
        raise malformed(f"the answer holds {number} choices for {count} {'prompt' if count == 1 else 'prompts'}")
    if count == 1:
        return found
    ordered = {place: each for each in found if type(place := each.get("index")) is int}
    if ordered.keys() != set(range(count)):
        raise malformed("the answer's choices are not numbered by prompt")
    return [ordered[place] for place in range(count)]


def usage(answer: Mapping[str, Any], request: Request, *, alone: bool, written: int) -> Usage:
    """The tokens of one request; the server's count where it answers one prompt, for its tokens may be other than ours."""
    found = answer.get("usage")
    if not alone or not isinstance(found, dict):
        return Usage(len(request.tokens), written)
    details = found.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    prompt, completion = found.get("prompt_tokens"), found.get("completion_tokens")
    return Usage(
        prompt if type(prompt) is int else len(request.tokens),
        completion if type(completion) is int else written,
        cached if type(cached) is int else None,
    )


def written_text(choice: Choice) -> str | None:
    """The text of a choice of either interface, None where there is none."""
    said = choice.get("message")
    text = said.get("content") if isinstance(said, dict) else choice.get("text")
    ended = choice.get("finish_reason")
    if text is None and isinstance(said, dict) and isinstance(ended, str) and ended in _FINISH:
        return ""  # a chat answer without content: the model wrote nothing
    return text if isinstance(text, str) else None


def by_ids(labels: Sequence[TokenIds]) -> Callable[[Choice, Usage], LabelRead | Failure]:
    """Read labels whose every token's log-probability was asked for (`logprob_token_ids`), keyed `token_id:N`."""
    names = [tuple(f"token_id:{token}" for token in ids) for ids in labels]

    def read(choice: Choice, spent: Usage) -> LabelRead | Failure:
        top = first_list(choice)
        if top is None:
            return malformed("the answer holds no log-probabilities")
        values: list[float] = []
        for variants in names:
            parts = [number(top.get(name)) for name in variants]
            if any(part is None for part in parts):
                return malformed("the answer leaves a label's log-probability out, or gives NaN for it")
            values.append(log_sum([part for part in parts if part is not None]))
        return checked_read(values, spent)

    return read


def by_text(labels: Sequence[str]) -> Callable[[Choice, Usage], LabelRead | Failure]:
    """Read labels off a list of the most probable tokens; see the module for those that it leaves out."""

    def read(choice: Choice, spent: Usage) -> LabelRead | Failure:
        top = first_list(choice)
        if not top:
            return malformed("the answer holds no log-probabilities")
        parts: dict[str, list[float]] = {label: [] for label in labels}
        listed: list[float] = []
        for token, value in top.items():
            found = number(value)
            if found is None:
                return malformed("the answer gives NaN for a log-probability")
            listed.append(found)
            if (label := token.strip()) in parts:
                parts[label].append(found)
        if not any(parts.values()):
            return LabelRead(tuple(ABSENT for _ in labels), spent)
        left = (1.0 - math.fsum(math.exp(min(0.0, value)) for value in listed)) / max(
            1, sum(not p for p in parts.values())
        )
        bound = max(ABSENT, min(*listed, math.log(left) if left > 0 else ABSENT))
        return checked_read([log_sum(each) if each else bound for each in parts.values()], spent)

    return read


def by_letter(labels: Sequence[str]) -> Callable[[Choice, Usage], LabelRead | Failure]:
    """Take the label that a text names (`engines.letters`); any other text is an error, never a guess."""

    def read(choice: Choice, spent: Usage) -> LabelRead | Failure:
        text = written_text(choice)
        if text is None:
            return malformed("the answer holds no text")
        named = letter_of(text, labels)
        if named is None:
            return LabelRead((), spent, f"the answer is none of {', '.join(labels)}: {short(text)[:60]!r}", "text")
        return LabelRead(tuple(0.0 if label == named else CERTAIN for label in labels), spent, kind="text")

    return read


def checked_read(values: Sequence[float], spent: Usage) -> LabelRead:
    """The result of a read, unless the server masks a label."""
    if min(values) <= MASKED:
        return LabelRead((), spent, f"the server masks a label: its log-probability is {min(values):g}")
    return LabelRead(tuple(values), spent)


def first_list(choice: Choice) -> Mapping[str, Any] | None:
    """The log-probabilities at the first written token by the token's text, of either interface; None where there are none."""
    found = choice.get("logprobs")
    if not isinstance(found, dict):
        return None
    lists = found.get("top_logprobs")
    if isinstance(lists, list):
        return lists[0] if lists and isinstance(lists[0], dict) else None
    content = found.get("content")
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        return None
    entries = content[0].get("top_logprobs")
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        return None
    return {each["token"]: each.get("logprob") for each in entries if isinstance(each.get("token"), str)}


def number(value: Any) -> float | None:
    """A log-probability, None where it is no number or NaN."""
    if type(value) is float:
        return None if value != value else value
    return float(value) if type(value) is int else None


def log_sum(parts: Sequence[float]) -> float:
    """The log of the summed probabilities."""
    if len(parts) == 1:
        return parts[0]
    top = max(parts)
    if top <= MASKED or math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(part - top) for part in parts))


def id_frame(model: str, api: str, fields: Mapping[str, Json]) -> Frame:
    """Bodies of /completions with token ids."""
    return Frame(
        "/completions",
        {"model": model, **fields, **({"return_token_ids": True} if api == "vllm" else {})},
        token_prompt,
    )


def text_fields(params: SamplingParams, *, structured: bool) -> dict[str, Json]:
    """What asks for a completion drawn by `params`; their schema goes along where the server is to hold the model to it."""
    fields: dict[str, Json] = {"temperature": params.temperature, "top_p": params.top_p}
    if params.stop:
        fields["stop"] = list(params.stop)
    if params.schema and structured:
        schema = {"name": "answer", "schema": json.loads(params.schema)}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    return fields


def letter_fields() -> dict[str, Json]:
    """What asks for a text verdict."""
    return {"max_tokens": _LETTER_TOKENS, "temperature": 0}


def refuse_prefill(prefill: str) -> None:
    """A chat server opens the answer itself.

    Raises:
        UsageError: a prefill is given.
    """
    if prefill:
        raise UsageError(
            "prefill: a chat server writes the beginning of its answers itself",
            hint="leave prefill out, or set options.api: vllm (or completions) and options.tokenizer",
        )
