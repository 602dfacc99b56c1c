"""Keeps the training libraries quiet and at home: no banners, no bars, no usage statistics, while a training runs.

What they say that matters is said by Tenet. Everything is put back afterwards. Knows no trainer.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from types import ModuleType

_ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "true", "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}  # fmt: skip
_LOGGERS = ("trl", "transformers", "accelerate", "datasets", "peft", "torch.distributed", "vllm")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence transformers, TRL, datasets and accelerate below errors, and their usage statistics altogether."""
    with ExitStack() as stack:
        stack.enter_context(_environment())
        stack.enter_context(_no_telemetry())
        stack.enter_context(_no_bars())
        stack.enter_context(_levels())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield


def imported(name: str) -> ModuleType:
    """Import a module without what the libraries beneath it say on the way; TRL's for rewards bring vLLM along."""
    with quiet_libraries():
        return import_module(name)


@contextmanager
def _environment() -> Iterator[None]:
    before = {key: os.environ.get(key) for key in _ENVIRONMENT}
    os.environ.update({key: value for key, value in _ENVIRONMENT.items() if before[key] is None})
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Switch it off in the library as well, which has read the environment when it was imported."""
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = before


@contextmanager
def _no_bars() -> Iterator[None]:
    import datasets
    from transformers.utils import logging as hf_logging

    hf, ds = hf_logging.is_progress_bar_enabled(), datasets.are_progress_bars_disabled()
    hf_logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if hf:
            hf_logging.enable_progress_bar()
        if not ds:
            datasets.enable_progress_bars()


@contextmanager
def _levels() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in _LOGGERS}
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
