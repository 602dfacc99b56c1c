"""Any OpenAI-compatible server, or several with the same model, as an engine.

A server that is vLLM gets prompts as token ids and gives each label's own log-probability. Other servers give the most probable tokens
(`completions`, by token ids, or where it takes none by text; `chat`, by messages), or only text (`verdicts: text`). Requests go through a
sliding window over all servers (`engines.http_flow`); prompts are taken as there is room, so memory does not grow with their number.
Knows no judging.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final, TypeVar

from yarl import URL

from engines.base import (
    Capabilities,
    Completion,
    Engine,
    EngineInfo,
    LabelRead,
    Request,
    SamplingParams,
    TokenIds,
)
from engines.http_check import Cures, Served, clean_bases, introduce
from engines.http_client import Client, Limits
from engines.http_failures import Failure, together
from engines.http_flow import Flow, Job, Plan
from engines.http_loop import LoopThread
from engines.http_options import DEFAULT_KEY, SECONDS, http_options
from engines.http_retries import Patience
from engines.http_text import messages
from engines.http_tokenizer import TokenizerFiles, find_tokenizer
from engines.http_window import START, Window
from engines.http_wire import (
    Frame,
    LabelPlan,
    TextPlan,
    by_ids,
    by_letter,
    by_text,
    id_frame,
    letter_fields,
    refuse_prefill,
    text_fields,
    text_prompt,
)
from engines.places import Place, address
from engines.prompting import ChatTokenizer, trusted
from engines.requests import fitting
from tenet.errors import EngineError, JudgeUnfit, TenetError
from tenet.ids import Json
from tenet.servers import ServerStats

R = TypeVar("R", LabelRead, Completion)

_SINGLE: Final = 256
_BATCHED: Final = 16
_PROMPTS: Final = 50
_UNKNOWN_LENGTH: Final = 1 << 30
_TEXTS: Final = 2048
_CONTROL: Final = (
    "the prompt cannot be sent as text (options.prompts): the server's tokenizer would read control tokens out of what is no "
    "template, or another text"
)
_MASKS: Final = "the server restricts what the model may write; take that out of its settings"
_NEUTRAL: Final[dict[str, Json]] = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
"""vLLM would else draw by the model's generation_config.json."""


