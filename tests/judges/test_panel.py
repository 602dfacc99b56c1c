"""Panels: weights by hand, refusals with their cures, and that the product's aggregation takes what they say."""

from __future__ import annotations

import math
import random

import pytest

from judges.aggregate import preferences
from judges.panel import NAME, Reliability, by_anchors, by_votes, combined
from judges.probability import sigmoid
from tenet.errors import UsageError
from tenet.records import Judgement, Outcome
from tests.judges.makers import constitution_of, principle

FILE = constitution_of(principle("kind"))
LN2, LN4 = math.log(2), math.log(4)


def judgement(judge: str, n: int, p: float | None, *, turned: bool = False) -> Judgement:
    """What a judge says of the n-th pair (a, b): P(a is better), or nothing."""
    first, second = ("b", "a") if turned else ("a", "b")
    told = None if p is None else 1.0 - p if turned else p
    outcome = Outcome.UNPARSED if told is None else Outcome.FIRST if told > 0.5 else Outcome.SECOND
    return Judgement(f"{judge} {n} {turned}", f"p{n}", first, second, judge, outcome, told, principle="kind")


def world(
    skills: dict[str, float], pairs: int = 400, seed: int = 0
) -> tuple[list[Judgement], dict[tuple[str, str, str], int]]:
    """Judges that are right with these chances in each order (p 0.9 or 0.1), "first" always for the place shown first."""
    rng = random.Random(seed)
    told, truth = [], {}
    for n in range(pairs):
        truth[f"p{n}", "a", "b"] = side = rng.choice([1, -1])
        for name, skill in skills.items():
            opinion = rng.random() < skill
            for turned in (False, True):
                right = (side > 0) != turned if name == "first" else opinion
                told.append(judgement(name, n, 0.9 if (side > 0) == right else 0.1, turned=turned))
    return told, truth


def right(told: list[Judgement], truth: dict[tuple[str, str, str], int]) -> float:
    found = preferences(told, FILE)
    return sum((one.p_a > 0.5) == (truth[one.prompt_id, one.a_id, one.b_id] > 0) for one in found) / len(truth)


def test_members_add_up_by_their_accuracies() -> None:
    known = Reliability({"good": 0.8, "fair": 2 / 3, "silent": 0.9}, "anchors", 50)
    told = [
        judgement("good", 0, 1.0),
        judgement("fair", 0, 0.0),
        judgement("silent", 0, None),
        judgement("good", 1, 0.5),
    ]
    one, even = combined(told, known)
    assert (one.judge, one.principle, one.outcome) == (NAME, "kind", Outcome.FIRST)
    assert one.p_first == pytest.approx(sigmoid(LN4 - LN2))
    assert (even.outcome, even.p_first) == (Outcome.TIE, 0.5)
    turned = combined([judgement("good", 0, 1.0, turned=True), judgement("fair", 0, 0.0, turned=True)], known)
    assert turned[0].p_first == pytest.approx(1.0 - sigmoid(LN4 - LN2))
    halved = combined(told, Reliability(known.accuracies, "votes", slope=0.5))
    assert halved[0].p_first == pytest.approx(sigmoid((LN4 - LN2) / 2))


def test_anchors_find_the_good_judge_among_broken_ones() -> None:
    told, truth = world({"good": 0.9, "first": 1.0, "random": 0.5})
    known = by_anchors(told, dict(list(truth.items())[:100]))
    assert known.accuracies["good"] == pytest.approx(0.9, abs=0.07)
    assert known.accuracies["first"] == pytest.approx(0.5)
    assert known.anchors == 100
    alone = right([one for one in told if one.judge == "good"], truth)
    assert right(combined(told, known), truth) >= alone - 0.005


def test_without_anchors_one_good_judge_among_broken_ones_is_refused() -> None:
    told, _ = world({"good": 0.9, "first": 1.0, "random": 0.5})
    with pytest.raises(UsageError, match="cannot be weighted by their votes alone") as refused:
        by_votes(told)
    assert "--anchors" in refused.value.hint


def test_without_anchors_three_that_agree_outweigh_the_broken_and_claim_no_more_than_their_flips_allow() -> None:
    told, truth = world({"one": 0.85, "two": 0.8, "three": 0.75, "first": 1.0, "random": 0.5}, seed=1)
    known = by_votes(told)
    equal = Reliability(dict.fromkeys(known.accuracies, 0.7), "votes")
    assert known.learnt_from == "votes"
    assert known.accuracies["random"] == pytest.approx(0.5, abs=0.1)
    assert right(combined(told, known), truth) > right(combined(told, equal), truth)
    heard = combined(told, known)
    by_id = {(one.prompt_id, one.first_id): one.p_first or 0.0 for one in heard}
    flips = sum((by_id[p, "a"] > 0.5) == (by_id[p, "b"] > 0.5) for p, _, _ in truth) / len(truth)
    claimed = sum(max(p, 1.0 - p) for p in by_id.values()) / len(by_id)
    assert claimed <= 1.0 - flips / 2.0 + 1e-6


def test_one_member_unknown_members_and_foreign_anchors_are_refused() -> None:
    lone = [judgement("good", 0, 0.9)]
    with pytest.raises(UsageError, match="good is alone"):
        by_votes(lone)
    with pytest.raises(UsageError, match="nothing is known of how reliable good"):
        combined(lone, Reliability({"other": 0.9}, "anchors"))
    with pytest.raises(UsageError, match="none of 1 anchors"):
        by_anchors([*lone, judgement("fair", 0, 0.9)], {("elsewhere", "a", "b"): 1})


def test_what_is_stored() -> None:
    known = Reliability({"b": 0.75, "a": 0.5}, "votes", slope=0.5)
    assert known.as_json() == {
        "learnt_from": "votes",
        "anchors": 0.0,
        "slope": 0.5,
        "accuracies": {"a": 0.5, "b": 0.75},
    }
