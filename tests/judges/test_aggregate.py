"""From judgements to preferences, against numbers worked by hand."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from constitution.model import Tier
from judges.aggregate import DECIDED, Opinion, participants, preferences
from judges.probability import sigmoid
from tenet.records import Outcome, Preference
from tests.judges.makers import constitution_of, judgement, principle

ONE = constitution_of(principle("kind"))


def only(found: list[Preference]) -> Preference:
    assert len(found) == 1
    return found[0]


def test_two_orders_are_averaged_as_probabilities() -> None:
    # a first: 0.9 for a. b first: 0.6 for b, so 0.4 for a. Mean 0.65, not the mean of logits.
    found = only(preferences([judgement("a", "b", 0.9), judgement("b", "a", 0.6)], ONE))
    assert found.p_a == pytest.approx(0.65)
    assert found.p_shown_a == pytest.approx(0.9)
    assert found.p_shown_b == pytest.approx(0.4)
    assert found.flipped
    assert (found.a_id, found.b_id, found.judgements, found.principles) == ("a", "b", 2, ("kind",))


def test_a_pure_position_bias_cancels() -> None:
    found = only(preferences([judgement("a", "b", 0.8), judgement("b", "a", 0.8)], ONE))
    assert found.p_a == pytest.approx(0.5)
    assert found.flipped


def test_orders_that_agree_are_not_flipped_and_a_tie_flips_nothing() -> None:
    assert not only(preferences([judgement("a", "b", 0.9), judgement("b", "a", 0.2)], ONE)).flipped
    assert not only(preferences([judgement("a", "b", 0.9), judgement("b", "a", 0.5)], ONE)).flipped


@pytest.mark.parametrize("outcome", [Outcome.LOW_MASS, Outcome.UNPARSED, Outcome.REFUSED, Outcome.ERROR])
def test_failures_are_no_votes(outcome: Outcome) -> None:
    failed = judgement("b", "a", None, outcome=outcome)
    assert preferences([failed], ONE) == []
    found = only(preferences([judgement("a", "b", 0.9), failed], ONE))
    assert found.p_a == pytest.approx(0.9)
    assert found.p_shown_b is None
    assert not found.flipped
    assert found.judgements == 1


@pytest.mark.parametrize(
    ("there", "back", "p_a", "flipped"),
    [
        (Outcome.FIRST, Outcome.SECOND, 0.75, False),
        (Outcome.SECOND, Outcome.FIRST, 0.25, False),
        (Outcome.FIRST, Outcome.FIRST, 0.5, True),
        (Outcome.FIRST, Outcome.TIE, 0.625, False),
        (Outcome.FIRST, None, 0.75, False),
    ],
)
def test_votes_without_a_probability_are_never_certain(
    there: Outcome, back: Outcome | None, p_a: float, flipped: bool
) -> None:
    votes = [judgement("a", "b", None, outcome=there)]
    votes += [judgement("b", "a", None, outcome=back)] if back else []
    found = only(preferences(votes, ONE))
    assert (found.p_a, found.flipped, found.judgements) == (p_a, flipped, len(votes))
    assert (found.p_shown_b is None) == (back is None)


def test_votes_of_one_order_are_counted_together_before_the_orders_are_averaged() -> None:
    people = [judgement("a", "b", None, outcome=Outcome.FIRST if n else Outcome.SECOND, n=n) for n in range(4)]
    found = only(preferences([*people, judgement("b", "a", 0.4)], ONE))
    assert found.p_shown_a == pytest.approx(3.5 / 5)  # 3 of 4
    assert found.p_a == pytest.approx((3.5 / 5 + 0.6) / 2)
    mixed = only(preferences([*people, judgement("a", "b", 0.9, n=9)], ONE))
    assert mixed.p_shown_a == pytest.approx((4 * 3.5 / 5 + 0.9) / 5)


def test_two_votes_that_agree_decide() -> None:
    file = constitution_of(principle("safe", tier=Tier.RULE), principle("kind"))
    rule = [judgement("a", "b", None, principle="safe", outcome=Outcome.FIRST)]
    rule += [judgement("b", "a", None, principle="safe", outcome=Outcome.SECOND)]
    assert only(preferences([*rule, *votes_for(0.1, "kind")], file)).p_a == 0.75


def test_repeats_of_an_order_are_averaged_before_the_orders_are() -> None:
    votes = [judgement("a", "b", 0.9, n=1), judgement("a", "b", 0.7, n=2), judgement("b", "a", 0.6)]
    assert only(preferences(votes, ONE)).p_a == pytest.approx((0.8 + 0.4) / 2)


def test_a_judgement_that_comes_twice_counts_once() -> None:
    votes = [judgement("a", "b", 0.9), judgement("a", "b", 0.9), judgement("b", "a", 0.5)]
    found = only(preferences(votes, ONE))
    assert found.judgements == 2
    assert found.p_a == pytest.approx(0.7)


def test_principles_combine_as_a_weighted_mean_of_log_odds() -> None:
    both = constitution_of(principle("kind", weight=2.0), principle("brief", weight=1.0))
    kind = [judgement("a", "b", 0.7), judgement("b", "a", 0.1)]  # a 0.8, odds 4
    brief = [
        judgement("a", "b", 0.4, principle="brief"),
        judgement("b", "a", 0.9, principle="brief"),
    ]  # a 0.25
    odds = (4.0**2 * (1 / 3)) ** (1 / 3)
    found = only(preferences([*kind, *brief], both))
    assert found.p_a == pytest.approx(odds / (1 + odds))
    assert found.principles == ("brief", "kind")
    shown_a = ((7 / 3) ** 2 * (4 / 6)) ** (1 / 3)
    assert found.p_shown_a == pytest.approx(shown_a / (1 + shown_a))


def votes_for(a: float, name: str) -> list:  # type: ignore[type-arg]
    """Both orders saying P(a) = a."""
    return [judgement("a", "b", a, principle=name), judgement("b", "a", 1 - a, principle=name)]


def test_a_rule_that_decides_silences_the_rest() -> None:
    file = constitution_of(principle("safe", tier=Tier.RULE), principle("kind", weight=50.0))
    found = only(preferences([*votes_for(0.9, "safe"), *votes_for(0.01, "kind")], file))
    assert found.p_a == pytest.approx(0.9)
    assert found.principles == ("kind", "safe")


def test_a_rule_that_does_not_decide_does_not_dilute() -> None:
    file = constitution_of(principle("safe", tier=Tier.RULE), principle("kind"))
    found = only(preferences([*votes_for(DECIDED - 0.01, "safe"), *votes_for(0.1, "kind")], file))
    assert found.p_a == pytest.approx(0.1)


def test_a_rule_that_flips_with_the_order_does_not_decide() -> None:
    file = constitution_of(principle("safe", tier=Tier.RULE), principle("kind"))
    biased = [judgement("a", "b", 0.999, principle="safe"), judgement("b", "a", 0.501, principle="safe")]
    assert only(preferences([*biased, *votes_for(0.1, "kind")], file)).p_a == pytest.approx(0.1)


def test_rules_alone_are_combined_even_undecided() -> None:
    file = constitution_of(principle("safe", tier=Tier.RULE), principle("legal", tier=Tier.RULE))
    found = only(preferences([*votes_for(0.6, "safe"), *votes_for(0.6, "legal")], file))
    assert found.p_a == pytest.approx(0.6)


def test_deciding_rules_that_disagree_are_pooled() -> None:
    file = constitution_of(principle("safe", tier=Tier.RULE), principle("legal", tier=Tier.RULE), principle("kind"))
    found = only(preferences([*votes_for(0.9, "safe"), *votes_for(0.1, "legal"), *votes_for(0.99, "kind")], file))
    assert found.p_a == pytest.approx(0.5)


def test_a_principle_yields_only_where_the_other_decides() -> None:
    file = constitution_of(principle("brief", yields_to=("true",)), principle("true"))
    silenced = only(preferences([*votes_for(0.05, "brief"), *votes_for(0.8, "true")], file))
    assert silenced.p_a == pytest.approx(0.8)
    heard = only(preferences([*votes_for(0.05, "brief"), *votes_for(0.6, "true")], file))
    odds = math.sqrt((0.05 / 0.95) * 1.5)
    assert heard.p_a == pytest.approx(odds / (1 + odds))


def test_a_principle_that_is_left_out_silences_nobody() -> None:
    file = constitution_of(
        principle("short", yields_to=("kind",)), principle("kind", yields_to=("safe",)), principle("safe")
    )
    found = only(preferences([*votes_for(0.9, "short"), *votes_for(0.1, "kind"), *votes_for(0.8, "safe")], file))
    odds = math.sqrt(9 * 4)
    assert found.p_a == pytest.approx(odds / (1 + odds))


def test_a_cycle_of_yielding_leaves_somebody() -> None:
    known = {name: principle(name, yields_to=(other,)) for name, other in (("x", "y"), ("y", "x"))}
    assert participants([Opinion("x", 0.9, 0.9), Opinion("y", 0.9, 0.9)], known)


def test_a_principle_with_one_order_is_left_out_where_another_has_both() -> None:
    file = constitution_of(principle("kind"), principle("brief"))
    found = only(preferences([*votes_for(0.8, "kind"), judgement("a", "b", 0.01, principle="brief")], file))
    assert found.p_a == pytest.approx(0.8)
    assert found.p_shown_b is not None
    assert found.judgements == 3


def test_single_orders_of_different_principles_make_no_debiased_pair() -> None:
    file = constitution_of(principle("kind"), principle("brief"))
    votes = [judgement("a", "b", 0.9, principle="kind"), judgement("b", "a", 0.2, principle="brief")]
    found = only(preferences(votes, file))
    assert (found.p_shown_a is None) != (found.p_shown_b is None)


def test_unknown_principles_and_the_whole_constitution_count_plainly() -> None:
    assert only(preferences(votes_for(0.8, "gone"), ONE)).p_a == pytest.approx(0.8)
    whole = [judgement("a", "b", 0.8, principle=None), judgement("b", "a", 0.2, principle=None)]
    found = only(preferences(whole, ONE))
    assert found.principles == ("",)
    assert found.p_a == pytest.approx(0.8)


def test_arrival_order_does_not_matter() -> None:
    file = constitution_of(principle("kind", weight=0.3), principle("brief"), principle("true", tier=Tier.RULE))
    rng = random.Random(3)
    votes = [
        judgement(x, y, rng.random(), principle=name, n=n)
        for x, y in itertools.permutations("abc", 2)
        for name in ("kind", "brief", "true")
        for n in range(2)
    ]
    expected = preferences(votes, file)
    assert [(p.a_id, p.b_id) for p in expected] == [("a", "b"), ("a", "c"), ("b", "c")]
    for _ in range(5):
        rng.shuffle(votes)
        assert preferences(votes, file) == expected


def test_an_order_that_was_not_asked_is_filled_in_by_the_position_bias() -> None:
    # log-odds for the first: d + b with d = 1, b = 0.5; the other order would have said d - b for the same response
    told = only(preferences([judgement("a", "b", sigmoid(1.5))], ONE, bias=0.5))
    assert told.p_a == pytest.approx((sigmoid(1.5) + sigmoid(0.5)) / 2)
    assert (told.p_shown_a, told.p_shown_b, told.flipped) == (pytest.approx(sigmoid(1.5)), None, False)
    turned = only(preferences([judgement("b", "a", sigmoid(-0.5))], ONE, bias=0.5))
    assert turned.p_a == pytest.approx(told.p_a)
    assert (turned.p_shown_a, turned.p_shown_b) == (None, pytest.approx(sigmoid(0.5)))
    both = [judgement("a", "b", 0.9), judgement("b", "a", 0.6)]
    assert only(preferences(both, ONE, bias=2.0)) == only(preferences(both, ONE))


def test_a_rule_asked_in_one_order_on_purpose_still_decides() -> None:
    file = constitution_of(principle("safe", tier=Tier.RULE), principle("kind"))
    votes = [judgement("a", "b", 0.95, principle="safe"), *votes_for(0.2, "kind")]
    assert only(preferences(votes, file)).p_a == pytest.approx(0.2)
    assert only(preferences(votes, file, bias=0.0)).p_a == pytest.approx(0.95)
    assert only(preferences(votes, file, bias=0.0)).p_shown_b is None
