"""AlpacaEval (Li et al. 2023) and AlpacaFarm: two outputs and a preference of 1 or 2, by people or by a model.

Columns `instruction, output_1, output_2, preference` (1, 2; 1.5 or 0 for a draw; a model's may lie between), `annotator_index` for
people, `annotator` for a model's name, `generator_1`, `generator_2`, `input` under the instruction. A preference between 1 and 2 is
P(the second is better) + 1; its strength is how far it is from a draw. A preference that is missing is an opinion withheld.
"""

from __future__ import annotations

from typing import Final

from judges.formats.base import (
    Comparison,
    Format,
    Opinion,
    Response,
    Row,
    Source,
    by_row,
    number_of,
    text_of,
    user_turn,
)
from tenet.reading.turns import Unreadable
from tenet.records import Choice, Outcome

ANNOTATOR: Final = "alpaca-eval"
_DRAWS: Final = (0.0, 1.5)


def labelled(row: Row, source: Source) -> Comparison:
    """A row with the opinion of its annotator."""
    request = text_of(row, "instruction")
    more = row.get("input")
    prompt = user_turn(f"{request}\n\n{more}" if isinstance(more, str) and more.strip() else request)
    a, b = (Response(text_of(row, f"output_{n}"), _generator(row, n)) for n in (1, 2))
    return Comparison(prompt, a, b, (_opinion(row, source),))


def _generator(row: Row, number: int) -> str:
    told = row.get(f"generator_{number}")
    return told if isinstance(told, str) and told else "given"


def _opinion(row: Row, source: Source) -> Opinion:
    who, person = _annotator(row, source)
    given = row.get("preference")
    if given in (None, "") or given != given or str(given).lower() == "nan":
        outcome = Outcome.REFUSED if person else Outcome.UNPARSED
        return Opinion(who, None, person=person, outcome=outcome, reason="no preference in the file")
    told = number_of(row, "preference")
    if told in _DRAWS:
        return Opinion(who, Choice.TIE, person=person)
    if not 1.0 <= told <= 2.0:
        raise Unreadable(f"preference: is {told:g}; expected 1 to 2, or 0 for a draw")
    choice, between = (Choice.A if told < 1.5 else Choice.B), told not in (1.0, 2.0)
    return Opinion(
        who,
        choice,
        person=person,
        p_a=2.0 - told if between else None,
        strength=abs(told - 1.5) * 2 if between else None,
    )


def _annotator(row: Row, source: Source) -> tuple[str, bool]:
    """Who it was, and whether a person: a model is named, people are numbered."""
    named, number = row.get("annotator"), row.get("annotator_index")
    if isinstance(named, str) and named.strip():
        return named.strip(), False
    if number in (None, ""):
        return source.annotator(ANNOTATOR), True
    return f"{ANNOTATOR}-{int(number_of(row, 'annotator_index'))}", True


ALPACA_EVAL: Final = Format(
    "alpaca-eval",
    "AlpacaEval and AlpacaFarm: two outputs and a preference of 1 or 2",
    lambda columns: columns >= {"instruction", "output_1", "output_2", "preference"},
    by_row(labelled),
    labels=True,
)
