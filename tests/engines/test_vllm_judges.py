"""Judges that write before they answer, on the session's vLLM engine beside transformers."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.base import Engine, SamplingParams
from engines.registry import create_engine
from judges.critique_first import CritiqueFirstJudge
from judges.reasoning import ReasoningJudge
from tests.judges.makers import constitution_of, principle, prompt_of, sample_of

pytestmark = pytest.mark.vllm
FILE = constitution_of(principle("kind"))
SHORT = SamplingParams(max_tokens=6, temperature=0.0)


@pytest.mark.parametrize("kind", [CritiqueFirstJudge, ReasoningJudge])
def test_texts_and_verdicts_are_those_of_transformers(
    vllm_engine: Engine, tiny_model: Path, kind: type[CritiqueFirstJudge | ReasoningJudge]
) -> None:
    def judged(engine: Engine) -> list[tuple[str, bool, float | None]]:
        judge = kind(engine, FILE, params=SHORT, min_label_mass=0.0)
        asks = []
        for number in range(10):
            prompt = prompt_of(f"Question {number}?")
            asks += judge.asks(prompt, sample_of("one two", prompt=prompt), sample_of("three", prompt=prompt))
        return [(one.critique or one.thinking, one.cut, one.p_first) for one in judge.judge(asks)]

    with create_engine("transformers", str(tiny_model), options={"device": "cpu"}) as other:
        expected = judged(other)
    found = judged(vllm_engine)
    same = [(a, b) for a, b in zip(found, expected, strict=True) if a[0] == b[0]]
    assert len(same) >= 9, "greedy texts may part where two tokens are nearly equal, seldom"
    assert any(text for text, _, _ in found)
    for (_, cut, p), (_, other_cut, other_p) in same:
        assert cut is other_cut
        assert p == pytest.approx(other_p, abs=1e-3)
