"""The numbers that headline and notices are made from. Knows no words and no rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generate.report.model import (
    AttributeRow,
    AuditRow,
    CurveView,
    Evaluation,
    JudgeCard,
    LabelMass,
    Lengths,
    Margins,
    Positions,
    PrincipleRow,
    Training,
    VersionRow,
)
from generate.report.opinions import Labels


@dataclass(frozen=True)
class Findings:
    """A run in numbers.

    `calls` and `failed` count judge calls, `compared` the pairs asked about, `owed` rows planned and not recorded
    yet, `anchors` pairs of the run that people labelled, `people` what they say, `votes` opinions without a probability, `revised`
    responses that were rewritten, `cut` judge calls whose text before the verdict ended at its limit; `alone` says that responses were
    rated one by one, in no order, `ranked` that the judge ranked them. `folder` is the run as a command names it, `file` its principles
    file; `uncarried` says that the pairs do not carry the calibration that there is.
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
    ranked: bool = False
    folder: str = "RUN"
    file: str = "FILE"
    people: Labels | None = None
    cards: Sequence[JudgeCard] = ()
    audits: Sequence[AuditRow] = ()
    uncarried: bool = False
    trainings: Sequence[Training] = ()

    @property
    def asked(self) -> list[AttributeRow]:
        """The attributes that the principles file asks for, where they were measured."""
        return [row for row in self.evaluation.rows if row.asked] if self.evaluation else []
