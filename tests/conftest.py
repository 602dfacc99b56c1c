"""Fixtures that several packages' tests share: a tiny real model on disk, and one vLLM engine a session."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from engines.base import Engine

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# A suite that was started in the background has Ctrl-C ignored, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ONE_AT_A_TIME = frozenset(
    f"tests/{name}.py"
    for name in (
        "engines/test_http_vllm",
        "engines/test_server_vllm",
        "engines/test_vllm_engine",
        "engines/test_vllm_judges",
        "generate/test_ray",
        "generate/test_real_text",
        "train/launch/test_start",
    )
)
"""Files that start vLLM or Ray: one process runs all of them, so that there is one engine and one cluster at a time."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes run the tests, those of a file stay together."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "one at a time" if file in ONE_AT_A_TIME else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random-weight Qwen3 of 0.2M parameters with a chat template: real machinery, meaningless words."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from tests.engines.zoo import qwen

    tokenizer = qwen()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,  # the least that vLLM's CPU attention takes
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def vllm_engine(tiny_model: Path) -> Iterator[Engine]:
    """One vLLM engine for the whole session, hosting `tiny_model`; skips where vLLM is not installed."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (make setup-vllm)")
    from engines.registry import create_engine

    with create_engine("vllm", str(tiny_model)) as engine:
        yield engine
