"""Ratings and propositions on the scripted engine and the pocket judge: what is asked, what is read, and what will not do."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from constitution.model import Condition
from engines.base import Capabilities, LabelRead
from engines.registry import create_engine
from judges.kinds.alone import AloneJudge
from judges.kinds.scale import rating_scale, yes_or_no
from pocket import JUDGE_PATH
from tenet.errors import JudgeUnfit
from tenet.records import Outcome
from tests.judges.makers import Altered, constitution_of, principle, prompt_of, sample_of, scripted

KIND, BRIEF = principle("kind"), principle("brief")
BOTH = constitution_of(KIND, BRIEF)
PROMPT = prompt_of("How do I mend it?")
SHORT, LONG = sample_of("Use glue.", prompt=PROMPT), sample_of("Use glue " + "and more " * 20, prompt=PROMPT)


def rater(engine=None, mode="each", constitution=BOTH, **scale) -> AloneJudge:
    return AloneJudge(engine or scripted("longer"), constitution, mode, "rating", rating_scale(1, 5, scale))


def checker(engine=None, constitution=BOTH) -> AloneJudge:
    return AloneJudge(engine or scripted("longer"), constitution, "each", "propositions", yes_or_no(letters=True))


def test_each_response_is_rated_once_under_each_principle():
    judge = rater()
    asks = judge.asks(PROMPT, [SHORT, LONG])
    assert [(ask.sample_id, ask.principle) for ask in asks] == [
        (sample.id, name) for sample in (SHORT, LONG) for name in ("kind", "brief")
    ]
    found = list(judge.stream(asks))
    assert len({one.id for one in found}) == 4
    # the rule: 2 ln(1 + words) less 2 ln 21 in log-odds of a step up, so a binomial mean of 1 + 4 p
    p_short = 9 / (9 + 441)
    short, _, long, _ = found
    assert short.score == pytest.approx(1 + 4 * p_short)
    assert short.distribution[0] == pytest.approx((1 - p_short) ** 4)
    assert math.fsum(short.distribution) == pytest.approx(1)
    assert (short.outcome, long.outcome) == (Outcome.SECOND, Outcome.FIRST)
    assert short.label_mass == pytest.approx(0.98)
    assert (short.low, short.high, short.principle_digest) == (1.0, 5.0, KIND.critique_digest)
    assert short.prompt_tokens == len(asks[0].tokens)
    assert short.version == f"kind@{KIND.critique_digest}"


def test_the_response_stands_in_front_and_the_principle_and_its_scale_last():
    judge = rater(**{"1": "cold"})
    text = judge.engine.tokenizer.decode(judge.asks(PROMPT, [SHORT, LONG])[0].tokens, skip_special=False)
    parts = [
        "Rate a response",
        PROMPT.text,
        SHORT.text,
        KIND.text,
        "1: cold",
        KIND.critique_question,
        "1, 2, 3, 4 or 5.",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_a_lone_response_and_a_prompt_without_a_principle_are_not_asked_about():
    assert rater().asks(PROMPT, [SHORT]) == []
    tagged = constitution_of(principle("kind", applies_when=(Condition(any_tags=("x",)),)))
    assert rater(constitution=tagged).asks(PROMPT, [SHORT, LONG]) == []
    assert len(rater(mode="sampled").asks(PROMPT, [SHORT, LONG])) == 2


def test_an_edited_principle_changes_its_own_questions_only():
    edited = constitution_of(replace(KIND, text="The response is warm."), BRIEF)
    before, after = (
        {ask.principle: ask.key for ask in rater(constitution=file).asks(PROMPT, [SHORT, LONG])}
        for file in (BOTH, edited)
    )
    assert before["brief"] == after["brief"]
    assert before["kind"] != after["kind"]


def test_the_scale_is_part_of_what_identifies_the_judge():
    assert rater().fingerprint != rater(**{"1": "cold"}).fingerprint
    assert rater().asks(PROMPT, [SHORT, LONG])[0].key != rater(**{"1": "cold"}).asks(PROMPT, [SHORT, LONG])[0].key
    assert rater().fingerprint == rater().fingerprint


def test_a_proposition_is_the_probability_of_yes():
    judge = checker()
    ratings = list(judge.stream(judge.asks(PROMPT, [SHORT, LONG])))
    assert ratings[0].score == pytest.approx(9 / (9 + 441))
    assert ratings[0].distribution == pytest.approx((441 / 450, 9 / 450))
    assert (ratings[0].low, ratings[0].high) == (0.0, 1.0)
    text = judge.engine.tokenizer.decode(judge.asks(PROMPT, [SHORT, LONG])[0].tokens, skip_special=False)
    assert text.rstrip().count("Answer with one letter: Y or N.") == 1


def test_labels_of_several_tokens_are_refused_with_their_names_and_a_cure():
    with pytest.raises(JudgeUnfit, match=r"label '10' is no single token[\s\S]*judge.letters: true"):
        AloneJudge(scripted(), BOTH, "each", "rating", rating_scale(1, 10, {}))
    with pytest.raises(JudgeUnfit, match=r"label 'No' is no single token[\s\S]*judge.letters: true"):
        AloneJudge(scripted(), BOTH, "each", "propositions", yes_or_no())
    letters = AloneJudge(scripted(), BOTH, "each", "rating", rating_scale(1, 10, {}, letters=True))
    found = next(iter(letters.stream(letters.asks(PROMPT, [SHORT, LONG]))))
    assert len(found.distribution) == 10


def test_engines_and_modes_that_cannot_are_refused():
    mute = Altered(capabilities=Capabilities(False, True, True, False))
    with pytest.raises(JudgeUnfit, match="does not read the log-probabilities"):
        rater(mute)
    with pytest.raises(JudgeUnfit, match="kind rating is asked about one principle"):
        rater(mode="whole")


def test_what_goes_wrong_with_one_response_is_its_outcome():
    def altered(place: int, read: LabelRead) -> LabelRead:
        return replace(read, logprobs=(), error="no answer") if place == 0 else replace(read, logprobs=(math.nan,) * 5)

    judge = rater(Altered(read=altered), mode="sampled")
    errors = list(judge.stream(judge.asks(PROMPT, [SHORT, LONG])))
    assert [one.outcome for one in errors] == [Outcome.ERROR] * 2
    assert errors[0].reason == "no answer"
    assert all(one.score is None and not one.distribution for one in errors)
    written = rater(Altered(read=lambda _, read: LabelRead((-30.0, 0.0, -30.0, -30.0, -30.0), read.usage, kind="text")))
    assert next(iter(written.stream(written.asks(PROMPT, [SHORT, LONG])))).score == 2.0


def test_preflight_tells_the_mass_and_refuses_a_judge_that_says_something_else():
    summary, found = rater().preflight([(PROMPT, [SHORT, LONG])])
    assert summary == "pre-flight: label mass 0.980 (median), 0.980 (least) over 4 questions"
    assert len(found) == 4
    with pytest.raises(JudgeUnfit, match=r"does not answer with one number: 1, 2, 3, 4 or 5[\s\S]*judge.prefill"):
        rater(scripted("longer", low_mass=1.0)).preflight([(PROMPT, [SHORT, LONG])])
    with pytest.raises(JudgeUnfit, match="failed on 4 of 4 questions; most often: a fault on order"):
        rater(scripted("longer", errors=1.0)).preflight([(PROMPT, [SHORT, LONG])])
    assert "nothing to ask" in rater().preflight([(PROMPT, [SHORT])])[0]


def test_the_pocket_judge_gives_every_label_a_probability_though_it_never_learnt_to_rate():
    with create_engine("transformers", str(JUDGE_PATH), options={"device": "cpu"}) as engine:
        judge = AloneJudge(engine, BOTH, "each", "rating", rating_scale(1, 5, {}, letters=True), min_label_mass=0.0)
        found = list(judge.stream(judge.asks(PROMPT, [SHORT, LONG])))
    assert len(found) == 4
    for one in found:
        assert one.outcome.is_opinion
        assert math.fsum(one.distribution) == pytest.approx(1)
        assert 1 <= one.score <= 5
        assert 0 < one.label_mass <= 1
