"""People's reliability from their labels alone: recovered where labels overlap, the prior where they do not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.blending.people import PRIOR, PRIOR_LABELS, People, Vote, reliabilities
from judges.probability import logit, sigmoid
from tenet.records import Choice

OTHER = {Choice.A: Choice.B, Choice.B: Choice.A, Choice.TIE: Choice.TIE}


def test_the_prior_is_what_two_equal_people_must_be_who_agree_on_72_6_percent() -> None:
    assert pytest.approx(0.726) == PRIOR**2 + (1 - PRIOR) ** 2


def test_known_reliabilities_are_recovered_where_labels_overlap() -> None:
    rng = random.Random(3)
    true = {"ann": 0.95, "bob": 0.8, "cy": 0.6}
    pairs = []
    for _ in range(1500):
        side = rng.choice([Choice.A, Choice.B])
        pairs.append([Vote(name, side if rng.random() < s else OTHER[side]) for name, s in true.items()])
    found = reliabilities(pairs)
    for name, s in true.items():
        assert found.reliability[name] == pytest.approx(s, abs=0.04)
    assert found.shared == dict.fromkeys(true, 1500)


def test_somebody_whose_labels_nobody_repeats_stays_at_the_prior() -> None:
    found = reliabilities([[Vote("ann", Choice.A)]] * 400)
    assert found.reliability["ann"] == pytest.approx(PRIOR, abs=1e-4)
    assert found.shared == {"ann": 0}


def test_one_shared_pair_worked_by_hand() -> None:
    """Two people, one pair, opposite sides: the posterior is even, so half a label each was right."""
    found = reliabilities([[Vote("ann", Choice.A), Vote("bob", Choice.B)]])
    expected = (0.5 + PRIOR * PRIOR_LABELS) / (1 + PRIOR_LABELS)
    assert found.reliability == pytest.approx({"ann": expected, "bob": expected})


def test_ties_say_nothing_about_a_person_and_move_no_pair() -> None:
    assert reliabilities([[Vote("ann", Choice.TIE)]]).reliability == {}
    assert People({"ann": 0.9}).p([Vote("ann", Choice.TIE)]) == 0.5


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(list(OTHER))), max_size=5))
def test_votes_add_up_in_log_odds_and_turning_them_round_turns_p_round(told: list[tuple[str, Choice]]) -> None:
    people = People({"ann": 0.9, "bob": 0.7})
    votes = [Vote(name, choice) for name, choice in told]
    by_hand = sum(vote.sign * logit(people.reliability[vote.annotator]) for vote in votes)
    assert people.p(votes) == pytest.approx(sigmoid(by_hand))
    assert people.p([Vote(v.annotator, OTHER[v.choice]) for v in votes]) == pytest.approx(1 - people.p(votes))
