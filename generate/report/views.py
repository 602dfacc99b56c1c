"""What a report shows of texts: pairs with what was said of them, and revisions step by step. Plain records, as in
`generate.report.model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class RoundRow:
    """One round of critique and revision: how many responses it asked about, and what came of that."""

    number: int
    asked: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class StepView:
    """What one round did with one response; `text` is the revision, used or not, as `outcome` says."""

    number: int
    principle: str
    verdict: str
    critique: str
    outcome: str
    text: str = ""


@dataclass(frozen=True)
class ChainView:
    """A response with every critique and revision of it; `p_better` is the judge's, None where it was not asked."""

    prompt_id: str
    turns: tuple[Turn, ...]
    original: str
    policy: str
    steps: tuple[StepView, ...]
    p_better: float | None = None


@dataclass(frozen=True)
class Revisions:
    """What critique and revision came to. `better` and `worse` count revised responses by the judge's comparison with the original."""

    responses: int
    revised: int
    better: int
    worse: int
    rounds: tuple[RoundRow, ...]
    chains: tuple[ChainView, ...] = ()


@dataclass(frozen=True)
class CritiqueView:
    """A critique as shown beside a response; `not_there`: what it quotes and the response does not hold."""

    principle: str
    verdict: str
    text: str
    not_there: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResponseView:
    """One response of an example pair; `cut` counts the characters left out of `text`."""

    id: str
    text: str
    policy: str
    score: float
    critiques: tuple[CritiqueView, ...] = ()
    cut: int = 0


@dataclass(frozen=True)
class WrittenView:
    """What the judge wrote of a pair before its verdict: a critique or thinking of A, which is the chosen response where `chosen_first`.

    `cut`: it ended at its limit, or was cut short for the page.
    """

    principle: str
    chosen_first: bool
    critique: str
    thinking: str
    cut: bool


@dataclass(frozen=True)
class Turn:
    """One turn of a prompt as shown."""

    role: str
    text: str


@dataclass(frozen=True)
class Example:
    """An exported pair in full. `group` says why it was picked; `p_shown`: P(chosen better) shown first, and second."""

    group: str
    prompt_id: str
    turns: tuple[Turn, ...]
    chosen: ResponseView
    rejected: ResponseView
    p_chosen: float
    flipped: bool
    principles: tuple[str, ...]
    p_shown: tuple[float | None, float | None] = (None, None)
    written: tuple[WrittenView, ...] = ()
