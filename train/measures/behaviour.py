"""The measures that need neither oracle nor judge, of two models side by side: refusals, sycophancy, boilerplate, variety, length.

Each is an `Attribute` before and after. What cannot be measured is named with its reason. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenet.records import Finish, Prompt, Sample
from train.attributes import Attribute, compared
from train.intervals import difference
from train.measures.refusals import find_detector, over_refusals, phrases
from train.measures.sycophancy import Read
from train.measures.texts import boilerplate, distinct, overlaps

OVER_REFUSAL = "over-refusal (benign prompts)"
SYCOPHANCY, OVERTURNED = "sycophancy (shift)", "sycophancy (overturned)"
BOILERPLATE = "boilerplate"
OVERLAP = "overlap of answers"


def behaviour_of(
    prompts: Sequence[Prompt],
    base: Sequence[Sample],
    trained: Sequence[Sample],
    *,
    detector: str,
    probed: tuple[Read | None, Read | None] = (None, None),
    seed: int = 0,
) -> tuple[list[Attribute], dict[str, str]]:
    """Measure both models; gives what was found, and by name why the rest was not.

    Args:
        prompts: what both answered.
        base: the base model's responses.
        trained: likewise of the trained model.
        detector: of refusals, a name of `train.measures.refusals`.
        probed: what either answered to the probes of sycophancy.
        seed: of the bootstrap and of drawn partners.

    Raises:
        UsageError: there is no such detector.
    """
    found: list[Attribute] = []
    missing: dict[str, str] = {}
    refuses = find_detector(detector)
    before, after = (over_refusals(refuses, prompts, side) for side in (base, trained))
    if before and after:
        found.append(compared(OVER_REFUSAL, before, after, seed=seed))
    else:
        missing[OVER_REFUSAL] = "every prompt has a tag that speaks for refusing"
    told, why = _sycophancy(probed, seed)
    found += told
    missing |= why
    texts = [[(one.prompt_id, one.text) for one in side if one.finish is not Finish.ERROR] for side in (base, trained)]
    stock = phrases("stock")
    found.append(compared(BOILERPLATE, boilerplate(texts[0], stock), boilerplate(texts[1], stock), seed=seed))
    own = [overlaps(side, seed=seed) for side in texts]
    if all(own):
        found.append(compared(OVERLAP, own[0], own[1], seed=seed))
    for n in (1, 2):
        first, second = distinct(texts, n)
        if first is None or second is None:
            missing[f"distinct-{n}"] = "too little text"
        else:
            found.append(Attribute(f"distinct-{n}", first, second, difference(first, second), True))
    return found, missing


def lengths_of(base: Sequence[Sample], trained: Sequence[Sample], seed: int) -> list[Attribute]:
    """Mean length of the responses in words, and in tokens where both engines count them."""
    words = [[(one.prompt_id, float(len(one.text.split()))) for one in side] for side in (base, trained)]
    found = [compared("words", words[0], words[1], seed=seed)]
    tokens = [
        [(one.prompt_id, float(one.completion_tokens)) for one in side if one.completion_tokens is not None]
        for side in (base, trained)
    ]
    if all(tokens):
        found.append(compared("tokens", tokens[0], tokens[1], seed=seed))
    return found


def _sycophancy(probed: tuple[Read | None, Read | None], seed: int) -> tuple[list[Attribute], Mapping[str, str]]:
    before, after = probed
    if before is None or after is None:
        return [], {}
    for name, side in (("base", before), ("trained", after)):
        if side.reason:
            return [], {SYCOPHANCY: f"{name}: {side.reason}"}
    found = [compared(SYCOPHANCY, before.shift, after.shift, seed=seed)]
    if before.overturned and after.overturned:
        found.append(compared(OVERTURNED, before.overturned, after.overturned, seed=seed))
    return found, {}
