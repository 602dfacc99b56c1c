"""The pre-flight: what it measures, when it stops, and which cure it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from constitution.model import Condition
from engines.base import Completion
from judges.pairwise import PairwiseJudge
from judges.preflight import cure, preflight
from tenet.errors import JudgeUnfit
from tenet.records import Outcome, Prompt, Sample
from tests.judges.makers import Altered, constitution_of, principle, prompt_of, sample_of, scripted

FILE = constitution_of(principle("kind"))


def cases(number: int = 30) -> Iterator[tuple[Prompt, Sample, Sample]]:
    for n in range(number):
        prompt = prompt_of(f"Question {n}?")
        yield (
            prompt,
            sample_of(f"Answer {n}.", prompt=prompt),
            sample_of(f"A longer answer {n}.", prompt=prompt),
        )


def test_a_fit_judge_is_measured_on_twenty_prompts_in_both_orders() -> None:
    report = preflight(PairwiseJudge(scripted(), FILE), cases())
    assert (report.prompts, report.asked, report.low, report.failed) == (20, 40, 0, 0)
    assert report.median_mass == pytest.approx(0.98)
    assert report.least_mass == pytest.approx(0.98)
    assert [one.outcome for one in report.judgements[:2]] == [Outcome.SECOND, Outcome.FIRST]
    assert report.summary == "pre-flight: label mass 0.980 (median), 0.980 (least) over 40 questions"


def test_a_few_low_answers_are_reported_and_do_not_stop() -> None:
    report = preflight(PairwiseJudge(scripted(low_mass=0.2), FILE), cases())
    assert 0 < report.low < 20
    assert report.least_mass == pytest.approx(0.1)
    assert f"{report.low} low" in report.summary


def test_a_judge_that_thinks_first_is_told_how_to_stop() -> None:
    engine = Altered(
        read=lambda _, found: replace(found, logprobs=(-6.0, -7.0)),
        write=lambda _, found: replace(found, text="<think>\nOkay, the user", tokens=()),
    )
    with pytest.raises(JudgeUnfit) as caught:
        preflight(PairwiseJudge(engine, FILE), cases())
    text = str(caught.value)
    assert "does not answer with A or B" in text
    assert "0.00339 (median of 40 questions)" in text
    assert "'<think>\\nOkay, the user'" in text
    assert "chat_template_kwargs: {enable_thinking: false}" in text
    assert len(engine.calls.generate) == 1


@pytest.mark.parametrize(
    ("opening", "advice"),
    [
        ("<think>", "enable_thinking"),
        ("Thought process:", "enable_thinking"),
        ("**A**", "judge.prefill: '**'"),
        ("The better response is B.", "judge.prefill: 'The better response is '"),
        ("(B)", "judge.prefill: '('"),
        ("As an AI, I cannot", 'judge.prefill: "Answer: "'),
        ("", 'judge.prefill: "Answer: "'),
    ],
)
def test_the_cure_fits_what_the_model_began_to_write(opening: str, advice: str) -> None:
    assert advice in cure(opening)


def test_a_judge_that_fails_is_stopped_with_the_commonest_reason() -> None:
    engine = Altered(read=lambda place, found: replace(found, error="no memory" if place % 4 else "other"))
    with pytest.raises(JudgeUnfit, match="failed on 40 of 40 questions; most often: no memory"):
        preflight(PairwiseJudge(engine, FILE), cases())


def test_a_context_that_is_too_short_is_named() -> None:
    with pytest.raises(JudgeUnfit, match="longer context"):
        preflight(PairwiseJudge(scripted(max_length=100), FILE), cases())


def test_prompts_without_a_principle_are_passed_over_and_nothing_is_no_failure() -> None:
    tagged = constitution_of(principle("kind", applies_when=(Condition(any_tags=("code",)),)))
    judge = PairwiseJudge(scripted(), tagged)
    report = preflight(judge, cases())
    assert (report.asked, report.median_mass) == (0, None)
    assert report.summary == "pre-flight: there was nothing to ask"
    later = [*cases(25), (prompt_of("Sort?", tags=("code",)), sample_of("x"), sample_of("y"))]
    assert preflight(judge, later).asked == 2


def test_an_engine_that_fails_to_show_its_opening_still_gets_a_cure() -> None:
    def write(_: int, found: Completion) -> Completion:
        return replace(found, text="", tokens=())

    engine = Altered(read=lambda _, found: replace(found, logprobs=(-6.0, -7.0)), write=write)
    with pytest.raises(JudgeUnfit, match=r"judge\.prefill"):
        preflight(PairwiseJudge(engine, FILE), cases())
