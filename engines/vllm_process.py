"""Starts, runs and stops vLLM inside this process, and keeps its side effects away from everything else.

On a CPU the engine runs in this very process: vLLM's own default, a spawned process, imports everything a second time, wants a guarded
main module and outlives a killed parent. On a GPU it runs in vLLM's process, whose end frees all memory. Usage statistics are off.
What vLLM prints while starting goes to a file and is shown only if it fails, unless VLLM_LOGGING_LEVEL asks for more.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import sys
import tempfile
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from engines.server_flags import no_vllm
from tenet.errors import EngineError

_LAST_WORDS: Final = 12
_living: weakref.WeakSet[Any] = weakref.WeakSet()  # engines share vLLM's process-wide state: the last one out clears it


@dataclasses.dataclass(frozen=True)
class VllmProcess:
    """vLLM, imported: what it can be asked for and where it runs."""

    engine_arguments: frozenset[str]
    on_cpu: bool
    quiet: bool
    cache_space_given: bool

    @classmethod
    def prepare(cls) -> VllmProcess:
        """Import vLLM with the environment that it needs.

        Raises:
            MissingInput: vLLM is not installed, or cannot be.
            EngineError: it is, and cannot be imported.
        """
        if find_spec("vllm") is None:
            raise no_vllm("vllm")
        quiet = os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR") == "ERROR"
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        if not _has_gpu():
            # vLLM compiles one small function even where it runs eagerly: half a minute, and a C++ compiler, for nothing
            os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
        with _diverted("importing vLLM", quiet):
            import vllm  # noqa: F401
            from vllm.engine.arg_utils import EngineArgs
            from vllm.platforms import current_platform
        on_cpu = bool(current_platform.is_cpu())
        if on_cpu:
            os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        names = frozenset(field.name for field in dataclasses.fields(EngineArgs))
        return cls(names, on_cpu, quiet, "VLLM_CPU_KVCACHE_SPACE" in os.environ)

    def start(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Start a `vllm.LLM`.

        Raises:
            EngineError: it does not start.
        """
        from vllm import LLM

        with _diverted(f"starting vLLM with {name}", self.quiet), _same_affinity():
            llm = LLM(**arguments)
        _living.add(llm)
        return llm

    def generate(self, llm: Any, prompts: Sequence[Any], params: Sequence[Any]) -> list[Any]:
        """Run prompts; a prompt that vLLM refuses gives the words of its refusal and does not take the others along.

        Raises:
            EngineError: the engine has died.
        """
        if not prompts:
            return []
        try:
            return list(llm.generate(list(prompts), list(params), use_tqdm=False))
        except _refusals() as error:  # raised while requests are added: none has run
            if len(prompts) == 1:
                return [f"vLLM refuses the prompt: {error}"]
            half = len(prompts) // 2
            first = self.generate(llm, prompts[:half], params[:half])
            return first + self.generate(llm, prompts[half:], params[half:])
        except Exception as error:
            raise EngineError(
                f"vLLM has failed: {type(error).__name__}: {error}", hint="see more with VLLM_LOGGING_LEVEL=INFO"
            ) from error

    def stop(self, llm: Any) -> None:
        """Shut an engine down and free its memory; process-wide state goes with the last one."""
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        _living.discard(llm)
        with _diverted("stopping vLLM", self.quiet):
            llm.llm_engine.engine_core.shutdown()
            del llm
            gc.collect()
            if not _living:
                cleanup_dist_env_and_memory()


def _refusals() -> tuple[type[Exception], ...]:
    """What vLLM raises for a request that it will not take; the second since 0.32."""
    import vllm.exceptions

    return (ValueError, getattr(vllm.exceptions, "VLLMClientError", ValueError))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@contextlib.contextmanager
def _same_affinity() -> Iterator[None]:
    """Undo what vLLM's CPU workers do to the cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _diverted(doing: str, quiet: bool) -> Iterator[None]:
    """Send what is printed to a file meanwhile; what fails becomes `EngineError` with the last lines of it."""
    with tempfile.TemporaryFile() as log:
        try:
            with warnings.catch_warnings(), _streams_to(log.fileno()) if quiet else contextlib.nullcontext():
                warnings.simplefilter("ignore")
                yield
        except Exception as error:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").strip().splitlines()[-_LAST_WORDS:]
            words = "\n    ".join(["; its last words:", *lines]) if lines else ""
            raise EngineError(
                f"{doing} failed: {type(error).__name__}: {error}{words}", hint="see all with VLLM_LOGGING_LEVEL=INFO"
            ) from error


@contextlib.contextmanager
def _streams_to(target: int) -> Iterator[None]:
    """Point this process's standard output and error, C++ code included, at a file meanwhile."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for place, copy in enumerate(saved, 1):
            os.dup2(copy, place)
            os.close(copy)
