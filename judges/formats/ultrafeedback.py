"""UltraFeedback (Cui et al. 2023): four completions a row, each rated by GPT-4 on several aspects.

Columns `instruction` and `completions[]` with `response`, `model`, `custom_system_prompt` and `annotations{aspect{Rating}}`. A
completion's score is the mean of its ratings, over the aspects on which all completions of the row are rated; the file's
`overall_score` is not used, for some of its values are known to be wrong (10 for 1). Every pair of completions becomes a comparison,
all of a row under one ranking: what is best follows from them, and best-against-others would lose the order of the rest. Strength is
the gap over the scale of 1 to 5. The completions of a row were drawn under other system prompts; the prompt is the instruction alone.
The annotator is a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from judges.formats.base import (
    Comparison,
    Format,
    LeftOut,
    Response,
    Row,
    Source,
    each_of,
    text_of,
    user_turn,
    value_of,
)
from judges.formats.pairs import ranked
from tenet.reading.turns import Unreadable, kind_of

ANNOTATOR: Final = "gpt-4"
SPAN: Final = 4.0
_RATINGS: Final = {str(value): float(value) for value in range(1, 6)}


def compared(row: Row, source: Source) -> list[Comparison]:
    """The pairs of a row."""
    told = value_of(row, "completions")
    if not isinstance(told, list) or not all(isinstance(one, Mapping) for one in told):
        raise Unreadable(f"completions: expected a list of tables, found {kind_of(told)}")
    if len(told) < 2:
        raise LeftOut("fewer than two completions")
    ratings = [_ratings(one) for one in told]
    shared = set.intersection(*(set(one) for one in ratings))
    if not shared:
        raise LeftOut("no aspect on which all completions are rated")
    scores = [round(sum(one[name] for name in shared) / len(shared), 9) for one in ratings]
    responses = [Response(text_of(one, "response"), _model(one)) for one in told]
    prompt = user_turn(text_of(row, "instruction"))
    return ranked(prompt, responses, scores, annotator=source.annotator(ANNOTATOR), span=SPAN, person=False)


def _model(completion: Row) -> str:
    model = completion.get("model")
    return model if isinstance(model, str) and model else "given"


def _ratings(completion: Row) -> dict[str, float]:
    """Ratings by aspect; one that is N/A is none. Some files hold a list with one table an aspect."""
    told = value_of(completion, "annotations")
    if not isinstance(told, Mapping):
        raise Unreadable(f"annotations: expected aspects with ratings, found {kind_of(told)}")
    found = {}
    for aspect, held in told.items():
        one = held[0] if isinstance(held, list) and held else held
        rating = _RATINGS.get(str(one.get("Rating"))) if isinstance(one, Mapping) else None
        if rating is not None:
            found[str(aspect)] = rating
    return found


ULTRAFEEDBACK: Final = Format(
    "ultrafeedback",
    "UltraFeedback: completions rated by GPT-4 on several aspects",
    lambda columns: columns >= {"instruction", "completions"},
    each_of(compared),
    labels=True,
)
