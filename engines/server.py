"""A model on vLLM's own OpenAI server, which Tenet starts when it is first asked and always stops: one server, or several replicas.

What the model is (`info`, `tokenizer`, `max_length`) is known without a server. Requests go through the HTTP engine, by token ids. Knows
no judging. Flags are `engines.server_flags`'s, the processes `engines.server_process`'s.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
from engines.http import HttpEngine
from engines.http_check import Cures
from engines.http_client import Client, Endpoint
from engines.http_failures import Failure, Trouble
from engines.http_options import OPTIONS as HTTP_OPTIONS
from engines.http_options import http_options
from engines.http_tokenizer import TokenizerFiles, find_tokenizer
from engines.loading import ModelSource, find_model
from engines.options import Kinds, checked
from engines.places import CPU, Place, chosen_gpus, first_gpus, gpus
from engines.prompting import ChatTokenizer
from engines.server_devices import assign_devices, visible_devices
from engines.server_flags import VllmServer, words_of
from engines.server_process import HOST, Launch, ServerProcess
from engines.vllm import CPU_ARGUMENTS, CPU_CACHE, GPU_BLOCK, NEUTRAL, WEIGHTS, gpus_needed
from tenet.errors import EngineError, UsageError
from tenet.ids import Json
from tenet.servers import ServerStats

OWN: Final[Kinds] = {
    "replicas": int, "device_ids": list, "port": int, "start_timeout": (int, float), "log": str, "revision": str,
}  # fmt: skip
TRANSPORT: Final = frozenset(
    {"max_in_flight", "in_flight", "prompts_per_request", "connect_timeout", "read_timeout", "deadline", "tries", "backoff"}
)  # fmt: skip
KEY_VARIABLE: Final = "VLLM_API_KEY"
START_SECONDS: Final = 600.0
_UNKNOWN_LENGTH: Final = 1 << 30
_HERE_ONLY: Final = ("VLLM_ENABLE_V1_MULTIPROCESSING",)  # what the engine vllm sets for this process

Command = Callable[[int], Sequence[str]]


@dataclass(frozen=True)
class Setup:
    """Everything about a model's servers that is known before one is started.

    `flags` are the server's, ours and the user's; `told` those of the user that change what the model says.
    """

    source: ModelSource
    files: TokenizerFiles
    server: VllmServer
    flags: Mapping[str, Json]
    told: Mapping[str, Json]
    transport: Mapping[str, Json]
    replicas: int
    device_ids: Sequence[Json]
    port: int | None
    start_timeout: float
    log: Path | None

    @classmethod
    def of(cls, model: str, options: Mapping[str, Json]) -> Setup:
        """Check a model and its options, starting nothing.

        Raises:
            MissingInput: the model or vLLM is not there.
            UsageError: an option that is wrong.
        """
        server = VllmServer.find()
        others = OWN.keys() | TRANSPORT
        chosen = {name: value for name, value in options.items() if name not in others}
        server.check(chosen, frozenset(others))
        own = checked("vllm-server", {name: options[name] for name in OWN if name in options}, OWN)
        transport = {name: options[name] for name in TRANSPORT if name in options}
        _check_numbers(own, transport)
        source = find_model(
            model, revision=own.get("revision"), trust_remote_code=chosen.get("trust_remote_code") is True
        )
        silent = NEUTRAL | server.serving | {name for name in chosen if name.startswith("data_parallel_")}
        log = own.get("log")
        return cls(
            source=source,
            files=find_tokenizer(source.location, source.asked),
            server=server,
            flags={**_our_flags(source, on_cpu=server.on_cpu), **chosen},
            told={name: value for name, value in chosen.items() if name not in silent},
            transport=transport,
            replicas=own.get("replicas") or 1,
            device_ids=own.get("device_ids") or (),
            port=own.get("port"),
            start_timeout=float(own.get("start_timeout") or START_SECONDS),
            log=Path(log).expanduser() if log else None,
        )

    def command(self, port: int) -> list[str]:
        """The command line of a server. The key is not in it: anybody on the machine can read command lines."""
        return [sys.executable, "-m", self.server.module, "--host", HOST, "--port", str(port), *words_of(self.flags)]

    def environment(self, devices: Sequence[str], key: str) -> dict[str, str]:
        """What the environment of a server has besides this process's."""
        added = {"VLLM_NO_USAGE_STATS": "1", **({KEY_VARIABLE: key} if key else {})}
        if devices:
            added["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
        if self.server.on_cpu:
            added["TORCHDYNAMO_DISABLE"] = os.environ.get("TORCHDYNAMO_DISABLE", "1")
        return added

    def devices(self) -> list[tuple[str, ...]]:
        """Each replica's GPUs; empty ones where it takes what there is.

        Raises:
            UsageError: there are too few GPUs.
        """
        if self.server.on_cpu or (self.replicas == 1 and not self.device_ids):
            return [()] * self.replicas
        share = self.flags.get("gpu_memory_utilization")
        return assign_devices(
            chosen_gpus(self.device_ids) if self.device_ids else visible_devices(), self.replicas,
            gpus_needed(self.flags), share if isinstance(share, int | float) else None,
        )  # fmt: skip

    @property
    def place(self) -> Place:
        """Where the servers run, or will.

        Raises:
            UsageError: there are too few GPUs.
        """
        if self.server.on_cpu:
            return CPU
        assigned = {device for own in self.devices() for device in own}
        return gpus(assigned) if assigned else first_gpus(gpus_needed(self.flags))


def _our_flags(source: ModelSource, *, on_cpu: bool) -> dict[str, Json]:
    """The engine vllm's arguments for the same model, and what the HTTP engine needs of a server."""
    flags: dict[str, Json] = {
        "model": source.location,
        "served_model_name": source.name,
        "seed": 0,
        "load_format": WEIGHTS,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "disable_uvicorn_access_log": True,
        "enable_prompt_tokens_details": True,
    }
    if source.asked:
        flags |= {"revision": source.asked, "tokenizer_revision": source.asked}
    if on_cpu:
        flags |= CPU_ARGUMENTS
        if "VLLM_CPU_KVCACHE_SPACE" not in os.environ:
            flags["kv_cache_memory_bytes"] = CPU_CACHE
    return flags


def _check_numbers(own: Mapping[str, Any], transport: Mapping[str, Json]) -> None:
    """Refuse numbers that mean nothing.

    Raises:
        UsageError: one of them.
    """
    checked("vllm-server", transport, {name: HTTP_OPTIONS[name] for name in TRANSPORT})
    http_options(transport)
    wrong = [name for name in ("replicas", "start_timeout") if own.get(name) is not None and own[name] <= 0]
    if wrong:
        raise UsageError(f"options of the engine vllm-server: {', '.join(wrong)}: must be more than 0")
    port, replicas = own.get("port"), own.get("replicas") or 1
    if port is not None and not 1 <= port <= 65536 - replicas:
        raise UsageError(f"options of the engine vllm-server: port: {port} is no port")


@contextmanager
def running(setup: Setup, *, key: str, command: Command | None = None) -> Iterator[list[ServerProcess]]:
    """Start every replica and wait until all are healthy; stop all at the end, whatever happens.

    Raises:
        UsageError: a port that was asked for is taken, or there are too few GPUs.
        EngineError: one does not start; the others are stopped.
    """
    devices = setup.devices()
    folder = None if setup.log else Path(tempfile.mkdtemp(prefix="tenet-server-"))
    log = setup.log or Path(folder or "", "server.log")
    # On one GPU each measures how much memory is free, so they must not start at once.
    crowded = any(devices) and len(set(devices)) < len(devices)
    processes: list[ServerProcess] = []
    failed = False
    try:
        until = time.monotonic() + setup.start_timeout
        for number, own in enumerate(devices):
            launch = Launch(
                setup.source.name,
                command or setup.command,
                setup.environment(own, key),
                log if setup.replicas == 1 else log.with_name(f"{log.stem}-{number}{log.suffix}"),
                key,
                None if setup.port is None else setup.port + number,
                without=_HERE_ONLY,
            )
            processes.append(ServerProcess(launch))
            if crowded:
                processes[-1].wait(until)
        for process in processes:
            process.wait(until, others=processes)
        yield processes
    except EngineError:
        failed = True
        raise
    finally:
        failed = failed or any(process.died for process in processes)
        with ExitStack() as stack:
            if folder is not None and not failed:  # an error names the log
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
            for process in processes:
                stack.callback(process.stop)
            for process in processes:
                process.ask_to_stop()


@dataclass(frozen=True, slots=True)
class OwnCures(Cures):
    """The words for what is wrong with servers that Tenet started: there is nothing to set, but a log to read."""

    processes: Sequence[ServerProcess] = ()

    def of(self, endpoint: Endpoint, failure: Failure) -> EngineError:
        """The error that a failure means which no other request escapes either."""
        process = next((each for each in self.processes if each.base_url == endpoint.base), None)
        if process is None:
            return Cures.of(self, endpoint, failure)
        if process.ended:
            return process.failure(f"has ended with {process.status()}", "what was answered is kept; ")
        return process.failure(f"fails: {failure.words}", "what was answered is kept; ")


class _OwnClient(Client):
    """A client of servers that Tenet started: when all have ended, nothing is worth waiting for."""

    processes: Sequence[ServerProcess] = ()

    async def post(self, url: Any, body: bytes, timeout: Any) -> dict[str, Any]:
        """See `engines.http_client.Client.post`."""
        try:
            return await super().post(url, body, timeout)
        except Failure as failure:
            lost = failure.trouble in (Trouble.DOWN, Trouble.LOST)
            if lost and all(process.ended for process in self.processes):
                raise Failure(Trouble.FATAL, failure.words) from None
            raise


class OwnHttpEngine(HttpEngine):
    """The HTTP engine on servers that Tenet started, with their key and a tokenizer that is loaded already."""

    def __init__(self, setup: Setup, tokenizer: ChatTokenizer, processes: Sequence[ServerProcess], key: str) -> None:
        self._processes = processes
        self._key = key
        self._given = tokenizer, setup.files
        urls = [process.base_url for process in processes]
        super().__init__(setup.source.name, base_url=urls, options={"api": "vllm", **setup.transport})

    @property
    def processes(self) -> Sequence[ServerProcess]:
        """The servers."""
        return self._processes

    def _prompts(self) -> tuple[ChatTokenizer, TokenizerFiles | None]:
        return self._given

    def _new_client(self) -> Client:
        client = _OwnClient(self._bases, self._key, self._limits)
        client.processes = self._processes
        return client

    @property
    def _cures(self) -> Cures:
        return OwnCures(self._model, KEY_VARIABLE, bool(self._key), self._processes)


class VllmServerEngine(Engine):
    """One model on vLLM's OpenAI server, started on 127.0.0.1 when it is first asked and stopped by `close`, or with this process.

    Options are the server's flags with underscores (`tensor_parallel_size`, `data_parallel_size`, `max_model_len`, `dtype`,
    `quantization`, ...), `revision`, and: `replicas`, so many servers, each on GPUs of its own where there are several (1); `device_ids`,
    the GPUs for all of them (by number among those that this process sees, or by name; all of those); `port`, the
    first one's (any that is free); `start_timeout` in seconds (600); `log`, a file for what the servers print (a temporary one, which
    stays only after a failure); and of the HTTP engine's `max_in_flight`, `in_flight`, `prompts_per_request`, `connect_timeout`,
    `read_timeout`, `deadline`, `tries` and `backoff`. On a CPU the defaults are those of the engine vllm.

    Raises:
        MissingInput: the model or vLLM itself is not there.
        UsageError: an option that the server does not know, or that Tenet sets itself.
    """

    def __init__(
        self,
        model: str,
        *,
        chat_template_kwargs: Mapping[str, Json] | None = None,
        prefill: str = "",
        options: Mapping[str, Json] | None = None,
        _command: Command | None = None,
    ) -> None:
        self._setup = setup = Setup.of(model, options or {})
        self._command = _command
        self._tokenizer = ChatTokenizer(
            setup.files.tokenizer, chat_template_kwargs=chat_template_kwargs, prefill=prefill
        )
        self._info = EngineInfo(
            engine="vllm-server",
            model=setup.source.name,
            revision=setup.source.revision,
            tokenizer_hash=self._tokenizer.tokenizer_hash,
            template_hash=self._tokenizer.template_hash,
            parameters={**setup.told, "dtype": str(setup.flags.get("dtype", "auto"))},
        )
        self._http: OwnHttpEngine | None = None
        self._servers = ExitStack()
        weakref.finalize(self, self._servers.close)
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        """What identifies the model: what the engine vllm says of it."""
        return self._info

    @property
    def capabilities(self) -> Capabilities:
        """Reads labels and generates; the last bits of a probability depend on what a prompt is batched with."""
        flags = self._setup.flags
        block = flags.get("block_size")
        return Capabilities(
            label_logprobs=True, generates=True, deterministic=False,
            prefix_cache=flags.get("enable_prefix_caching") is True, batch=512,
            cache_block=block if isinstance(block, int) else GPU_BLOCK,
        )  # fmt: skip

    @property
    def place(self) -> Place:
        """The CPU, or the servers' GPUs."""
        return self._setup.place

    @property
    def tokenizer(self) -> ChatTokenizer:
        """Makes this model's prompts."""
        return self._tokenizer

    @property
    def max_length(self) -> int:
        """Most tokens of prompt and completion together; once the servers run, what they say."""
        if self._http is not None:
            return self._http.max_length
        known = [self._setup.files.max_length, self._setup.flags.get("max_model_len")]
        return min([each for each in known if isinstance(each, int) and each > 0], default=_UNKNOWN_LENGTH)

    @property
    def processes(self) -> Sequence[ServerProcess]:
        """The servers that run."""
        return () if self._http is None else tuple(self._http.processes)

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """See `engines.base.Engine.read_labels`."""
        return self.started().read_labels(requests, labels)

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """See `engines.base.Engine.generate`."""
        return self.started().generate(requests, params)

    def stream_labels(self, requests: Iterable[Request], labels: Sequence[TokenIds]) -> Iterator[tuple[int, LabelRead]]:
        """See `engines.base.Engine.stream_labels`. Closing it cancels what is in flight."""
        return self.started().stream_labels(requests, labels)

    def stream_completions(
        self, requests: Iterable[Request], params: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """See `engines.base.Engine.stream_completions`. Closing it cancels what is in flight."""
        return self.started().stream_completions(requests, params)

    def check(self) -> None:
        """See `engines.base.Engine.check`. Servers that do not run are not started for it: their GPUs may be another model's for now.
        They are checked when they have started.
        """
        if self._http is not None:
            self._http.check()

    def load(self) -> None:
        """Start the servers and make sure that they give what verdicts are read from.

        Raises:
            EngineError, JudgeUnfit: they do not.
        """
        self.started()

    def stats(self) -> Sequence[ServerStats]:
        """See `engines.base.Engine.stats`; nothing before the servers run."""
        http = self._http
        return () if http is None else http.stats()

    def close(self) -> None:
        """Stop every server, and wait until its memory is free."""
        self._closed = True
        http, self._http = self._http, None
        try:
            if http is not None:
                http.close()
        finally:
            self._servers.close()

    def started(self) -> OwnHttpEngine:
        """The HTTP engine on the servers, which are started when it is first asked.

        Raises:
            EngineError, JudgeUnfit: they do not start or give no verdicts, or this engine is closed.
        """
        if self._closed:
            raise EngineError("this engine is closed")
        if self._http is None:
            key = secrets.token_hex(32)
            processes = self._servers.enter_context(running(self._setup, key=key, command=self._command))
            self._http = OwnHttpEngine(self._setup, self._tokenizer, processes, key)
            self._http.check()
        return self._http
