"""What each strategy does to one pair, worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.blending.decide import Axis, Believed, Conflict, Dropped, Opinions, Source
from judges.blending.people import People, Vote
from judges.blending.trust import Trust, Trusted
from judges.calibration.maps import Slope
from judges.calibration.selective import Rule
from judges.probability import LOGIT_CLIP, logit, sigmoid
from tenet.records import Choice

PEOPLE = People({"ann": 0.9, "bob": 0.7})
A, B = (Vote("ann", Choice.A),), (Vote("ann", Choice.B),)
SURE = Rule(0.8, 0.9, 0.9, 0.5, 0.9, 0.85, 1, 1, 50)
JUDGE = Trusted(Trust(Slope(0.5), SURE, 50), {"bad": Trust(Slope(0.0), replace(SURE, threshold=None), 50)})
BELIEVED = Believed(PEOPLE, JUDGE)


def test_human_first_takes_people_where_they_are() -> None:
    assert BELIEVED.human_first(Opinions(0.2, 0.2, A)).p_a == pytest.approx(0.9)
    alone = BELIEVED.human_first(Opinions(0.2, 0.1))
    assert (alone.p_a, alone.source) == (0.2, Source.AI), "as the run exports it"


def test_weighted_adds_up_log_odds() -> None:
    found = BELIEVED.weighted(Opinions(0.2, 0.2, (*A, Vote("bob", Choice.B))))
    assert found.p_a == pytest.approx(sigmoid(0.5 * logit(0.2) + logit(0.9) - logit(0.7)))
    assert found.source is Source.BLEND
    assert BELIEVED.weighted(Opinions(0.2, 0.2)).p_a == pytest.approx(sigmoid(0.5 * logit(0.2)))


def test_a_judge_that_people_contradict_is_silent_in_a_sum() -> None:
    assert BELIEVED.weighted(Opinions(0.99, 0.99, B, "bad")).p_a == pytest.approx(0.1)
    assert BELIEVED.weighted(Opinions(0.99, 0.99, (), "bad")).p_a == 0.5


def test_routed_takes_the_judge_only_where_it_is_safe() -> None:
    safe = BELIEVED.routed(Opinions(0.85, 0.95, B))
    assert (safe.p_a, safe.source, safe.conflict) == (0.85, Source.AI, True)
    unsure = BELIEVED.routed(Opinions(0.7, 0.7, B))
    assert (unsure.source, unsure.by_label) == (Source.HUMAN, True)
    assert BELIEVED.routed(Opinions(0.7, 0.7)).dropped is Dropped.NO_LABEL
    assert BELIEVED.routed(Opinions(0.99, 0.99, (), "bad")).dropped is Dropped.NO_LABEL


def test_the_first_axis_that_holds_decides() -> None:
    axes = (Axis(Source.AI, tags=frozenset({"harmful"})), Axis(Source.HUMAN, principles=frozenset({"helpful"})))
    both = Opinions(0.3, 0.3, A, tags=("harmful",), principles=("helpful",))
    assert BELIEVED.by_axis(both, axes, None).source is Source.AI
    assert BELIEVED.by_axis(replace(both, tags=()), axes, None).source is Source.HUMAN
    assert BELIEVED.by_axis(replace(both, tags=(), votes=()), axes, None).dropped is Dropped.NO_LABEL
    assert BELIEVED.by_axis(Opinions(0.3, 0.3), axes, None).dropped is Dropped.NO_AXIS
    assert BELIEVED.by_axis(Opinions(0.3, 0.3), axes, Source.AI).p_a == 0.3


@pytest.mark.parametrize(
    ("rule", "p", "source"),
    [
        (Conflict.KEEP, 0.2, Source.AI),
        (Conflict.AI, 0.2, Source.AI),
        (Conflict.HUMAN, 0.9, Source.HUMAN),
        (Conflict.POOL, sigmoid(0.5 * logit(0.05) + logit(0.9)), Source.BLEND),
    ],
)
def test_conflicts_go_by_rule(rule: Conflict, p: float, source: Source) -> None:
    found = replace(BELIEVED, conflict=rule).routed(Opinions(0.2, 0.05, A))
    assert found.conflict
    assert (found.p_a, found.source) == (pytest.approx(p), source)


def test_a_conflict_can_drop_the_pair_and_agreement_is_none() -> None:
    strict = replace(BELIEVED, conflict=Conflict.DROP)
    assert strict.human_first(Opinions(0.2, 0.2, A)).dropped is Dropped.CONFLICT
    assert strict.human_first(Opinions(0.2, 0.2, B)).dropped is None
    assert not BELIEVED.human_first(Opinions(0.5, 0.5, A)).conflict, "who names no winner contradicts nobody"


def test_what_people_know_alone_needs_no_judge() -> None:
    assert BELIEVED.weighted(Opinions(None, None, A)).source is Source.HUMAN
    assert BELIEVED.by_axis(Opinions(None, None), (), Source.AI).dropped is Dropped.NO_JUDGE


def test_pure_sources_are_only_told_of_pairs_that_both_decide() -> None:
    assert BELIEVED.pure(Opinions(0.3, 0.3, A), Source.AI).p_a == 0.3
    assert BELIEVED.pure(Opinions(0.3, 0.3, A), Source.HUMAN).p_a == pytest.approx(0.9)
    for missing in (Opinions(0.3, 0.3), Opinions(0.5, 0.5, A), Opinions(0.3, 0.3, (Vote("ann", Choice.TIE),))):
        assert BELIEVED.pure(missing, Source.HUMAN).dropped is Dropped.NOT_IN_BOTH


@given(
    st.floats(0.01, 0.99),
    st.lists(st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from([Choice.A, Choice.B])), max_size=3),
    st.sampled_from(["human_first", "weighted", "routed"]),
    st.sampled_from(list(Conflict)),
)
def test_told_of_the_other_direction_a_pair_gets_the_other_p(
    p: float, told: list[tuple[str, Choice]], strategy: str, rule: Conflict
) -> None:
    other = {Choice.A: Choice.B, Choice.B: Choice.A}
    votes = tuple(Vote(*one) for one in told)
    turned = tuple(Vote(one.annotator, other[one.choice]) for one in votes)
    believed = replace(BELIEVED, conflict=rule)
    here = getattr(believed, strategy)(Opinions(p, p, votes))
    there = getattr(believed, strategy)(Opinions(1 - p, 1 - p, turned))
    assert (here.source, here.dropped) == (there.source, there.dropped)
    assert here.p_a == pytest.approx(1 - there.p_a)
    assert abs(logit(here.p_a)) <= 4 * LOGIT_CLIP
