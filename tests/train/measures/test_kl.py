"""KL by numbers worked by hand, against the exact value, and on a real (tiny) model."""

from __future__ import annotations

import math
import random
import shutil
from pathlib import Path

import pytest

from tenet.console import Console
from train.measures.kl import Drawn, divergence, token_logps, unbiased


def test_both_estimators_by_hand() -> None:
    drawn = [Drawn("p", (1,), (2, 3)), Drawn("q", (1,), (4,))]
    found = divergence(drawn, [[-1.0, -2.0], [-0.5]], [[-1.5, -1.0], [-0.5]])
    # Log-ratios: 0.5 and -1 (sum -0.5), and 0. k3: e^-0.5 - 1 + 0.5 and e^1 - 1 - 1.
    assert found.k1.value == pytest.approx(-0.25)
    third = math.exp(-0.5) - 0.5 + math.e - 2
    assert found.k3.value == pytest.approx(third / 2)
    assert found.k1_token.value == pytest.approx(-0.5 / 3)
    assert found.k3_token.value == pytest.approx(third / 3)
    assert found.k3.count == 2


def test_both_estimate_the_true_divergence() -> None:
    """Tokens drawn from (0.7, 0.2, 0.1) against an even reference: KL is known exactly."""
    p, q = (0.7, 0.2, 0.1), (1 / 3, 1 / 3, 1 / 3)
    exact = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    rng = random.Random(0)
    tokens = [rng.choices(range(3), p, k=5) for _ in range(3_000)]
    drawn = [Drawn(str(number), (0,), tuple(line)) for number, line in enumerate(tokens)]
    found = divergence(
        drawn, [[math.log(p[t]) for t in line] for line in tokens], [[math.log(q[t]) for t in line] for line in tokens]
    )
    for estimate in (found.k1, found.k3):
        assert estimate.low < 5 * exact < estimate.high
    assert found.k3_token.value == pytest.approx(exact, rel=0.05)


def test_only_plain_draws_estimate_it() -> None:
    assert unbiased(1.0, 1.0) == ""
    assert "temperature 1" in unbiased(0.7, 1.0)
    assert unbiased(1.0, 0.9)


def test_a_model_scores_tokens_as_it_does_alone(tiny_model: Path, tmp_path: Path) -> None:
    """Padding and batches change nothing; a model is at distance 0 from itself, and from another farther."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    rng = random.Random(3)
    drawn = [
        Drawn(str(n), tuple(rng.choices(range(5, 200), k=3 + n)), tuple(rng.choices(range(5, 200), k=1 + 2 * n)))
        for n in range(6)
    ]
    console = Console(quiet=True)
    found = token_logps(str(tiny_model), drawn, name="tiny", console=console)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    for one, line in zip(drawn, found, strict=True):
        with torch.inference_mode():
            logps = torch.log_softmax(model(torch.tensor([[*one.prompt, *one.tokens]])).logits[0], dim=-1)
        alone = [float(logps[len(one.prompt) - 1 + place, token]) for place, token in enumerate(one.tokens)]
        assert line == pytest.approx(alone, abs=1e-4)
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    model.model.norm.weight.data *= 1.5
    model.save_pretrained(other)
    apart = divergence(drawn, token_logps(str(other), drawn, name="other", console=console), found)
    same = divergence(drawn, found, found)
    assert (same.k1.value, same.k3.value) == (0.0, 0.0)
    assert apart.k3.value > 0.01
