"""LLMBar (Zeng et al. 2024): expert-checked pairs, and the recorded verdicts of judges about them in both orders.

`dataset.json` holds `input, output_1, output_2, label` (1 or 2). `result.json` adds `results[0]` with the verdict of each order under
`swap = False` and `swap = True`; `winner` is already told of the first order, and null where no verdict could be read.
Who judged stands in the path only: `evaluators/JUDGE/PROMPT/result.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from judges.formats.base import (
    Comparison,
    Format,
    Opinion,
    Response,
    Row,
    Source,
    by_row,
    choice_of,
    text_of,
    user_turn,
)
from tenet.errors import UsageError
from tenet.reading.turns import Unreadable
from tenet.records import Choice, Outcome

EXPERT: Final = "expert"
_COLUMNS: Final = frozenset(("input", "output_1", "output_2", "label"))
_LABELS: Final[Mapping[object, Choice]] = {1: Choice.A, 2: Choice.B, "1": Choice.A, "2": Choice.B}
_ORDERS: Final = {"swap = False": Choice.A, "swap = True": Choice.B}


def labelled(row: Row, _: Source) -> Comparison:
    """A row of a dataset, with the experts' label."""
    label = Opinion(EXPERT, choice_of(row, "label", _LABELS))
    a, b = (Response(text_of(row, name)) for name in ("output_1", "output_2"))
    return Comparison(user_turn(text_of(row, "input")), a, b, (label,))


def judged(row: Row, source: Source) -> Comparison:
    """A row of a result, with the experts' label and a judge's verdict in each order."""
    held = labelled(row, source)
    results = row.get("results")
    orders = results[0] if isinstance(results, list) and results else None
    if not isinstance(orders, Mapping) or not any(name in orders for name in _ORDERS):
        raise Unreadable(f"results: expected a list with {' and '.join(_ORDERS)}")
    judge = judge_name(source)
    verdicts = [_verdict(judge, orders[name], first) for name, first in _ORDERS.items() if name in orders]
    return Comparison(held.prompt, held.a, held.b, (*held.opinions, *verdicts))


def judge_name(source: Source) -> str:
    """JUDGE/PROMPT, by the path or as the command names it.

    Raises:
        UsageError: neither says who judged.
    """
    if source.judge:
        return source.judge
    parts = Path(source.path).absolute().parts
    if "evaluators" in parts[:-2]:
        return "/".join(parts[parts.index("evaluators") + 1 : -1])
    raise UsageError(f"{source.path} does not say which judge's verdicts it holds", hint="name it with --judge NAME")


def _verdict(judge: str, told: object, first: Choice) -> Opinion:
    if not isinstance(told, Mapping) or "winner" not in told:
        raise Unreadable("results: a verdict has no winner")
    winner = told["winner"]
    if winner is None or winner == "None":
        return Opinion(
            judge,
            None,
            person=False,
            outcome=Outcome.UNPARSED,
            shown_first=first,
            reason="no verdict in the recorded text",
        )
    return Opinion(judge, choice_of(told, "winner", _LABELS), person=False, shown_first=first)


LLMBAR: Final = Format(
    "llmbar",
    "LLMBar's dataset.json: pairs with one expert label",
    lambda columns: columns >= _COLUMNS and "results" not in columns,
    by_row(labelled),
    labels=True,
)
LLMBAR_VERDICTS: Final = Format(
    "llmbar-verdicts",
    "LLMBar's result.json: a judge's verdicts in both orders, with the expert label",
    lambda columns: columns >= _COLUMNS | {"results"},
    by_row(judged),
    labels=True,
)
