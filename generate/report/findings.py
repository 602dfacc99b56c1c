"""The numbers that headline and notices are made from. Knows no words and no rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generate.report.model import (
    AttributeRow,
    CurveView,
    Evaluation,
    LabelMass,
    Lengths,
    Margins,
    Positions,
    PrincipleRow,
    VersionRow,
)


@dataclass(frozen=True)
class Findings:
    """A run in numbers.

    `calls` and `failed` count judge calls, `compared` the pairs asked about, `owed` rows planned and not recorded
    yet, `anchors` human labels in the run, `votes` opinions without a probability, `revised` responses that were rewritten, `cut` judge
    calls whose text before the verdict ended at its limit; `alone` says that responses were rated one by one, in no order.
    """

    prompts: int
    pairs: int
    calls: int
    failed: int
    compared: int = 0
    positions: Positions | None = None
    label_mass: LabelMass | None = None
    lengths: Lengths | None = None
    margins: Margins | None = None
    principles: Sequence[PrincipleRow] = ()
    versions: Sequence[VersionRow] = ()
    principles_name: str = ""
    principles_lost: str = ""
    evaluation: Evaluation | None = None
    curves: Sequence[CurveView] = ()
    anchors: int = 0
    pocket: bool = False
    owed: int = 0
    resume: str = ""
    votes: int = 0
    revised: int = 0
    cut: int = 0
    alone: bool = False

    @property
    def asked(self) -> list[AttributeRow]:
        """The attributes that the principles file asks for, where they were measured."""
        return [row for row in self.evaluation.rows if row.asked] if self.evaluation else []
