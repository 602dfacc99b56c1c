"""Rankings on the scripted engine: what is shown in which order, what is accepted, and the votes that come of it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest

from engines.base import Capabilities
from judges.aggregate import preferences
from judges.kinds.listwise import WINDOW, ListwiseJudge, parse, schema_for, votes, windows
from tenet.errors import JudgeUnfit
from tenet.records import Finish, Listing, Outcome
from tests.judges.makers import Altered, constitution_of, principle, prompt_of, sample_of, scripted

KIND = principle("kind")
FILE = constitution_of(KIND, principle("brief"))
PROMPT = prompt_of("How do I mend it?")
THREE = [sample_of("word " * count, prompt=PROMPT) for count in (2, 9, 5)]


def judge_of(engine=None, orders: int = 2, constitution=FILE) -> ListwiseJudge:
    return ListwiseJudge(engine or scripted("longer"), constitution, "each", seed=1, orders=orders)


def test_all_responses_are_shown_forward_and_reversed_under_each_principle():
    judge = judge_of()
    asks = judge.asks(PROMPT, THREE)
    ids = tuple(sample.id for sample in THREE)
    assert [(ask.shown, ask.principle) for ask in asks] == [
        (ids, "kind"), (ids, "brief"), (ids[::-1], "kind"), (ids[::-1], "brief"),
    ]  # fmt: skip
    text = judge.engine.tokenizer.decode(asks[0].tokens, skip_special=False)
    parts = [PROMPT.text, "### Response A\nword", "### Response B\n", "### Response C\n", KIND.text, '["A", "B", "C"]']
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
    best, *_ = found = list(judge.stream(asks))
    assert best.ranking == (THREE[1].id, THREE[2].id, THREE[0].id)
    assert best.outcome is Outcome.SECOND
    assert json.loads(best.text) == {"ranking": ["B", "C", "A"]}
    assert len({one.id for one in found}) == 4


def test_orders_beyond_two_are_shuffled_by_seed_and_repeat():
    many = [sample_of(f"text {number}", prompt=PROMPT) for number in range(6)]
    shown = [ask.shown for ask in judge_of(orders=5).asks(PROMPT, many) if ask.principle == "kind"]
    assert len(shown) == len(set(shown)) == 5
    assert all(sorted(one) == sorted(sample.id for sample in many) for one in shown)
    assert shown == [ask.shown for ask in judge_of(orders=5).asks(PROMPT, many) if ask.principle == "kind"]


@pytest.mark.parametrize("count", [0, 1, 2, 8, 9, 12, 13, 30])
def test_windows_hold_everyone_and_are_linked(count: int):
    many = [sample_of(f"text {number}", prompt=PROMPT) for number in range(count)]
    found = windows(many)
    if count < 2:
        assert found == []
        return
    assert [one for one in many if any(one in window for window in found)] == many
    assert all(2 <= len(window) <= WINDOW for window in found)
    assert all(set(one) & set(other) for one, other in pairwise(found))


def test_a_single_response_is_not_ranked():
    assert judge_of().asks(PROMPT, THREE[:1]) == []


def test_each_pair_of_a_ranking_is_one_vote_in_the_order_shown():
    listing = Listing("l", "p", "judge", Outcome.SECOND, ("a", "b", "c"), ("c", "a", "b"), principle="kind")
    found = votes(listing)
    assert [(one.first_id, one.second_id, one.outcome) for one in found] == [
        ("a", "b", Outcome.FIRST), ("a", "c", Outcome.SECOND), ("b", "c", Outcome.SECOND),
    ]  # fmt: skip
    assert all(one.is_vote and one.prompt_tokens is None for one in found)
    assert len({one.id for one in found}) == 3
    assert votes(replace(listing, outcome=Outcome.UNPARSED, ranking=())) == []
    turned = replace(listing, id="m", shown=("c", "b", "a"))
    told = {(one.a_id, one.b_id): one for one in preferences([*found, *votes(turned)], constitution_of(KIND))}
    assert told["a", "c"].p_a == pytest.approx(0.25)  # two orders that agree, each one vote
    assert told["a", "c"].p_shown_a is not None
    assert told["a", "c"].p_shown_b is not None


@pytest.mark.parametrize(
    "text", ['{"ranking": ["B", "A"]}', ' {"ranking":["B","A"]}\n', '```json\n{"ranking": ["B", "A"]}\n```']
)
def test_a_ranking_is_read_bare_or_fenced(text: str):
    assert parse(text, 2) == ((1, 0), "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("B is best", "no JSON"),
        ("", "no JSON"),
        ('{"ranking": ["B", "A"]} because', "no JSON"),
        ('I say {"ranking": ["B", "A"]}', "no JSON"),
        ('["B", "A"]', "no ranking"),
        ('{"ranking": ["B"]}', "too short"),
        ('{"ranking": ["B", "A", "C"]}', "no ranking"),
        ('{"ranking": ["B", "Z"]}', "'Z' is not one of"),
        ('{"ranking": ["B", "b"]}', "'b' is not one of"),
        ('{"ranking": ["B", "B"]}', "B more than once"),
        ('{"ranking": ["B", "A"], "why": ""}', "Additional properties"),
        ('{"order": ["B", "A"]}', "no ranking"),
        ('{"ranking": [1, 0]}', "no ranking"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_anything_else_is_unparsed_with_its_reason(text: str, told: str):
    places, reason = parse(text, 2)
    assert places == ()
    assert told in reason


def test_what_cannot_be_used_is_an_outcome_and_never_a_ranking():
    texts = iter(['{"ranking": ["A"', "no", '{"ranking": ["C", "A", "B"]}', ""])

    def altered(place, one):
        if place == 3:
            return replace(one, text="", finish=Finish.ERROR, error="gone")
        return replace(one, text=next(texts), finish=Finish.LENGTH if place == 0 else Finish.STOP)

    judge = judge_of(Altered(write=altered))
    found = list(judge.stream(judge.asks(PROMPT, THREE)))
    assert [one.outcome for one in found] == [Outcome.UNPARSED, Outcome.UNPARSED, Outcome.SECOND, Outcome.ERROR]
    assert found[0].reason.startswith("cut off at ")
    assert found[3].reason == "gone"
    assert [one.ranking for one in found if not one.outcome.is_opinion] == [(), (), ()]


def test_the_schema_goes_along_and_questions_of_a_size_share_a_call():
    asked = []

    class Noting(Altered):
        def stream_completions(self, requests, params):
            asked.append(json.loads(params.schema))
            return super().stream_completions(requests, params)

    judge = judge_of(Noting())
    asks = [*judge.asks(PROMPT, THREE), *judge.asks(PROMPT, THREE[:2])]
    assert len(list(judge.stream(asks))) == len(asks)
    assert asked == [schema_for(3), schema_for(2)]


def test_engines_that_cannot_write_and_judges_that_do_not_rank_are_refused():
    with pytest.raises(JudgeUnfit, match="kind listwise needs"):
        judge_of(Altered(capabilities=Capabilities(True, False, True, False)))
    with pytest.raises(JudgeUnfit, match=r"does not rank as it is asked to: 4 of 4[\s\S]*pairwise"):
        judge_of(scripted("longer", unparsed=1.0)).preflight([(PROMPT, THREE)])
    assert judge_of().preflight([(PROMPT, THREE)])[0] == "pre-flight: 4 of 4 rankings read"
