"""A turned principle in the pocket world, judged by the real pocket model: it is found, and the interval holds over seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.diff_effect import bench


@pytest.mark.slow
@pytest.mark.parametrize("plain", [True, False], ids=["shipped files", "one of three"])
def test_the_turned_principle_is_found_and_the_plan_is_exact(tmp_path: Path, plain: bool) -> None:
    found = bench(tmp_path, "transformers", 24, 2, 200, "sampled" if plain else "each", plain=plain)
    assert found.pairs == found.reached == 24
    assert found.flips >= 3
    assert found.cause_found >= 0.95
    assert found.planned_calls == found.asked_calls > 0
    assert found.planned_tokens == found.asked_tokens > 0
    assert found.coverage > 0.8  # of 24 pairs; the bar of 0.93 to 0.97 is the benchmark's, over hundreds
