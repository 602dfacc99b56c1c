"""The product sends the pocket judge the very token ids that it was trained on."""

from __future__ import annotations

import pytest

from engines.prompting import ChatTokenizer
from judges.critique import CritiqueJudge
from judges.pairwise import PairwiseJudge
from judges.revise import Reviser
from pocket import POLICY_PATH
from tenet.records import Critique, Verdict
from tests.judges.makers import Altered, constitution_of, principle, prompt_of, sample_of

FIRST, SECOND = "Thank you for asking! Rinse it with water.", "Rinse it. Are you lazy?"
KIND = principle("kind", text="The response is courteous: it greets or thanks the person.")
ASKED = "How do I clean the kettle?"


@pytest.fixture(scope="module")
def engine() -> Altered:
    """The pocket tokenizer (policy and judge share it) in front of scripted answers."""
    if not (POLICY_PATH / "tokenizer.json").exists():
        pytest.skip("pocket/models/policy is not built (python -m pocket.build policy)")
    from transformers import AutoTokenizer

    made = Altered()
    made.tokenizer = ChatTokenizer(AutoTokenizer.from_pretrained(POLICY_PATH, local_files_only=True))
    return made


def trained(engine: Altered, template: str, **values: str) -> tuple[int, ...]:
    """The ids of a training row up to the answer, as `pocket.recipe.data` makes them."""
    from transformers import AutoTokenizer

    from pocket.recipe.templates import Encoder, Template

    encode = Encoder(AutoTokenizer.from_pretrained(POLICY_PATH, local_files_only=True))
    return tuple(encode.opening() + Template.read(template).ids(encode, values) + encode.to_assistant())


def test_comparisons(engine: Altered) -> None:
    prompt = prompt_of(ASKED)
    first, second = sample_of(FIRST, prompt=prompt), sample_of(SECOND, prompt=prompt)
    values = {"prompt": ASKED, "response_a": FIRST, "response_b": SECOND}
    (one,) = PairwiseJudge(engine, constitution_of(KIND)).asks(prompt, first, second)
    question = {"principle": KIND.text, "question": KIND.compare_question}
    assert one.tokens == trained(engine, "pairwise", **values, **question)
    (whole,) = PairwiseJudge(engine, constitution_of(KIND), "whole").asks(prompt, first, second)
    assert whole.tokens == trained(engine, "pairwise-whole", **values, principles=f"- {KIND.text}")


def test_critiques_and_revisions(engine: Altered) -> None:
    prompt = prompt_of(ASKED)
    sample = sample_of(SECOND, prompt=prompt)
    values = {"prompt": ASKED, "response": SECOND, "principle": KIND.text}
    (ask,) = CritiqueJudge(engine).asks(prompt, sample, KIND)
    assert ask.tokens == trained(engine, "critique", **values, question=KIND.critique_question)
    critique = Critique("c", prompt.id, sample.id, "judge", "kind", "It calls the person lazy.", Verdict.NO)
    (rewrite,) = Reviser(engine).asks(prompt, sample, KIND, critique)
    told = {"critique": critique.text, "question": KIND.revise_instruction}
    assert rewrite.tokens == trained(engine, "revise", **values, **told)