class HttpEngine(Engine):
    """A model behind one or several OpenAI-compatible servers; nothing is asked of them before it is needed.

    Options: `api` (auto, vllm, completions, chat); `prompts` (ids; text for a `completions` server that takes no token ids: a prompt
    out of which `tokenizer` would read control tokens that are not the template's is refused, which protects as far as the server's
    tokenizer is the same); `verdicts` (logprobs; text takes the letter that the model writes; none for a model
    that only completes); `tokenizer`, a folder or hub id, with `revision` (the model's name); `api_key_env`, the environment variable that
    holds the key (OPENAI_API_KEY); `max_in_flight`, most requests at once, found by trial below that (256; 16 a server where
    requests carry many prompts), or `in_flight`, that many without trial; `prompts_per_request` of label reads (50 on vLLM, else 1);
    seconds for `connect_timeout` (10), `read_timeout` (120) and `deadline`, a request with all its retries (600); `tries` of a request
    that fails on the server's side (5) and `backoff`, the first pause between them (0.5); `max_length` in tokens; `top_logprobs` (20);
    `trust_env` takes proxies from the environment (false); `structured` sends JSON Schemas as `response_format` (on vLLM, else not).

    Raises:
        UsageError: an option or address that is wrong, or a key where its variable's name belongs.
        MissingInput: no tokenizer where the api needs one.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: Sequence[str] = (),
        chat_template_kwargs: Mapping[str, Json] | None = None,
        prefill: str = "",
        options: Mapping[str, Json] | None = None,
    ) -> None:
        chosen = http_options(options or {})
        self._model = model
        self._bases = clean_bases(base_url)
        self._chat_kwargs = dict(chat_template_kwargs or {})
        self._prefill = prefill
        self._options = chosen
        self._verdicts: str = chosen.get("verdicts") or "logprobs"
        self._as_text = chosen.get("prompts") == "text"
        self._text_of = lru_cache(_TEXTS)(self._made_text)
        self._variable: str = chosen.get("api_key_env") or DEFAULT_KEY
        self._limits = Limits(*(float(chosen.get(name) or default) for name, default in SECONDS.items()))
        self._patience = Patience(int(chosen.get("tries") or 5), float(chosen.get("backoff") or 0.5))
        self._api: str = chosen.get("api") or "auto"
        self._served: Served | None = None
        self._made: tuple[ChatTokenizer, TokenizerFiles | None] | None = None
        self._thread: LoopThread | None = None
        self._client: Client | None = None
        self._closed = False
        self._learnt: dict[str, list[int]] = {}
        self._streams: list[Sequence[Window]] = []
        if self._api != "auto":
            self._prompts()

    # What it is

    @property
    def info(self) -> EngineInfo:
        """What identifies the model and how it is read; addresses, keys and timings play no part."""
        api = self._resolved()
        tokenizer, files = self._prompts()
        parameters: dict[str, Json] = {"api": api, "protection": "text" if api == "chat" or self._as_text else "ids"}
        if self._verdicts == "text":
            parameters["verdicts"] = "text"
        elif self._verdicts == "logprobs" and api != "vllm":
            parameters["top_logprobs"] = self._top
        if api == "chat" and self._chat_kwargs:
            parameters["chat_template_kwargs"] = self._chat_kwargs
        revision = self._options.get("revision") or (files.revision if files else "")
        return EngineInfo("http", self._model, revision, tokenizer.tokenizer_hash, tokenizer.template_hash, parameters)

    @property
    def capabilities(self) -> Capabilities:
        """Completes, and reads labels unless `verdicts` is none; what a server batches together is its own affair."""
        api = self._resolved()
        return Capabilities(
            label_logprobs=self._verdicts != "none",
            generates=True,
            deterministic=False,
            prefix_cache=api == "vllm",
            batch=512, continues=api != "chat",
        )  # fmt: skip

    @property
    def place(self) -> Place:
        """The servers. What they run on is not known here."""
        urls = [URL(base) for base in self._bases]
        return frozenset(address(url.host or "", url.port or 0) for url in urls)

    @property
    def tokenizer(self) -> ChatTokenizer:
        """Makes this model's prompts: token ids, or for a chat server messages as bytes."""
        return self._prompts()[0]

    @property
    def max_length(self) -> int:
        """Most tokens of prompt and completion together, as far as is known here; servers refuse what is longer for them."""
        if chosen := self._options.get("max_length"):
            return int(chosen)
        if self._resolved() == "chat":
            return _UNKNOWN_LENGTH  # its tokens are bytes
        files = self._prompts()[1]
        known = [length for length in (files and files.max_length, self._served and self._served.max_length) if length]
        return min(known, default=_UNKNOWN_LENGTH)

    # What it does

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """See `engines.base.Engine.read_labels`."""
        found = dict(self.stream_labels(requests, labels))
        return [found[place] for place in range(len(requests))]

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """See `engines.base.Engine.generate`."""
        found = dict(self.stream_completions(requests, params))
        return [found[place] for place in range(len(requests))]

    def stream_labels(self, requests: Iterable[Request], labels: Sequence[TokenIds]) -> Iterator[tuple[int, LabelRead]]:
        """See `engines.base.Engine.stream_labels`. Closing it cancels what is in flight."""
        if self._verdicts == "none":
            raise EngineError(
                f"the engine http of {self._model} was told to read no labels",
                hint="set options.verdicts: logprobs, or text",
            )
        default = _PROMPTS if self._resolved() == "vllm" else 1
        group = 1 if self._resolved() == "chat" else int(self._options.get("prompts_per_request") or default)
        yield from self._stream(self._label_plan(labels), requests, group)

    def stream_completions(
        self, requests: Iterable[Request], params: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """See `engines.base.Engine.stream_completions`. Closing it cancels what is in flight."""
        yield from self._stream(self._text_plan(params), requests, 1)

    def check(self) -> None:
        """See `engines.base.Engine.check`: every server is there, knows the model and the key, and gives what verdicts are read from.

        Raises:
            EngineError, JudgeUnfit: it is not so; with the cure.
        """
        self._served = None  # asked anew each time
        self._introduced()
        if self._verdicts == "none":
            return
        tokenizer = self.tokenizer
        plan = self._label_plan(tokenizer.label_set(("A", "B")))
        probe = Request(
            tokenizer.chat([("user", [trusted("Which letter comes first, A or B? Answer with one letter.")])])
        )
        thread, client = self._connected()
        problems = [
            problem
            for endpoint in client.endpoints
            if (problem := thread.call(self._probe(client, endpoint.base, plan, probe))) is not None
        ]
        if problems:
            raise together(problems)

    def stats(self) -> Sequence[ServerStats]:
        """See `engines.base.Engine.stats`; asks nothing of anybody."""
        client, now = self._client, time.monotonic()
        if client is None:
            return ()
        streams = tuple(self._streams)
        return [
            endpoint.log.stats(
                endpoint.base, now, window=sum(windows[place].limit for windows in streams),
                resting=endpoint.rests_until > now,
            )
            for place, endpoint in enumerate(client.endpoints)
        ]  # fmt: skip

    def close(self) -> None:
        """Cancel what is in flight and close the connections."""
        self._closed = True
        thread, client = self._thread, self._client
        self._thread = self._client = None
        if thread is not None and client is not None:
            thread.call(client.close())
            thread.stop()

    # How

    @property
    def _top(self) -> int:
        return int(self._options.get("top_logprobs") or 20)

    def _resolved(self) -> str:
        """The api, found out by asking the servers where it is to be."""
        if self._api == "auto":
            vllm = self._introduced().vllm
            self._api = "vllm" if vllm else "completions" if self._options.get("tokenizer") else "chat"
        return self._api

    def _prompts(self) -> tuple[ChatTokenizer, TokenizerFiles | None]:
        if self._made is None:
            if self._resolved() == "chat":
                from engines.bytelevel import ByteTokenizer

                refuse_prefill(self._prefill)
                self._made = ChatTokenizer(ByteTokenizer()), None
            else:
                revision = self._options.get("revision")
                files = find_tokenizer(self._options.get("tokenizer") or self._model, revision)
                made = ChatTokenizer(files.tokenizer, chat_template_kwargs=self._chat_kwargs, prefill=self._prefill)
                self._made = made, files
        return self._made

    def _connected(self) -> tuple[LoopThread, Client]:
        if self._closed:
            raise EngineError("this engine is closed")
        if self._thread is None or self._client is None:
            self._thread = LoopThread("tenet-http")

            async def made() -> Client:
                return self._new_client()

            self._client = self._thread.call(made())
        return self._thread, self._client

    def _new_client(self) -> Client:
        """The client, made inside its loop. A host that starts its own servers makes another."""
        key = os.environ.get(self._variable, "").strip()
        return Client(self._bases, key, self._limits, trust_env=self._options.get("trust_env") is True)

    @property
    def _cures(self) -> Cures:
        return Cures(self._model, self._variable, bool(os.environ.get(self._variable, "").strip()))

    def _introduced(self) -> Served:
        if self._served is None:
            thread, client = self._connected()
            self._served = thread.call(introduce(client, self._cures))
        return self._served

    async def _probe(self, client: Client, base: str, plan: LabelPlan, request: Request) -> TenetError | None:
        endpoint = next(each for each in client.endpoints if each.base == base)
        try:
            answer = await client.post(
                endpoint.url(plan.path), plan.encode([request]), self._limits.attempt(self._limits.deadline)
            )
        except Failure as failure:
            return self._cures.of(endpoint, failure)
        try:
            found = plan.decode(answer, [request])[0]
        except Failure as failure:
            found = failure
        if isinstance(found, Failure):
            return JudgeUnfit(
                f"{base}: {found.words}",
                hint="a judge needs log-probabilities: use a server that gives them (vLLM does), or set options.verdicts: text to take "
                "the letter that the model writes, without its confidence",
            )
        return JudgeUnfit(f"{base}: {found.error}", hint=_MASKS) if found.error and found.kind == "logprobs" else None

    def _label_plan(self, labels: Sequence[TokenIds]) -> LabelPlan:
        api = self._resolved()
        if self._verdicts == "text":
            frame = self._chat_frame(letter_fields()) if api == "chat" else self._frame("", letter_fields())
            return LabelPlan(frame, by_letter(self._texts(labels)))
        one: dict[str, Json] = {"max_tokens": 1, "temperature": 0}
        if api == "vllm":
            wanted = list(dict.fromkeys(token for ids in labels for token in ids))
            ids: dict[str, Json] = {"logprobs": 1, "logprob_token_ids": wanted, "return_tokens_as_token_ids": True}
            return LabelPlan(id_frame(self._model, "", {**one, **ids}), by_ids(labels))
        if api == "completions":
            frame = self._frame("", {**one, "logprobs": self._top})
        else:
            frame = self._chat_frame({**one, "logprobs": True, "top_logprobs": self._top})
        return LabelPlan(frame, by_text(self._texts(labels)))

    def _texts(self, labels: Sequence[TokenIds]) -> list[str]:
        """The labels as text, without white space."""
        return [self.tokenizer.decode(ids[:1], skip_special=False).strip() for ids in labels]

    def _text_plan(self, params: SamplingParams) -> TextPlan:
        api = self._resolved()
        structured = self._options.get("structured", api == "vllm")
        fields = text_fields(params, structured=structured)
        if api == "chat":
            frame = self._chat_frame(fields)
        else:
            frame = self._frame(api, {**fields, **(_NEUTRAL if api == "vllm" else {})})
        limit = self.max_length
        return TextPlan(frame, params, lambda request: limit - len(request.tokens), seeded=True)

    def _frame(self, api: str, fields: Mapping[str, Json]) -> Frame:
        """Bodies of /completions."""
        if not self._as_text:
            return id_frame(self._model, api, fields)

        def prompt(requests: Sequence[Request]) -> str:
            return text_prompt([self._text_of(request.tokens) or "" for request in requests])

        return Frame("/completions", {"model": self._model, **fields}, prompt)

    def _made_text(self, tokens: TokenIds) -> str | None:
        return self.tokenizer.as_text(tokens)

    def _unsendable(self, request: Request) -> str:
        return _CONTROL if self._as_text and self._text_of(request.tokens) is None else ""

    def _chat_frame(self, fields: Mapping[str, Json]) -> Frame:
        kwargs: dict[str, Json] = {"chat_template_kwargs": self._chat_kwargs} if self._chat_kwargs else {}
        return Frame(
            "/chat/completions",
            {"model": self._model, **fields, **kwargs},
            lambda requests: '"messages": ' + json.dumps(messages(requests[0].tokens), ensure_ascii=False),
        )

    def _windows(self, kind: str, group: int) -> tuple[list[Window], int]:
        """A window a server, as wide as the last stream of this kind found best; and the most requests over all."""
        if fixed := self._options.get("in_flight"):
            return [Window(int(fixed), fixed=True) for _ in self._bases], int(fixed)
        most = int(self._options.get("max_in_flight") or (_SINGLE if group == 1 else _BATCHED * len(self._bases)))
        starts = self._learnt.get(kind, [START] * len(self._bases))
        return [Window(most, start=start) for start in starts], most

    def _stream(self, plan: Plan[R], requests: Iterable[Request], group: int) -> Iterator[tuple[int, R]]:
        thread, client = self._connected()
        kind = f"{plan.path} {group}"
        windows, most = self._windows(kind, group)
        flow = Flow(thread, client, plan, windows, most, self._patience, self._cures.of)
        self._streams.append(windows)
        try:
            yield from pulled(flow, plan, requests, group, self.max_length, self._unsendable)
        finally:
            flow.close()
            self._streams.remove(windows)
            self._learnt[kind] = [window.limit for window in windows]


def pulled(
    flow: Flow[R],
    plan: Plan[R],
    requests: Iterable[Request],
    group: int,
    max_length: int,
    unsendable: Callable[[Request], str],
) -> Iterator[tuple[int, R]]:
    """Feed a flow as it has room, and give its results as they are ready; prompts that cannot fit never reach it.

    A job holds requests that should go to one server; what is left of a server's is sent at the end.

    Raises:
        EngineError: no server can be used any more; what was answered before has been given.
    """
    source = iter(requests)
    inbox = flow.inbox
    waiting: dict[int | None, list[tuple[int, Request]]] = {}
    taken = unanswered = 0
    ended = False
    while not ended or unanswered:
        if not ended and unanswered < flow.appetite * group + flow.homes.ahead:
            chunk = list(islice(source, group))
            ended = len(chunk) < group
            fit = fitting(chunk, max_length)
            problems = fit.problems | {place: words for place in fit.places if (words := unsendable(chunk[place]))}
            for place in (place for place in fit.places if place not in problems):
                waiting.setdefault(flow.homes.of(chunk[place].group), []).append((taken + place, chunk[place]))
            for home, held in waiting.items():
                while held and (ended or len(held) >= group):
                    places, sent = zip(*held[:group], strict=True)
                    del held[:group]
                    flow.put(Job(places, sent, plan.encode(sent), home))
                    unanswered += len(sent)
            first = taken
            taken += len(chunk)
            for place, problem in problems.items():
                yield first + place, plan.failed(chunk[place], problem)
        elif not inbox.items:
            inbox.wait()
        for _ in range(len(inbox.items)):
            item = inbox.items.popleft()
            if isinstance(item, BaseException):
                raise item
            unanswered -= len(item)
            yield from item
