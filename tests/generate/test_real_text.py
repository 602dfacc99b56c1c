"""Real transcripts through a real vLLM engine, in a small number; 500 of them are `benchmarks.real_text`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.real_text import DATA, adds_up, funnel, order_of
from generate.pipeline import generate
from tenet.console import Console


@pytest.mark.vllm
@pytest.mark.slow
def test_real_transcripts_through_vllm_add_up(tmp_path: Path) -> None:
    if not DATA.exists():
        pytest.skip("../shared/data is not there")
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed (make setup-vllm)")
    with generate(order_of(tmp_path, "vllm", 24), Console(quiet=True)) as run:
        counts = funnel(run)
    assert counts["prompts"] == 24
    assert not adds_up(counts)
