from __future__ import annotations

import math
from dataclasses import replace

import pytest

from constitution.model import Principle
from engines.base import LabelRead
from judges.contradiction import APART, TOGETHER, ContradictionJudge
from tenet.errors import JudgeUnfit
from tests.judges.makers import Altered, scripted

PAIR = (Principle("a", "The title is short."), Principle("b", "The title is long."))


def judge_of(*ps: float) -> ContradictionJudge:
    """A judge whose engine gives A these probabilities in turn, and B the rest."""

    def read(place: int, one: LabelRead) -> LabelRead:
        p = ps[place % len(ps)]
        return LabelRead((math.log(p), math.log1p(-p)), one.usage)

    return ContradictionJudge(Altered(read=read))  # type: ignore[arg-type]


def test_the_four_ways_of_asking_are_averaged_in_log_odds() -> None:
    # No response can follow both: A in the first and third way, B in the second and fourth.
    (p,) = judge_of(0.9, 0.2, 0.8, 0.3).contradict([PAIR])
    odds = [math.log(9), math.log(4), math.log(4), math.log(7 / 3)]
    assert p == pytest.approx(1 / (1 + math.exp(-sum(odds) / 4)))


@pytest.mark.parametrize("p", [0.9, 0.2])
def test_a_liking_for_a_letter_cancels(p: float) -> None:
    assert judge_of(p).contradict([PAIR, PAIR]) == pytest.approx([0.5, 0.5])


def test_every_pair_is_asked_in_both_orders_and_with_both_letters() -> None:
    engine = scripted()
    asked: list[str] = []
    inner = engine.read_labels
    engine.read_labels = lambda requests, labels: (  # type: ignore[method-assign]
        asked.extend(engine.tokenizer.decode(one.tokens) for one in requests) or inner(requests, labels)  # type: ignore[func-returns-value]
    )
    ContradictionJudge(engine).contradict([PAIR])
    seen = {
        (text.index(PAIR[0].text) < text.index(PAIR[1].text), text.index(APART) < text.index(TOGETHER))
        for text in asked
    }
    assert len(asked) == 4
    assert seen == {(True, True), (True, False), (False, True), (False, False)}


def test_a_failed_or_feeble_answer_is_no_opinion() -> None:
    def read(place: int, one: LabelRead) -> LabelRead:
        if place == 2:
            return replace(one, error="lost", logprobs=())
        return LabelRead((-5.0, -6.0) if place == 5 else (-0.1, -3.0), one.usage)

    judge = ContradictionJudge(Altered(read=read))  # type: ignore[arg-type]
    found = judge.contradict([PAIR, PAIR, PAIR])
    assert found[:2] == [None, None]
    assert found[2] == pytest.approx(0.5)
    assert judge.unread == 2


def test_no_pairs_ask_nothing() -> None:
    engine = Altered()
    assert ContradictionJudge(engine).contradict([]) == []  # type: ignore[arg-type]
    assert engine.calls.read == []


def test_an_engine_without_label_logprobs_is_refused() -> None:
    engine = Altered(capabilities=replace(scripted().capabilities, label_logprobs=False))
    with pytest.raises(JudgeUnfit, match="log-probabilities"):
        ContradictionJudge(engine)  # type: ignore[arg-type]
