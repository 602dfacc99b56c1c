"""Critiques on the scripted engine: text and verdict, and everything that is no verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.base import Capabilities, Completion, SamplingParams
from judges.critique import CritiqueJudge
from tenet.errors import JudgeUnfit
from tenet.records import Finish, Verdict
from tests.judges.makers import Altered, principle, prompt_of, sample_of, scripted

KIND = principle("kind")
PROMPT = prompt_of("How do I mend it?")
SHORT, LONG = sample_of("Use glue.", prompt=PROMPT), sample_of("word " * 30, prompt=PROMPT)


def test_a_critique_is_text_and_verdict() -> None:
    critic = CritiqueJudge(scripted("longer"))
    asks = [*critic.asks(PROMPT, SHORT, KIND), *critic.asks(PROMPT, LONG, KIND)]
    no, yes = critic.critique(asks)
    assert (no.verdict, yes.verdict) == (Verdict.NO, Verdict.YES)
    assert no.text == "The response does not follow the principle."
    assert (no.id, no.sample_id, no.prompt_id, no.principle, no.judge) == (
        asks[0].record_id,
        SHORT.id,
        PROMPT.id,
        "kind",
        "longer",
    )


def test_the_question_is_the_principles_own() -> None:
    critic = CritiqueJudge(scripted())
    (ask,) = critic.asks(PROMPT, SHORT, replace(KIND, critique="Is anybody hurt?"))
    text = critic.engine.tokenizer.decode(ask.tokens, skip_special=False)
    asked = "### Principle\nThe response is kind.\n\nIs anybody hurt? Write a short critique"
    assert f"### Response\nUse glue.\n\n{asked}" in text


def test_keys_follow_question_and_sampling() -> None:
    plain, warm = CritiqueJudge(scripted()), CritiqueJudge(scripted(), params=SamplingParams(temperature=0.7))
    keys = {judge.asks(PROMPT, sample, KIND)[0].key for judge in (plain, warm) for sample in (SHORT, LONG)}
    assert len(keys) == 4


def test_a_critique_without_a_verdict_is_unparsed_and_kept() -> None:
    (found,) = (critic := CritiqueJudge(scripted(unparsed=1.0))).critique(critic.asks(PROMPT, SHORT, KIND))
    assert found.verdict is Verdict.UNPARSED
    assert found.text == "The response does not follow the principle."
    assert "Verdict" in found.reason


def test_a_critique_that_was_cut_off_says_so() -> None:
    critic = CritiqueJudge(scripted(), params=SamplingParams(max_tokens=10, temperature=0.0))
    (found,) = critic.critique(critic.asks(PROMPT, SHORT, KIND))
    assert found.verdict is Verdict.UNPARSED
    assert found.reason == "cut off at 10 tokens before a verdict"
    assert found.text == "The respon"


def test_errors_and_long_prompts_are_errors_with_reasons() -> None:
    def write(place: int, found: Completion) -> Completion:
        return replace(found, text="", finish=Finish.ERROR, error="out of memory") if place == 0 else found

    engine = Altered(write=write)
    engine.max_length = 800
    critic = CritiqueJudge(engine)
    endless = sample_of("very " * 400, prompt=PROMPT)
    asks = [ask for sample in (endless, SHORT, LONG) for ask in critic.asks(PROMPT, sample, KIND)]
    long, failed, fine = critic.critique(asks)
    assert (long.verdict, failed.verdict, fine.verdict) == (Verdict.ERROR, Verdict.ERROR, Verdict.YES)
    assert "the model takes 800" in long.reason
    assert failed.reason == "out of memory"
    assert engine.calls.generate == [2]


def test_an_engine_that_does_not_write_is_unfit() -> None:
    mute = Altered(
        capabilities=Capabilities(label_logprobs=True, generates=False, deterministic=True, prefix_cache=False)
    )
    with pytest.raises(JudgeUnfit, match="critique: none"):
        CritiqueJudge(mute)
