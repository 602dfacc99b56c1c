"""Answers by rule, with latency and faults on order: one deterministic fake for users, tests and benchmarks. Hosts no model.

Which requests meet a fault follows from their tokens, so a run gives the same rows in whatever order and however often it is asked.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Final

from engines.base import (
    Capabilities,
    Completion,
    Engine,
    EngineInfo,
    LabelRead,
    Request,
    SamplingParams,
    TokenIds,
    Usage,
)
from engines.bytelevel import ByteTokenizer
from engines.options import Kinds, checked
from engines.places import Place
from engines.prompting import ChatTokenizer
from engines.requests import fitting
from engines.rules import Rule, pair_of, reply, response_of, scale_logprobs, softplus
from engines.scripted_log import note_asked
from tenet.errors import EngineError
from tenet.ids import Json, unit_interval
from tenet.records import Finish

_NUMBER: Final = (int, float)
OPTIONS: Final[Kinds] = {
    "gain": _NUMBER,
    "noise": _NUMBER,
    "position_bias": _NUMBER,
    "label_mass": _NUMBER,
    "errors": _NUMBER,
    "low_mass": _NUMBER,
    "unparsed": _NUMBER,
    "transient": bool,
    "latency": _NUMBER,
    "max_length": int,
    "batch": int,
    "device": str,
    "log": str,
}


class ScriptedEngine(Engine):
    """A rule (`longer`, `shorter`, `hash`, `word:WORD`) in a model's place.

    Options: `gain` multiplies the log-odds (1); `noise` is the spread of what is added to them, `position_bias` what the response shown
    first gets (0); `label_mass` is P(A) + P(B) (0.98). `errors`, `low_mass` and `unparsed` are shares of requests that fail, get a label
    mass of 0.1, or write a critique without a verdict (0); with `transient` a request fails the first time only. `latency` is seconds
    a call (0); `max_length` tokens, which are bytes (65,536); `batch` the calls' declared size (64); `device` is where it says that it
    runs (cpu); `log` a file to which every question asked is appended (`engines.scripted_log`).

    Raises:
        UsageError: an unknown rule or option.
    """

    def __init__(
        self,
        model: str = "hash",
        *,
        chat_template_kwargs: Mapping[str, Json] | None = None,  # noqa: ARG002 - its template takes none
        prefill: str = "",
        options: Mapping[str, Json] | None = None,
    ) -> None:
        chosen = checked("scripted", options or {}, OPTIONS)
        number = {name: float(value) for name, value in chosen.items() if OPTIONS[name] is _NUMBER}
        self._rule = Rule(model)
        self._gain, self._noise = number.get("gain", 1.0), number.get("noise", 0.0)
        self._bias, self._mass = number.get("position_bias", 0.0), number.get("label_mass", 0.98)
        self._shares = {name: number.get(name, 0.0) for name in ("errors", "low_mass", "unparsed")}
        self._latency = number.get("latency", 0.0)
        self._transient = bool(chosen.get("transient"))
        self._failed: set[TokenIds] = set()
        self._max_length = int(chosen.get("max_length") or 65_536)
        self._place = frozenset({str(chosen.get("device") or "cpu")})
        self._batch = int(chosen.get("batch") or 64)
        self._log = str(chosen.get("log") or "")
        self._tokenizer = ChatTokenizer(ByteTokenizer(), prefill=prefill)
        self._info = EngineInfo(
            engine="scripted",
            model=model,
            tokenizer_hash=self._tokenizer.tokenizer_hash,
            template_hash=self._tokenizer.template_hash,
            parameters={name: number[name] for name in sorted(number) if name != "latency"},
        )

    @property
    def info(self) -> EngineInfo:
        """What identifies the script."""
        return self._info

    @property
    def capabilities(self) -> Capabilities:
        """Everything, and bit for bit the same each time."""
        return Capabilities(
            label_logprobs=True, generates=True, deterministic=True, prefix_cache=False, batch=self._batch
        )

    @property
    def place(self) -> Place:
        """The device that the options name."""
        return self._place

    @property
    def tokenizer(self) -> ChatTokenizer:
        """Makes prompts of bytes."""
        return self._tokenizer

    @property
    def max_length(self) -> int:
        """Most bytes of prompt and completion together."""
        return self._max_length

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """See `engines.base.Engine.read_labels`.

        Raises:
            EngineError: other than two labels, of which the first stands for the response shown first, where the prompt does not show
                one response alone; there the labels are a scale, the worst first.
        """
        if len(labels) < 2:
            raise EngineError(
                f"the scripted engine compares two responses, or rates one; {len(labels)} labels were asked for"
            )
        note_asked(self._log, ((request.tokens, 0) for request in requests))
        self._wait()
        problems = fitting(requests, self._max_length).problems
        return [self._read(request, len(labels), problems.get(place, "")) for place, request in enumerate(requests)]

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """See `engines.base.Engine.generate`."""
        note_asked(self._log, ((request.tokens, request.seed) for request in requests))
        self._wait()
        problems = fitting(requests, self._max_length).problems
        return [self._write(request, params, problems.get(place, "")) for place, request in enumerate(requests)]

    def close(self) -> None:
        """Nothing to free."""

    def _wait(self) -> None:
        if self._latency:  # a sleep of nothing is a system call that takes longer than the answer
            time.sleep(self._latency)

    def _meets(self, fault: str, request: Request) -> bool:
        share = self._shares[fault]
        if not share or unit_interval(fault, list(request.tokens), request.seed) >= share:
            return False
        if not self._transient:
            return True
        again = request.tokens in self._failed
        self._failed.add(request.tokens)
        return not again

    def _read(self, request: Request, labels: int, problem: str) -> LabelRead:
        usage = Usage(len(request.tokens))
        if problem or self._meets("errors", request):
            return LabelRead((), usage, error=problem or "a fault on order")
        prompt = self._tokenizer.decode(request.tokens)
        pair, alone = pair_of(prompt), response_of(prompt)
        if pair is None and alone is not None:
            logit = self._gain * self._rule.excess(alone)
        elif labels == 2:
            first, second = pair or (prompt, "")
            logit = self._gain * (self._rule.score(first) - self._rule.score(second)) + self._bias
        else:
            raise EngineError(f"the scripted engine compares two responses; {labels} labels were asked for")
        if self._noise:
            u = unit_interval("noise", prompt)
            logit += self._noise * math.log(u / (1.0 - u))
        logit = max(-30.0, min(30.0, logit))
        mass = 0.1 if self._meets("low_mass", request) else self._mass
        if pair is None and alone is not None:
            return LabelRead(tuple(math.log(mass) + value for value in scale_logprobs(logit, labels)), usage)
        return LabelRead((math.log(mass) - softplus(-logit), math.log(mass) - softplus(logit)), usage)

    def _write(self, request: Request, params: SamplingParams, problem: str) -> Completion:
        usage = Usage(len(request.tokens))
        if problem or self._meets("errors", request):
            return Completion("", Finish.ERROR, usage, error=problem or "a fault on order")
        prompt = self._tokenizer.decode(request.tokens)
        seed = request.seed if params.temperature > 0 else 0
        text = reply(prompt, self._rule, seed, parsed=not self._meets("unparsed", request))
        cuts = [place for stop in params.stop if (place := text.find(stop)) >= 0]
        tokens = tuple(text[: min(cuts, default=len(text))].encode())
        room = min(params.max_tokens, self._max_length - len(request.tokens))
        finish = Finish.STOP if len(tokens) <= room else Finish.LENGTH
        kept = tokens[:room]
        return Completion(self._tokenizer.decode(kept), finish, Usage(len(request.tokens), len(kept)), kept)
