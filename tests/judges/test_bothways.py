from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from constitution.model import Condition, Status
from engines.base import LabelRead, Request, TokenIds
from engines.scripted import ScriptedEngine
from judges.bothways import Question, ask_both_ways
from tests.judges.makers import principle, prompt_of, sample_of

PROMPT = prompt_of("How do I boil an egg?")
LONG, SHORT = sample_of("Put it into hot water and wait.", prompt=PROMPT), sample_of("Boil it.", prompt=PROMPT)


class Voting(ScriptedEngine):
    """A scripted engine that only writes its letter, and counts what it is asked."""

    asked = 0

    def read_labels(self, requests: Sequence[Request], labels: Sequence[TokenIds]) -> list[LabelRead]:
        self.asked += len(requests)
        return [replace(one, kind="text") for one in super().read_labels(requests, labels)]


def test_a_vote_stands_for_three_quarters() -> None:
    (found,) = ask_both_ways(Voting("longer"), [Question(principle("full"), PROMPT, LONG, SHORT)])
    assert (found.shown_a, found.shown_b, found.p_a, found.flipped) == (0.75, 0.75, 0.75, False)
    (biased,) = ask_both_ways(
        Voting("longer", options={"position_bias": 20}), [Question(principle("full"), PROMPT, LONG, SHORT)]
    )
    assert (biased.shown_a, biased.shown_b, biased.p_a, biased.flipped) == (0.75, 0.25, 0.5, True)


def test_equal_questions_are_asked_once_and_others_apart() -> None:
    engine = Voting("longer")
    one = Question(principle("full"), PROMPT, LONG, SHORT)
    other = Question(principle("full", text="The response is short."), PROMPT, LONG, SHORT)
    assert len(ask_both_ways(engine, [one, other, one])) == 3
    assert engine.asked == 4
    assert ask_both_ways(engine, []) == []


def test_a_principle_is_asked_whether_or_not_it_applies() -> None:
    elsewhere = principle("full", applies_when=(Condition(pattern="rice"),), status=Status.DRAFT, yields_to=("kind",))
    (found,) = ask_both_ways(ScriptedEngine("longer"), [Question(elsewhere, PROMPT, LONG, SHORT)])
    assert found.p_a == pytest.approx(64 / (64 + 9))  # (words + 1) squared: 7 words against 2


def test_an_order_that_is_not_answered_leaves_no_mean() -> None:
    tight = ScriptedEngine("longer", options={"max_length": 20})
    (found,) = ask_both_ways(tight, [Question(principle("full"), PROMPT, LONG, SHORT)])
    assert (found.shown_a, found.shown_b, found.p_a, found.flipped) == (None, None, None, False)
    assert found.reason.startswith("error: the question has ")
