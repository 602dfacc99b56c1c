"""The scripted server's own words: what it makes of a request's JSON, and the JSON it answers. Knows no socket and no fault's timing.

It speaks the part of the OpenAI interface that Tenet uses, with vLLM's additions (prompts and labels as token ids) unless told to be a
plain server. The answers are `engines.scripted`'s.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engines.base import LabelRead, Request, SamplingParams, TokenIds
from engines.bytelevel import ByteTokenizer
from engines.rules import labels_asked, pair_of
from engines.scripted import ScriptedEngine
from engines.scripted_faults import Fault
from engines.spans import untrusted

_FILLERS: Final = ("The", "I", "Response", "Both", "\n", "**", "Well", "It")
MASKED: Final = -9999.0
_UNLIKELY: Final = -100.0
_A_LETTER: Final = 8  # a question about a pair with room for no more than this is answered with its letter


class BadRequest(Exception):
    """A request that a server refuses; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Style:
    """How the server presents itself: its model's name, whether it has vLLM's additions, whether it gives log-probabilities
    and whether it takes prompts as token ids.
    """

    model: str = "scripted"
    vllm: bool = True
    logprobs: bool = True
    max_length: int = 65_536
    ids: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as understood: the prompts and how to answer them."""

    prompts: tuple[TokenIds, ...]
    params: SamplingParams
    seed: int
    top: int | None
    label_ids: tuple[int, ...]
    as_ids: bool
    give_ids: bool
    chat: bool


class Desk:
    """Reads requests and writes answers with one scripted engine."""

    def __init__(self, engine: ScriptedEngine, style: Style) -> None:
        self.style = style
        self._engine = engine

    def models(self) -> dict[str, Any]:
        """The body of /v1/models."""
        owner = "vllm" if self.style.vllm else "tenet"
        card = {"id": self.style.model, "object": "model", "created": 0, "owned_by": owner}
        if self.style.vllm:
            card["max_model_len"] = self.style.max_length
        return {"object": "list", "data": [card]}

    def understand(self, body: Mapping[str, Any], *, chat: bool) -> Asked:
        """Read a request's JSON.

        Raises:
            BadRequest: an unknown model, no prompt, or a prompt that is too long.
        """
        if body.get("model") != self.style.model:
            raise BadRequest(404, f"The model `{body.get('model')}` does not exist.")
        prompts = (self._conversation(body),) if chat else _prompts(body.get("prompt"), ids=self.style.ids)
        longest = max(map(len, prompts), default=0)
        if not longest or not min(map(len, prompts)):
            raise BadRequest(400, "a prompt must hold at least one token")
        if longest >= self.style.max_length:
            raise BadRequest(
                400,
                f"This model's maximum context length is {self.style.max_length} tokens. However, your request has "
                f"{longest} input tokens.",
            )
        top = body.get("top_logprobs" if chat else "logprobs")
        vllm = self.style.vllm
        return Asked(
            prompts=prompts,
            params=SamplingParams(
                int(body.get("max_tokens") or 16),
                float(body.get("temperature", 1.0)),
                float(body.get("top_p", 1.0)),
                tuple(body.get("stop") or ()),
            ),
            seed=int(body.get("seed") or 0),
            top=int(top) if self.style.logprobs and top is not None else None,
            label_ids=tuple(body.get("logprob_token_ids") or ()) if vllm else (),
            as_ids=vllm and body.get("return_tokens_as_token_ids") is True,
            give_ids=vllm and body.get("return_token_ids") is True,
            chat=chat,
        )

    def answer(self, asked: Asked, faults: Sequence[Fault | None]) -> dict[str, Any]:
        """The body of a 200, each choice spoilt as its fault says."""
        requests = [Request(tokens, asked.seed) for tokens in asked.prompts]
        if asked.top is None:
            choices = self._texts(asked, requests)
        else:
            choices = [
                self._choice(asked, place, *read, fault)
                for place, (read, fault) in enumerate(zip(self._read(requests), faults, strict=True))
            ]
        length = sum(map(len, asked.prompts))
        written = sum(len(choice.get("token_ids", " ")) for choice in choices)
        usage = {"prompt_tokens": length, "completion_tokens": written, "total_tokens": length + written}
        if Fault.EMPTY_CHOICES in faults:
            choices = []
        return {"id": "cmpl-0", "object": "text_completion", "created": 0, "model": self.style.model,
                "choices": choices, "usage": usage}  # fmt: skip

    def _read(self, requests: Sequence[Request]) -> list[tuple[Mapping[str, TokenIds], LabelRead]]:
        """The labels that each prompt asks for, and how they are read: prompts that ask for the same in one call."""
        tokenizer = self._engine.tokenizer
        places: dict[tuple[str, ...], list[int]] = {}
        for place, request in enumerate(requests):
            places.setdefault(labels_asked(tokenizer.decode(request.tokens)), []).append(place)
        found: dict[int, tuple[Mapping[str, TokenIds], LabelRead]] = {}
        for names, members in places.items():
            labels = dict(zip(names, tokenizer.label_set(names), strict=True))
            reads = self._engine.read_labels([requests[place] for place in members], list(labels.values()))
            found.update((place, (labels, read)) for place, read in zip(members, reads, strict=True))
        return [found[place] for place in range(len(requests))]

    def _texts(self, asked: Asked, requests: Sequence[Request]) -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = []
        written: list[tuple[str, str, TokenIds]] = []
        for request in requests:
            if asked.params.max_tokens <= _A_LETTER and pair_of(self._engine.tokenizer.decode(request.tokens)):
                ((_, read),) = self._read([request])
                letter = "A" if read.logprobs[0] >= read.logprobs[1] else "B"
                written.append((letter, "stop", tuple(letter.encode())))
            else:
                found = self._engine.generate([request], asked.params)[0]
                written.append((found.text, found.finish.value, found.tokens))
        for place, (text, finish, tokens) in enumerate(written):
            content = {"message": {"role": "assistant", "content": text}} if asked.chat else {"text": text}
            ids = {"token_ids": list(tokens)} if asked.give_ids else {}
            choices.append({"index": place, **content, "logprobs": None, "finish_reason": finish, **ids})
        return choices

    def _choice(
        self, asked: Asked, place: int, labels: Mapping[str, TokenIds], read: LabelRead, fault: Fault | None
    ) -> dict[str, Any]:
        """One choice with the log-probabilities of its first token."""
        values = dict(zip(labels, read.logprobs, strict=True))
        first_label, *_, last_label = values
        if fault is Fault.NAN:
            values[first_label] = math.nan
        elif fault is Fault.MASKED:
            values[last_label] = MASKED
        elif fault is Fault.MISSING_LABEL:
            del values[min(values, key=lambda label: values[label])]
        letter = max(values, key=lambda label: values[label])
        shown = self._by_ids(asked, labels, values) if asked.label_ids else _top(values, asked.top or 0)
        if asked.as_ids and not asked.label_ids:
            shown = {f"token_id:{ord(name[0])}": value for name, value in shown.items()}
        choice: dict[str, Any] = {"index": place, "finish_reason": "length"}
        if asked.chat:
            entries = [{"token": name, "logprob": value, "bytes": list(name.encode())} for name, value in shown.items()]
            choice["message"] = {"role": "assistant", "content": letter}
            first = {
                "token": letter,
                "logprob": values[letter],
                "bytes": list(letter.encode()),
                "top_logprobs": entries,
            }
            choice["logprobs"] = {"content": [first]}
            return choice
        choice["text"] = letter
        choice["logprobs"] = {"text_offset": [0], "tokens": [letter], "token_logprobs": [values[letter]],
                              "top_logprobs": [shown]}  # fmt: skip
        return choice

    def _by_ids(self, asked: Asked, labels: Mapping[str, TokenIds], values: Mapping[str, float]) -> dict[str, float]:
        """The asked ids' log-probabilities; a label's first variant has all of its probability."""
        owners = {ids[0]: label for label, ids in labels.items()}
        found = {}
        for token in asked.label_ids:
            label = owners.get(token)
            if label is None or label in values:
                found[f"token_id:{token}" if asked.as_ids else chr(token)] = values[label] if label else _UNLIKELY
        return found

    def _conversation(self, body: Mapping[str, Any]) -> TokenIds:
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise BadRequest(400, "messages: must be a list of at least one message")
        return self._engine.tokenizer.chat(
            [(str(turn["role"]), [untrusted(str(turn["content"]))]) for turn in messages]
        )


def read_json(body: bytes) -> Mapping[str, Any]:
    """A request's JSON.

    Raises:
        BadRequest: it is none, or no object.
    """
    try:
        found = json.loads(body)
    except ValueError as error:
        raise BadRequest(400, f"the body is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadRequest(400, "the body is no JSON object")
    return found


def _prompts(given: Any, *, ids: bool) -> tuple[TokenIds, ...]:
    several = given if isinstance(given, list) and given and isinstance(given[0], list | str) else [given]
    if not ids and not all(isinstance(each, str) for each in several):
        raise BadRequest(400, "prompt: must be a text or a list of texts")
    return tuple(map(_ids, several))


def _ids(given: Any) -> TokenIds:
    if isinstance(given, str):
        return tuple(ByteTokenizer().encode(given, add_special_tokens=True))
    try:
        array("I", given)  # the quickest check that all of them are ids
        return tuple(given)
    except (TypeError, OverflowError):
        raise BadRequest(400, "prompt: must be a text, token ids, or a list of either") from None


def _top(values: Mapping[str, float], count: int) -> dict[str, float]:
    """The most probable tokens, best first: the labels, and fillers that share what is left."""
    left = max(1e-9, 1.0 - sum(map(math.exp, (value for value in values.values() if not math.isnan(value)))))
    pool = dict(values)
    for place, word in enumerate(_FILLERS):
        pool[word] = math.log(left) - math.log(2.0) * (place + 1)
    ordered = sorted(pool.items(), key=lambda item: -item[1] if not math.isnan(item[1]) else -math.inf)
    return dict(ordered[:count])
