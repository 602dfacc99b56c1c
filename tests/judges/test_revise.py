"""Revisions on the scripted engine, over several rounds."""

from __future__ import annotations

from dataclasses import replace

from engines.base import Completion, SamplingParams
from judges.critique import CritiqueJudge
from judges.revise import Reviser, as_sample
from tenet.records import Critique, Finish, Verdict
from tests.judges.makers import Altered, principle, prompt_of, sample_of, scripted

POLITE = principle("polite")
PROMPT = prompt_of("How do I mend it?")
SAMPLE = sample_of("Use glue.", prompt=PROMPT)
CRITIQUE = Critique("c1", PROMPT.id, SAMPLE.id, "judge", "polite", "It says no please.", Verdict.NO)


def test_a_revision_reads_the_critique_and_rewrites() -> None:
    reviser = Reviser(scripted("word:please"))
    (ask,) = reviser.asks(PROMPT, SAMPLE, POLITE, CRITIQUE)
    text = reviser.engine.tokenizer.decode(ask.tokens, skip_special=False)
    told = "### Critique\nIt says no please.\n\n### Principle\nThe response is polite.\n\nRewrite"
    assert f"### Response\nUse glue.\n\n{told}" in text
    (found,) = reviser.revise([ask])
    assert found.text == "Use glue. Please."
    assert (found.round, found.parent_id, found.critique_id, found.principle) == (
        1,
        SAMPLE.id,
        "c1",
        "polite",
    )
    assert (found.id, found.prompt_id, found.finish, found.model) == (
        ask.record_id,
        PROMPT.id,
        Finish.STOP,
        "word:please",
    )


def test_rounds_follow_one_another() -> None:
    engine = scripted("word:please")
    critic, reviser = CritiqueJudge(engine), Reviser(engine)
    current, verdicts = SAMPLE, []
    (critique,) = critic.critique(critic.asks(PROMPT, current, POLITE))
    (first,) = reviser.revise(reviser.asks(PROMPT, SAMPLE, POLITE, critique))
    (second_look,) = critic.critique(critic.asks(PROMPT, as_sample(first, SAMPLE), POLITE))
    (second,) = reviser.revise(reviser.asks(PROMPT, first, POLITE, second_look))
    verdicts = [critique.verdict, second_look.verdict]
    assert verdicts == [Verdict.NO, Verdict.YES]
    assert (second.round, second.parent_id, second.critique_id) == (2, first.id, second_look.id)
    assert second.text == "Use glue. Please. Please."


def test_a_revision_seen_as_a_sample_keeps_nothing_of_the_originals_figures() -> None:
    reviser = Reviser(scripted("word:please"))
    (revision,) = reviser.revise(reviser.asks(PROMPT, SAMPLE, POLITE, CRITIQUE))
    seen = as_sample(revision, replace(SAMPLE, prompt_tokens=9, completion_tokens=3, seed=5))
    assert (seen.id, seen.text, seen.policy) == (revision.id, revision.text, "word:please")
    assert (seen.prompt_id, seen.prompt_tokens, seen.completion_tokens, seen.usable) == (
        PROMPT.id,
        None,
        None,
        True,
    )


def test_only_outer_white_space_is_stripped() -> None:
    engine = Altered(write=lambda _, found: replace(found, text="\n  Revised response:\n\n- one\n- two  \n"))
    reviser = Reviser(engine)
    (found,) = reviser.revise(reviser.asks(PROMPT, SAMPLE, POLITE, CRITIQUE))
    assert found.text == "Revised response:\n\n- one\n- two"


def test_failures_have_reasons_and_no_text() -> None:
    def write(place: int, found: Completion) -> Completion:
        return [replace(found, text=" \n"), replace(found, text="", finish=Finish.ERROR, error="lost")][place]

    engine = Altered(write=write)
    engine.max_length = 900
    reviser = Reviser(engine)
    endless = sample_of("very " * 400, prompt=PROMPT)
    asks = [ask for sample in (SAMPLE, endless, SAMPLE) for ask in reviser.asks(PROMPT, sample, POLITE, CRITIQUE)]
    empty, long, lost = reviser.revise(asks)
    assert [one.finish for one in (empty, long, lost)] == [Finish.ERROR] * 3
    assert [one.text for one in (empty, long, lost)] == [""] * 3
    assert empty.reason == "the revision is empty"
    assert "the model takes 900" in long.reason
    assert lost.reason == "lost"
    assert not as_sample(empty, SAMPLE).usable


def test_a_revision_that_was_cut_off_is_kept_and_marked() -> None:
    reviser = Reviser(scripted("longer"), params=SamplingParams(max_tokens=12, temperature=0.0))
    (found,) = reviser.revise(reviser.asks(PROMPT, SAMPLE, POLITE, CRITIQUE))
    assert (found.finish, found.text) == (Finish.LENGTH, "Use glue. Th")
