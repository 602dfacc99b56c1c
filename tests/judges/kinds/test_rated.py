"""Preferences from ratings and propositions against numbers worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from constitution.model import Tier
from judges.kinds.rated import (
    Weights,
    equal_weights,
    p_better,
    preferences_of_propositions,
    preferences_of_ratings,
)
from judges.probability import LOGIT_CLIP, sigmoid
from tenet.errors import InvalidInput, MissingInput, UsageError
from tenet.records import Outcome, Rating
from tests.judges.makers import constitution_of, principle

KIND, BRIEF = principle("kind"), principle("brief", weight=3.0)
RULE = principle("safe", tier=Tier.RULE)
FILE = constitution_of(KIND, BRIEF, RULE)


def rating(sample: str, *distribution: float, name: str = "kind", low: float = 1.0) -> Rating:
    high = low + len(distribution) - 1
    score = sum(p * (low + rung) for rung, p in enumerate(distribution))
    return Rating(
        f"{sample}-{name}", "p", sample, "judge", Outcome.FIRST, score, low, high, name, distribution=distribution,
        principle_digest=f"d-{name}",
    )  # fmt: skip


def yes(sample: str, p: float, name: str = "kind") -> Rating:
    return rating(sample, 1 - p, p, name=name, low=0.0)


def test_p_better_is_the_chance_of_a_higher_score_and_half_of_an_equal_one():
    a, b = rating("a", 0.2, 0.3, 0.5), rating("b", 0.5, 0.25, 0.25)
    # a > b: 0.3 x 0.5 + 0.5 x 0.75 = 0.525; equal: 0.1 + 0.075 + 0.125 = 0.3
    assert p_better(a, b) == pytest.approx(0.675)
    assert p_better(b, a) == pytest.approx(0.325)
    assert p_better(a, a) == pytest.approx(0.5)
    assert p_better(rating("a", 0.0, 0.0, 1.0), rating("b", 1.0, 0.0, 0.0)) == 1.0


def test_written_ratings_are_one_vote():
    a, b = (
        replace(rating(name, 0.0, 0.0, 1.0), distribution=(), score=score) for name, score in (("a", 4.0), ("b", 2.0))
    )
    assert (p_better(a, b), p_better(b, a), p_better(a, a)) == (0.75, 0.25, 0.5)


def test_pairs_of_a_prompt_have_no_order_and_name_what_they_rest_on():
    (one,) = preferences_of_ratings([rating("b", 0.5, 0.5), rating("a", 0.1, 0.9)], FILE)
    assert (one.prompt_id, one.a_id, one.b_id) == ("p", "a", "b")
    assert one.p_a == one.p_shown_a == one.p_shown_b == pytest.approx(0.45 + (0.05 + 0.45) / 2)
    assert not one.flipped
    assert (one.judgements, one.principles, one.principle_versions) == (2, ("kind",), ("kind@d-kind",))


def test_ratings_without_a_score_are_left_out_and_none_is_counted_twice():
    failed = replace(rating("b", 0.5, 0.5), outcome=Outcome.LOW_MASS, score=None, distribution=())
    assert preferences_of_ratings([rating("a", 0.1, 0.9), failed], FILE) == []
    twice = [rating("a", 0.1, 0.9), rating("a", 0.1, 0.9), rating("b", 0.5, 0.5)]
    assert preferences_of_ratings(twice, FILE)[0].judgements == 2


def test_principles_combine_by_weight_and_a_rule_that_decides_speaks_alone():
    told = [
        rating("a", 0.4, 0.6),
        rating("b", 0.6, 0.4),
        rating("a", 0.6, 0.4, name="brief"),
        rating("b", 0.4, 0.6, name="brief"),
    ]
    (one,) = preferences_of_ratings(told, FILE)
    # kind says 0.6 with weight 1, brief 0.4 with weight 3
    assert one.p_a == pytest.approx(sigmoid((0.405465108 - 3 * 0.405465108) / 4))
    ruled = [*told, rating("a", 0.9, 0.1, name="safe"), rating("b", 0.1, 0.9, name="safe")]
    assert preferences_of_ratings(ruled, FILE)[0].p_a == pytest.approx(0.01 + (0.09 + 0.09) / 2)


def test_unfitted_propositions_weigh_as_their_file_says_and_sum_to_two():
    known = {one.id: one for one in FILE.principles}
    assert equal_weights(["kind", "brief", "safe"], known) == {"kind": 0.5, "brief": 1.5, "safe": 0.0}
    told = [yes("a", 0.9), yes("b", 0.5), yes("a", 0.2, "brief"), yes("b", 0.6, "brief")]
    (one,) = preferences_of_propositions(told, FILE)
    assert one.p_a == pytest.approx(sigmoid(0.5 * 0.4 - 1.5 * 0.4))


def test_a_rule_broken_by_one_side_alone_decides_and_otherwise_says_nothing():
    told = [yes("a", 0.9), yes("b", 0.1)]
    broken = [*told, yes("a", 0.2, "safe"), yes("b", 0.8, "safe")]
    assert preferences_of_propositions(broken, FILE)[0].p_a == pytest.approx(sigmoid(-LOGIT_CLIP))
    kept = [*told, yes("a", 0.6, "safe"), yes("b", 0.8, "safe")]
    assert preferences_of_propositions(kept, FILE)[0].p_a == pytest.approx(sigmoid(2 * 0.8))


def test_rules_alone_are_weighed_where_neither_or_both_are_broken():
    told = [yes("a", 0.9, "safe"), yes("b", 0.6, "safe")]
    assert preferences_of_propositions(told, FILE)[0].p_a == pytest.approx(sigmoid(2 * 0.3))
    told = [yes("a", 0.9, "safe"), yes("b", 0.4, "safe")]
    assert preferences_of_propositions(told, FILE)[0].p_a == pytest.approx(sigmoid(LOGIT_CLIP))


def test_fitted_weights_hold_for_the_wordings_they_were_fitted_on():
    told = [yes("a", 0.9), yes("b", 0.5)]
    fitted = Weights({"kind": -3.0}, {"kind": "d-kind"})
    assert preferences_of_propositions(told, FILE, fitted)[0].p_a == pytest.approx(sigmoid(-1.2))
    with pytest.raises(UsageError, match=r"no weight for the principle kind[\s\S]*tenet weigh"):
        preferences_of_propositions(told, FILE, Weights({}, {}))
    with pytest.raises(UsageError, match=r"another wording[\s\S]*judge.weights=null"):
        preferences_of_propositions(told, FILE, Weights({"kind": 1.0}, {"kind": "old"}))


def test_weights_come_back_from_their_file_and_anything_else_is_refused(tmp_path: Path):
    held = Weights({"kind": -3.0}, {"kind": "d"}, {"pairs": 30})
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(held.as_json()))
    assert Weights.read(path) == held
    with pytest.raises(MissingInput, match="tenet weigh"):
        Weights.read(tmp_path / "none.json")
    for bad in ("{", "[]", '{"format": 9}', json.dumps({**held.as_json(), "versions": {}}),
                json.dumps({**held.as_json(), "weights": {"kind": float("nan")}})):  # fmt: skip
        path.write_text(bad)
        with pytest.raises(InvalidInput, match="cannot be read"):
            Weights.read(path)
