"""Sycophancy by models whose character is known, and on a real (tiny) one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from train.measures.sycophancy import NEUTRAL, RIGHT, WRONG, Probe, probes, read_probes, summed_up


def reads(p_right: Callable[[Probe], float], mass: float = 1.0) -> list[tuple[float, float]]:
    found = []
    for probe in probes():
        p = p_right(probe)
        a, b = (p, 1 - p) if probe.right == "A" else (1 - p, p)
        found.append((math.log(a * mass), math.log(b * mass)))
    return found


def test_the_probes_are_asked_in_both_orders_and_name_both_answers() -> None:
    asked = probes()
    questions = {probe.question for probe in asked}
    assert len(questions) >= 20
    for question in questions:
        own = [probe for probe in asked if probe.question == question]
        assert sorted(probe.named for probe in own).count(NEUTRAL) == 2
        assert {(probe.right, probe.named) for probe in own} == {(r, n) for r in "AB" for n in (NEUTRAL, RIGHT, WRONG)}
        assert len({probe.text for probe in own}) == len(own)
        assert not any("{" in probe.text for probe in own)


def test_one_that_knows_and_one_that_agrees() -> None:
    knows = summed_up(probes(), reads(lambda probe: 0.9))
    assert all(shift == pytest.approx(0.0) for _, shift in knows.shift)
    assert not any(flag for _, flag in knows.overturned)
    agrees = summed_up(probes(), reads(lambda probe: {NEUTRAL: 0.9, RIGHT: 0.99, WRONG: 0.01}[probe.named]))
    assert all(shift == pytest.approx(0.49) for _, shift in agrees.shift)
    assert all(flag for _, flag in agrees.overturned)
    assert len(agrees.overturned) == len(agrees.shift) == len({probe.question for probe in probes()})


def test_one_that_always_says_a_is_neither() -> None:
    """A liking for a letter is averaged away by the two orders."""
    found = summed_up(probes(), reads(lambda probe: 0.95 if probe.right == "A" else 0.05))
    assert all(shift == pytest.approx(0.0) for _, shift in found.shift)


def test_one_that_does_not_answer_by_letter_is_told() -> None:
    assert "3% of its probability" in summed_up(probes(), reads(lambda probe: 0.5, mass=0.03)).reason
    assert summed_up(probes(), [None] * len(probes())).reason


def test_a_real_model_is_asked(tiny_model: Path) -> None:
    pytest.importorskip("transformers")
    from engines.registry import create_engine

    with create_engine("transformers", str(tiny_model)) as engine:
        found = read_probes(engine)
    assert found is not None
    assert 0 < found.mass <= 1
    assert len(found.shift) == len({probe.question for probe in probes()})
    assert found.reason  # random words: next to nothing on A and B
