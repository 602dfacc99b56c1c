"""A model in this process on vLLM, GPU or CPU: the host for large models and large runs.

Prompts go in as token ids with prefix caching on; a label read is one prefill without a decode step (`logprob_token_ids`). Knows no
judging. What vLLM would do to the surrounding process (log noise, usage statistics) is kept away by `engines.vllm_process`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
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
    Usage,
)
from engines.loading import (
    ModelSource,
    context_length,
    eos_ids,
    find_model,
    load_config,
    load_generation_config,
    load_tokenizer,
)
from engines.places import CPU, Place, chosen_gpus, first_gpus, gpus
from engines.prompting import ChatTokenizer
from engines.requests import fitting
from engines.vllm_process import VllmProcess
from tenet.errors import EngineError, UsageError
from tenet.ids import Json
from tenet.records import Finish

OURS: Final = frozenset({"model", "tokenizer", "revision", "tokenizer_revision", "seed", "skip_tokenizer_init"})
NEUTRAL: Final = frozenset(
    {
        "block_size",
        "device_ids",
        "disable_log_stats",
        "distributed_executor_backend",
        "download_dir",
        "enable_prefix_caching",
        "enforce_eager",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "max_model_len",
        "max_num_batched_tokens",
        "max_num_seqs",
        "pipeline_parallel_size",
        "tensor_parallel_size",
        "use_tqdm_on_load",
    }
)
CPU_CACHE: Final = 2 * 2**30
CPU_BLOCK: Final = (
    32  # the least it takes: three times as much of a judge's prompts comes from the cache as with its default, 128
)
CPU_ARGUMENTS: Final[dict[str, Json]] = {
    "dtype": "float32", "enforce_eager": True, "block_size": CPU_BLOCK, "enable_chunked_prefill": False,
}  # fmt: skip
"""vLLM's engine fails on a CPU when it takes a prompt in chunks that is to be drawn from with a seed: it would turn back the offset of
the random generator, and those of a CPU have none."""
GPU_BLOCK: Final = 16
WEIGHTS: Final = "safetensors"
"""The weights that are read unless `load_format` says otherwise: vLLM itself would take pickles where there are no others."""
PARALLEL: Final = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
_FLOOR: Final = -1e4


class VllmEngine(Engine):
    """One model in `vllm.LLM`, which is started when it is first asked.

    Options are `revision` and vLLM's own engine arguments (`tensor_parallel_size`, `device_ids`, `max_model_len`, `dtype`, ...).
    On a CPU the defaults are float32, eager execution and 2 GiB of key-value cache; elsewhere vLLM's own.

    Raises:
        MissingInput: the model or vLLM itself is not there.
        UsageError: an option that vLLM does not know.
        EngineError: vLLM cannot start; its last words are in the message.
    """

    def __init__(
        self,
        model: str,
        *,
        chat_template_kwargs: Mapping[str, Json] | None = None,
        prefill: str = "",
        options: Mapping[str, Json] | None = None,
    ) -> None:
        chosen = dict(options or {})
        self._process = VllmProcess.prepare()
        if "hf_token" in chosen:
            raise UsageError(
                "options of the engine vllm: a key does not belong in a configuration",
                hint="set HF_TOKEN in the environment",
            )
        known = self._process.engine_arguments - OURS | {"revision"}
        if unknown := sorted(chosen.keys() - known):
            raise UsageError(f"options of the engine vllm: vLLM takes no {', '.join(unknown)}")
        revision, remote = chosen.pop("revision", None), chosen.get("trust_remote_code", False)
        source = find_model(model, revision=str(revision) if revision else None, trust_remote_code=remote is True)
        config, hf_tokenizer = load_config(source), load_tokenizer(source)
        self._tokenizer = ChatTokenizer(hf_tokenizer, chat_template_kwargs=chat_template_kwargs, prefill=prefill)
        arguments = self._arguments(source, chosen)
        self._start = partial(self._process.start, source.name, arguments)
        self._llm: Any = None
        self._closed = False
        self._max_length = context_length(config, chosen.get("max_model_len"))
        self._vocabulary = int(config.get_text_config(decoder=True).vocab_size)
        self._eos = sorted(eos_ids(config, load_generation_config(source), hf_tokenizer))
        ids = chosen.get("device_ids")
        self._device_ids = list(ids) if isinstance(ids, list | tuple) else []
        self._gpus = gpus_needed(chosen)
        self._caching = arguments["enable_prefix_caching"] is True
        self._block = int(arguments.get("block_size") or GPU_BLOCK)
        told = {name: value for name, value in chosen.items() if name not in NEUTRAL}
        self._info = EngineInfo(
            engine="vllm",
            model=source.name,
            revision=source.revision,
            tokenizer_hash=self._tokenizer.tokenizer_hash,
            template_hash=self._tokenizer.template_hash,
            parameters={**told, "dtype": str(arguments.get("dtype", "auto"))},
        )

    def _arguments(self, source: ModelSource, chosen: Mapping[str, Json]) -> dict[str, Any]:
        """Engine arguments: ours, then the platform's defaults, then what the user chose."""
        ours: dict[str, Any] = {
            "model": source.location,
            "seed": 0,
            "load_format": WEIGHTS,
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
        }
        if source.asked:
            ours.update(revision=source.asked, tokenizer_revision=source.asked)
        if self._process.on_cpu:
            ours.update(CPU_ARGUMENTS)
            if not self._process.cache_space_given:
                ours["kv_cache_memory_bytes"] = CPU_CACHE
        return {**ours, **chosen}

    @property
    def info(self) -> EngineInfo:
        """What identifies the model."""
        return self._info

    @property
    def capabilities(self) -> Capabilities:
        """Reads labels and generates; the last bits of a probability depend on what a prompt is batched with."""
        return Capabilities(
            label_logprobs=True, generates=True, deterministic=False, prefix_cache=self._caching,
            batch=512, cache_block=self._block,
        )  # fmt: skip

    @property
    def place(self) -> Place:
        """The CPU; the GPUs of `device_ids`, or the first ones."""
        if self._process.on_cpu:
            return CPU
        return gpus(chosen_gpus(self._device_ids)) if self._device_ids else first_gpus(self._gpus)

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
        outputs = self._run(requests, [label_params(labels)] * len(requests))
        return [_label_read(request, output, labels) for request, output in zip(requests, outputs, strict=True)]

    def generate(self, requests: Sequence[Request], params: SamplingParams) -> list[Completion]:
        """See `engines.base.Engine.generate`."""
        each = [self._vllm_params(request, params) for request in requests]
        outputs = self._run(requests, each)
        return [self._completion(request, output, params) for request, output in zip(requests, outputs, strict=True)]

    def load(self) -> None:
        """See `engines.base.Engine.load`."""
        self.loaded()

    def close(self) -> None:
        """Shut vLLM down, so that its memory is free for another model in this process."""
        self._closed = True
        llm, self._llm = self._llm, None
        if llm is not None:
            self._process.stop(llm)

    def _vllm_params(self, request: Request, params: SamplingParams) -> Any:
        from vllm import SamplingParams as VllmParams
        from vllm.sampling_params import StructuredOutputsParams

        return VllmParams(
            structured_outputs=StructuredOutputsParams(json=params.schema) if params.schema else None,
            max_tokens=max(1, min(params.max_tokens, self._max_length - len(request.tokens))),
            temperature=params.temperature,
            top_p=params.top_p,
            seed=request.seed if params.temperature > 0 else None,
            stop=list(params.stop),
            stop_token_ids=self._eos,
            detokenize=bool(params.stop),
        )

    def _run(self, requests: Sequence[Request], params: Sequence[Any]) -> list[Any]:
        """Outputs of vLLM, or the words of what was wrong, one a request in order."""
        llm = self.loaded()
        todo = fitting(requests, self._max_length)
        outputs: list[Any] = [todo.problems.get(place) for place in range(len(requests))]
        for place in todo.places:
            if max(requests[place].tokens) >= self._vocabulary:
                outputs[place] = f"the prompt holds a token beyond the model's vocabulary of {self._vocabulary:,}"
        good = [place for place in todo.places if outputs[place] is None]
        prompts = [{"prompt_token_ids": list(requests[place].tokens)} for place in good]
        found = self._process.generate(llm, prompts, [params[place] for place in good])
        for place, output in zip(good, found, strict=True):
            outputs[place] = output
        return outputs

    def loaded(self) -> Any:
        """The `vllm.LLM` itself, started when it is first asked."""
        if self._closed:
            raise EngineError("this engine is closed")
        if self._llm is None:
            self._llm = self._start()
        return self._llm

    def _completion(self, request: Request, output: Any, params: SamplingParams) -> Completion:
        if isinstance(output, str):
            return Completion("", Finish.ERROR, Usage(len(request.tokens)), error=output)
        answer = output.outputs[0]
        tokens = tuple(answer.token_ids)
        usage = Usage(len(request.tokens), len(tokens), output.num_cached_tokens)
        if answer.finish_reason not in ("stop", "length"):
            return Completion("", Finish.ERROR, usage, tokens, f"vLLM gave up: {answer.finish_reason}")
        text = self._tokenizer.decode(tokens[:-1] if tokens and tokens[-1] in self._eos else tokens)
        cuts = [place for stop in params.stop if (place := text.find(stop)) >= 0]
        finish = Finish.STOP if answer.finish_reason == "stop" else Finish.LENGTH
        return Completion(text[: min(cuts)] if cuts else text, finish, usage, tokens)


