"""HelpSteer3 (Wang et al. 2025): pairs with several annotators' preferences from -3 (the first) to 3.

Columns `context[]` (messages), `response1`, `response2`, `overall_preference`, `individual_preference[]{score}`, `domain`, `language`.
The file does not say who an annotator is: they are called by their place in the row, `helpsteer3-1` and on, so that a name is not a
person. The overall preference is worked out from them, and is a label only where they are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from judges.formats.base import Comparison, Format, Opinion, Response, Row, Source, by_row, number_of, text_of, value_of
from judges.formats.helpsteer2 import signed
from tenet.reading.clean import clean_turns
from tenet.reading.turns import Unreadable, prompt_of, turns_of

ANNOTATOR: Final = "helpsteer3"
_TAGS: Final = ("domain", "language")


def labelled(row: Row, source: Source) -> Comparison:
    """A row with one opinion for each annotator."""
    prompt, cut = prompt_of(turns_of(value_of(row, "context"), cell=source.rows.cells))
    if cut:
        raise Unreadable("context: ends with an answer and not with the user's turn")
    a, b = (Response(text_of(row, name)) for name in ("response1", "response2"))
    tags = tuple(f"{name}:{row[name]}" for name in _TAGS if isinstance(row.get(name), str))
    return Comparison(clean_turns(prompt)[0], a, b, _opinions(row, source.annotator(ANNOTATOR)), tags=tags)


def _opinions(row: Row, who: str) -> tuple[Opinion, ...]:
    told = row.get("individual_preference")
    if not isinstance(told, list) or not told:
        return (_opinion(who, row, "overall_preference"),)
    if not all(isinstance(one, Mapping) for one in told):
        raise Unreadable("individual_preference: expected a list of tables with a score")
    return tuple(_opinion(f"{who}-{place}", one, "score") for place, one in enumerate(told, 1))


def _opinion(who: str, row: Row, name: str) -> Opinion:
    choice, strength = signed(number_of(row, name), name)
    return Opinion(who, choice, strength=strength)


HELPSTEER3: Final = Format(
    "helpsteer3",
    "HelpSteer3: pairs with several annotators' preferences of -3 to 3",
    lambda columns: columns >= {"context", "response1", "response2", "overall_preference"},
    by_row(labelled),
    labels=True,
)
