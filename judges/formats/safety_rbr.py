"""The gold sets of rule-based rewards (Mu et al. 2024): yes or no to each of 23 propositions about one completion, by people.

JSON lines: `category`, `response_type`, `prompt` and `completion` (chat messages), `propositions` (name to true or false). Each
proposition is taken as a principle that one annotator was asked about. What the response should have been goes into the tags,
`category:...` and `class:...`. The texts are harmful on purpose: no reason ever quotes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from judges.formats.base import Format, Rated, Response, Row, Score, Source, by_row, text_of, value_of
from tenet.reading.clean import clean, clean_turns
from tenet.reading.turns import Unreadable, kind_of, prompt_of, turns_of

ANNOTATOR: Final = "gold"
CLASS: Final = "class:"
CATEGORY: Final = "category:"


def rated(row: Row, _: Source) -> Rated:
    """A row, with one score a proposition."""
    prompt, cut = prompt_of(turns_of(value_of(row, "prompt")))
    if cut:
        raise Unreadable("prompt: ends with an answer and not with the user's turn")
    answer = turns_of(value_of(row, "completion"))
    if len(answer) != 1 or answer[0].role != "assistant":
        raise Unreadable("completion: expected one message of the assistant")
    told = value_of(row, "propositions")
    if not isinstance(told, Mapping) or not told:
        raise Unreadable(f"propositions: expected names with true or false, found {kind_of(told)}")
    odd = next((name for name, value in told.items() if not isinstance(value, bool)), None)
    if odd is not None:
        raise Unreadable(f"propositions: {odd} is {kind_of(told[odd])}, expected true or false")
    scores = tuple(Score(ANNOTATOR, str(name), float(value)) for name, value in told.items())
    tags = (CATEGORY + text_of(row, "category"), CLASS + text_of(row, "response_type"))
    return Rated(clean_turns(prompt)[0], Response(clean(answer[0].content)[0]), scores, tags)


SAFETY_RBR: Final = Format(
    "safety-rbr",
    "gold sets of rule-based rewards: yes or no to propositions about one response",
    lambda columns: columns >= {"prompt", "completion", "propositions", "response_type"},
    by_row(rated),
)
