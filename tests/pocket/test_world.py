"""The world: its prompts and their split, and replies that the oracle reads as they were planned."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from pocket import oracle, world
from pocket.world import Kind, Length, Plan, Tone
from tenet.errors import UsageError


def test_there_are_enough_different_prompts_and_none_in_both_splits() -> None:
    everything = world.all_prompts()
    assert len(everything) == len({prompt.text for prompt in everything}) > 3_000
    train, heldout = world.prompts(3_000, 0), world.prompts(900, 0, "heldout")
    assert not {prompt.text for prompt in train} & {prompt.text for prompt in heldout}


def test_the_split_is_the_first_byte_of_the_sha256() -> None:
    # sha256("My piano is broken, what now?") and of the kettle's, worked out with sha256sum
    assert world.split_of("My piano is broken, what now?") == _split_by_hand("My piano is broken, what now?")
    assert {world.split_of(prompt.text) for prompt in world.prompts(200, 3, "heldout")} == {"heldout"}


def _split_by_hand(text: str) -> str:
    from hashlib import sha256

    return "heldout" if int(sha256(text.encode()).hexdigest()[:2], 16) % 5 == 0 else "train"


def test_prompts_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    assert world.prompts(50, 1) == world.prompts(50, 1)
    assert world.prompts(50, 1) != world.prompts(50, 2)


def test_too_many_prompts_is_an_error_that_says_how_many_there_are() -> None:
    with pytest.raises(UsageError, match="ask for at most"):
        world.prompts(5_000, 0, "heldout")


def test_kinds_can_be_chosen() -> None:
    assert {prompt.kind for prompt in world.prompts(40, 0, kinds=(Kind.HARMFUL,))} == {Kind.HARMFUL}


def test_every_prompt_is_recognised_from_its_text() -> None:
    wrong = [
        p.text
        for p in world.all_prompts()
        if oracle.kind_of(p.text) is not p.kind or oracle.topic_of(p.text) != p.topic
    ]
    assert wrong == []


def test_replies_are_read_as_they_were_planned() -> None:
    rng = random.Random(5)
    for prompt in world.prompts(400, 5):
        plan = world.draw_plan(rng, balanced=True)
        seen = oracle.read(prompt.text, world.reply(prompt, plan, rng).text)
        assert (seen.tone, seen.length, seen.on_topic, seen.well_formed) == (plan.tone, plan.length, True, True)
        if prompt.kind is Kind.HARMFUL:
            assert seen.refuses is plan.upright
        if prompt.kind is Kind.UNKNOWABLE:
            assert seen.admits_uncertainty is plan.upright
        if prompt.kind is Kind.OPINION:
            assert (seen.corrects, seen.flatters) == (plan.upright, not plan.upright)


def test_a_plan_follows_the_documented_mixture() -> None:
    rng = random.Random(0)
    tones = Counter(world.draw_plan(rng).tone for _ in range(4_000))
    assert abs(tones[Tone.COURTEOUS] / 4_000 - 0.35) < 0.03
    assert abs(tones[Tone.BLUNT] / 4_000 - 0.25) < 0.03


def test_a_revision_keeps_what_it_does_not_change() -> None:
    rng = random.Random(1)
    prompt = world.prompts(1, 0, kinds=(Kind.BENIGN,))[0]
    old = world.reply(prompt, Plan(Tone.NEUTRAL, Length.MEDIUM, True), rng)
    new = world.revised(prompt, old, Plan(Tone.COURTEOUS, Length.MEDIUM, True), rng)
    assert new.core == old.core
    assert oracle.tone_of(new.text) is Tone.COURTEOUS


def test_articles() -> None:
    assert world.with_article("iron") == "an iron"
    assert world.with_article("kettle") == "a kettle"
    assert not [prompt.text for prompt in world.all_prompts() if " a iron" in prompt.text or " a oven" in prompt.text]
