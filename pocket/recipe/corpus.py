"""The texts that the tokenizer is trained on: a seeded draw of everything the two models will read and write."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pocket import critiques, oracle, world
from pocket.lexicon import LEXICON, QUALITIES
from pocket.recipe.data import MATCH_QUESTION
from pocket.recipe.templates import COMPARE, CRITIQUE, PROMPTS, REVISE
from pocket.wordings import inflected, wordings


def texts(seed: int = 0) -> Iterator[str]:
    """About 30,000 texts, the same for the same seed."""
    rng = random.Random(f"corpus:{seed}")
    for name in ("pairwise", "pairwise-whole", "critique", "revise"):
        for _ in range(200):
            yield (PROMPTS / f"{name}.txt").read_text(encoding="utf-8")
    for _ in range(200):
        yield from (
            COMPARE,
            CRITIQUE,
            REVISE,
            MATCH_QUESTION,
            "\nVerdict: yes",
            "\nVerdict: no",
            "system\nuser\nassistant\n",
        )
    for prompt in world.prompts(3000, seed):
        response = world.reply(prompt, world.draw_plan(rng, balanced=True), rng).text
        yield prompt.text
        yield response
        yield critiques.critique(rng.choice(oracle.FAMILIES), prompt.text, response, rng).full
    for family in LEXICON:
        yield from (wording.text for wording in wordings(family))
    for quality in QUALITIES:
        held = quality.held_adjectives + quality.held_nouns + quality.held_behaviours
        for entry in held * 120:
            yield f"it is {inflected(entry, 'do', '')} and {inflected(entry, 'does', '')}"
    for _ in range(4_000):
        yield "\n".join(critiques.glossary(rng))
        yield "\n".join(critiques.contrast(rng))
