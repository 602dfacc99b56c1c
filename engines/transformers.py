"""A model in this process on Hugging Face transformers: the embedded default, which needs no server.

Prompts are sorted into left-padded batches under a token budget; a beginning that several prompts of a call share is computed once
(`engines.batching`). Knows no judging. It never sets thread counts: OMP_NUM_THREADS and torch are the user's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import torch

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
from engines.batching import batches, shared_stems, unshared
from engines.decoding import Decoder
from engines.loading import (
    ModelSource,
    context_length,
    eos_ids,
    find_model,
    hub_errors,
    load_config,
    load_generation_config,
    load_tokenizer,
    quiet,
)
from engines.options import Kinds, checked
from engines.places import Place, torch_place
from engines.prefill import Prefill, can_share, prefill
from engines.prompting import ChatTokenizer
from engines.requests import fitting
from engines.sampling import label_logprobs
from tenet.errors import EngineError, UsageError
from tenet.ids import Json
from tenet.records import Finish

OPTIONS: Final[Kinds] = {
    "device": str,
    "dtype": str,
    "attn_implementation": str,
    "trust_remote_code": bool,
    "revision": str,
    "max_length": int,
    "batch_tokens": int,
    "batch_rows": int,
    "prefix_reuse": bool,
}
_LEAST_STEM: Final = 16
_CPU_TOKENS: Final = 4_096  # a pass that stays in the caches: 1.4 times as fast as 16,384 with a 2M-parameter model
_CPU_GENERATED: Final = 32_768
_GPU_TOKENS: Final = 131_072
_NAN: Final = "the model gave NaN"
_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TransformersEngine(Engine):
    """One causal language model from a folder or the Hub; its weights are loaded when it is first asked.

    Options: `device` (cpu, cuda, ...; default: a GPU if there is one), `dtype` (float32, bfloat16, float16; default: float32 on a CPU,
    bfloat16 elsewhere), `attn_implementation`, `trust_remote_code` (default false), `revision`, `max_length` (at most the model's own),
    `batch_tokens` (padded tokens in one pass), `batch_rows`, `prefix_reuse` (default true).

    Raises:
        MissingInput: the model is not there.
        UsageError: an option is unknown or wrong.
        EngineError: the model does not fit, or the device is not there.
    """

    def __init__(
        self,
        model: str,
        *,
        chat_template_kwargs: Mapping[str, Json] | None = None,
        prefill: str = "",
        options: Mapping[str, Json] | None = None,
    ) -> None:
        chosen = checked("transformers", options or {}, OPTIONS)
        device = _device(chosen.get("device"))
        dtype = _dtype(chosen.get("dtype"), device)
        source = find_model(
            model, revision=chosen.get("revision"), trust_remote_code=bool(chosen.get("trust_remote_code"))
        )
        config, hf_tokenizer = load_config(source), load_tokenizer(source)
        attention = chosen.get("attn_implementation")
        self._load = partial(_load, source, dtype, device, attention)
        self._model: Any = None
        self._closed = False
        self._device = device
        self._tokenizer = ChatTokenizer(hf_tokenizer, chat_template_kwargs=chat_template_kwargs, prefill=prefill)
        self._max_length = context_length(config, chosen.get("max_length"))
        self._eos = eos_ids(config, load_generation_config(source), hf_tokenizer)
        cpu = device.type == "cpu"
        self._tokens = chosen.get("batch_tokens") or (_CPU_TOKENS if cpu else _GPU_TOKENS)
        self._generated = chosen.get("batch_tokens") or (_CPU_GENERATED if cpu else _GPU_TOKENS)
        self._rows = chosen.get("batch_rows") or (64 if cpu else 256)
        self._reuse = chosen.get("prefix_reuse") is not False
        self._info = EngineInfo(
            engine="transformers",
            model=source.name,
            revision=source.revision,
            tokenizer_hash=self._tokenizer.tokenizer_hash,
            template_hash=self._tokenizer.template_hash,
            parameters={"dtype": str(dtype).removeprefix("torch."), "trust_remote_code": source.trust_remote_code},
        )

    @property
    def info(self) -> EngineInfo:
        """What identifies the model."""
        return self._info

    @property
    def capabilities(self) -> Capabilities:
        """Reads labels and generates; the last bits of a probability depend on what a prompt is batched with."""
        return Capabilities(
            label_logprobs=True, generates=True, deterministic=False, prefix_cache=self._reuse,
            batch=2 * self._rows, cache_block=1,
        )  # fmt: skip

    @property
    def place(self) -> Place:
        """The device."""
        return torch_place(self._device)

    @property
    def tokenizer(self) -> ChatTokenizer:
        """Makes this model's prompts."""
        return self._tokenizer

    @property
    def max_length(self) -> int:
        """Most tokens of prompt and completion together."""
        return self._max_length

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        """See `engines.base.Engine.read_labels`."""
        results: dict[int, LabelRead] = {}
        todo = fitting(requests, self._max_length)
        for place, problem in todo.problems.items():
            results[place] = LabelRead((), Usage(len(requests[place].tokens)), error=problem)
        with _running():
            for places, state in self._passes(requests, todo.places, budget=self._tokens):
                rows = label_logprobs(state.logits, labels).tolist()
                for place, row, cached in zip(places, rows, state.cached, strict=True):
                    usage = Usage(len(requests[place].tokens), cached_tokens=cached)
                    broken = any(math.isnan(value) for value in row)
                    results[place] = LabelRead((), usage, _NAN) if broken else LabelRead(tuple(row), usage)
        return [results[place] for place in range(len(requests))]

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """See `engines.base.Engine.generate`."""
        results: dict[int, Completion] = {}
        todo = fitting(requests, self._max_length)
        for place, problem in todo.problems.items():
            results[place] = Completion("", Finish.ERROR, Usage(len(requests[place].tokens)), error=problem)
        decoder = Decoder(self._loaded(), self._tokenizer, params, self._eos, self._max_length)
        with _running():
            for places, state in self._passes(requests, todo.places, budget=self._generated, extra=params.max_tokens):
                completions = decoder.run(state, [requests[place] for place in places])
                results.update(zip(places, completions, strict=True))
        return [results[place] for place in range(len(requests))]

    def load(self) -> None:
        """See `engines.base.Engine.load`."""
        self._loaded()

    def close(self) -> None:
        """Free the model and its memory."""
        self._closed = True
        if self._model is not None:
            self._model = None
            if self._device.type == "cuda":
                torch.cuda.empty_cache()

    def _loaded(self) -> Any:
        """The model, its weights read when it is first asked."""
        if self._closed:
            raise EngineError("this engine is closed")
        if self._model is None:
            self._model = self._load()
            self._reuse = self._reuse and can_share(self._model)
        return self._model

    def _passes(
        self, requests: Sequence[Request], places: Sequence[int], *, budget: int, extra: int = 0
    ) -> Iterator[tuple[list[int], Prefill]]:
        """Run prompts through the model in batches of `budget` tokens, with `extra` to come; yields places in the call and prefill."""
        model = self._loaded()
        prompts = [requests[place].tokens for place in places]
        groups = shared_stems(prompts, _LEAST_STEM) if self._reuse else unshared(prompts)
        for batch in batches(prompts, groups, tokens=budget, rows=self._rows, extra=extra):
            members = [places[index] for group in batch for index in group.members]
            yield members, prefill(model, prompts, batch, keep_cache=extra > 0)


@contextmanager
def _running() -> Iterator[None]:
    """Run without gradients; running out of memory is told with its cure."""
    try:
        with torch.inference_mode():
            yield
    except torch.OutOfMemoryError as error:
        raise EngineError(
            f"the model ran out of memory: {error}",
            hint="lower the options batch_tokens or batch_rows of this engine, or use engine: vllm",
        ) from error


def _device(asked: str | None) -> torch.device:
    try:
        device = torch.device(asked or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise EngineError(f"the device {asked!r} cannot be used: {error}", hint="set options.device to cpu") from error
    return device


def _dtype(asked: str | None, device: torch.device) -> torch.dtype:
    if asked is None:
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    if asked not in _DTYPES:
        raise UsageError(f"options.dtype: {asked!r} is none of {', '.join(_DTYPES)}")
    return _DTYPES[asked]


def _load(source: ModelSource, dtype: torch.dtype, device: torch.device, attention: str | None) -> Any:
    """The weights, in safetensors only, ready to run."""
    from transformers import AutoModelForCausalLM

    extra = {"attn_implementation": attention} if attention else {}
    with quiet(), hub_errors(source.name):
        model = AutoModelForCausalLM.from_pretrained(
            source.location, dtype=dtype, use_safetensors=True, **source.loader_kwargs, **extra
        )
    with _running():
        return model.to(device).eval()
