"""PandaLM's test set (Wang et al. 2024): pairs with three independent labels, ties allowed; and the verdicts of judges by row.

`testset-v1.json`: `idx, cmp_key, instruction, input, response1, response2, annotator1..3` (1, 2, or 0 for a tie). A response may be a
JSON truth value, the answer "true" that lost its quotes; it is read back as Python writes it. Some rows have the same texts, and are
other items nevertheless. A judge's file has `idx` and `NAME_result` only, so it needs the test set beside it; the order in which the
judge was shown the responses is not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from judges.formats.base import (
    Comparison,
    Format,
    Keyed,
    Opinion,
    Response,
    Row,
    Source,
    by_row,
    choice_of,
    text_of,
    user_turn,
    value_of,
)
from tenet.reading.turns import Unreadable
from tenet.records import Choice, Outcome

_ANNOTATORS: Final = ("annotator1", "annotator2", "annotator3")
_LABELS: Final[Mapping[object, Choice]] = {1: Choice.A, 2: Choice.B, 0: Choice.TIE}
_VERDICTS: Final[Mapping[object, Choice]] = {
    **_LABELS, "1": Choice.A, "2": Choice.B, "0": Choice.TIE, "Tie": Choice.TIE,
}  # fmt: skip
_NO_VERDICT: Final = "garbage"
_RESULT: Final = "_result"
_SET: Final = re.compile(r"[-_.]?testset.*$")


def labelled(row: Row, _: Source) -> Comparison:
    """A row of the test set, with the label of each annotator."""
    request = text_of(row, "instruction")
    more = text_of(row, "input")
    models = text_of(row, "cmp_key").split("_", 1) if "cmp_key" in row else []
    policies = models if len(models) == 2 else ["given", "given"]
    a, b = (Response(_response(row, f"response{n + 1}"), policies[n]) for n in (0, 1))
    opinions = tuple(Opinion(name, choice_of(row, name, _LABELS)) for name in _ANNOTATORS)
    prompt = user_turn(f"{request}\n\n{more}" if more.strip() else request)
    return Comparison(prompt, a, b, opinions, _key(row))


def judged(row: Row, source: Source) -> Keyed:
    """A row of a judge's file."""
    column = next((name for name in row if name.endswith(_RESULT)), None)
    if column is None:
        raise Unreadable("no column ends in `_result`")
    judge = source.judge or _SET.sub("", source.path.name.split(".json")[0]) or column.removesuffix(_RESULT)
    if value_of(row, column) == _NO_VERDICT:
        reason = "no verdict in the recorded text"
        return Keyed(_key(row), (Opinion(judge, None, person=False, outcome=Outcome.UNPARSED, reason=reason),))
    return Keyed(_key(row), (Opinion(judge, choice_of(row, column, _VERDICTS), person=False),))


def _key(row: Row) -> str:
    """The row's `idx`, a number in one file and a text in the other."""
    value = value_of(row, "idx")
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).strip():
        raise Unreadable("idx: expected a number")
    return str(value).strip()


def _response(row: Row, name: str) -> str:
    value = value_of(row, name)
    return str(value) if isinstance(value, bool) else text_of(row, name)


PANDALM: Final = Format(
    "pandalm",
    "PandaLM's testset-v1.json: pairs with three labels each, ties allowed",
    lambda columns: columns >= {"idx", "instruction", "input", "response1", "response2", *_ANNOTATORS},
    by_row(labelled),
    labels=True,
)
PANDALM_VERDICTS: Final = Format(
    "pandalm-verdicts",
    "a judge's verdicts by PandaLM's row numbers; needs the test set (--labels)",
    lambda columns: "idx" in columns and any(name.endswith(_RESULT) for name in columns),
    by_row(judged),
)