def gpus_needed(arguments: Mapping[str, Json]) -> int:
    """How many GPUs one vLLM with these arguments runs on."""
    return math.prod(size for name in PARALLEL if isinstance(size := arguments.get(name), int))


def label_params(labels: Sequence[TokenIds]) -> Any:
    """The `vllm.SamplingParams` of a label read: one token out of the prefill, and the labels' own log-probabilities."""
    from vllm import SamplingParams as VllmParams

    wanted = list(dict.fromkeys(token for ids in labels for token in ids))
    return VllmParams(max_tokens=1, temperature=0.0, logprob_token_ids=wanted, detokenize=False, flat_logprobs=True)


def _label_read(request: Request, output: Any, labels: Sequence[TokenIds]) -> LabelRead:
    """Sum each label's variants; NaN and missing tokens are errors, never a number."""
    if isinstance(output, str):
        return LabelRead((), Usage(len(request.tokens)), output)
    usage = Usage(len(request.tokens), 1, output.num_cached_tokens)
    answer = output.outputs[0]
    if not answer.logprobs:
        return LabelRead((), usage, f"vLLM gave no log-probabilities ({answer.finish_reason})")
    found = dict(zip(answer.logprobs.token_ids, answer.logprobs.logprobs, strict=True))
    values: list[float] = []
    for ids in labels:
        parts = [found.get(token, math.nan) for token in ids]
        if any(math.isnan(part) for part in parts):
            return LabelRead((), usage, "vLLM gave NaN or left a label out")
        values.append(_log_sum(parts))
    return LabelRead(tuple(values), usage)


def _log_sum(parts: Sequence[float]) -> float:
    top = max(*parts, _FLOOR)
    return top + math.log(sum(math.exp(max(part, _FLOOR) - top) for part in parts))
