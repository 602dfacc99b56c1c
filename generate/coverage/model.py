"""What the coverage of a run holds, as frozen records. Knows no run folder, no page and no counting.

Pairs are unordered pairs of responses to one prompt, as the judge compared them; a principle *decides* one when both
orders name the same winner and its log-odds are at least the margin.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import cast

from generate.report.model import Notice, Rate
from tenet.ids import Json


class Kind(StrEnum):
    """What can be said of a principle that an author should know."""

    UNREACHED = "no prompt reaches it"
    NEVER_ASKED = "never asked"
    NEVER_DECIDES = "never decides"
    REDUNDANT = "redundant"
    REPEATS = "repeats"
    OPPOSES = "opposes"


@dataclass(frozen=True)
class Finding:
    """A finding about a principle; `other` is the principle that it repeats or opposes."""

    kind: Kind
    other: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} {self.other}".rstrip()


@dataclass(frozen=True)
class PrincipleCoverage:
    """What one principle does in a run.

    `applies` counts prompts that it applies to (None where the file is not the one that was judged by), `prompts`
    those where it was asked, `calls` questions and `pairs` pairs with an opinion. `decides`: share of these that it
    decides; `first`: share of opinions won by the response shown first; `consistent`: share of pairs answered in both
    orders in which they name the same winner; `people`: share of labelled pairs in which people name the same winner.
    Without it `alone` pairs would have no label; of the others it was asked about, `changed` is the share whose winner
    would change, and `moved` the mean absolute change of their log-odds; None where neither can be known.
    """

    id: str
    text: str = ""
    tier: str = "principle"
    weight: float = 1.0
    applies: int | None = None
    prompts: int = 0
    calls: int = 0
    pairs: int = 0
    decides: Rate | None = None
    first: Rate | None = None
    consistent: Rate | None = None
    people: Rate | None = None
    alone: int = 0
    changed: Rate | None = None
    moved: float | None = None
    findings: tuple[Finding, ...] = ()

    def with_findings(self, *findings: Finding) -> PrincipleCoverage:
        """The same with these findings."""
        return replace(self, findings=findings)


@dataclass(frozen=True)
class Agreement:
    """How two principles agree, over the pairs under which both name a winner.

    `decided` is the same share over the pairs that both decide, `gap` the mean absolute difference of their log-odds.
    """

    first: str
    second: str
    agreement: Rate
    decided: Rate | None
    gap: float

    @property
    def kappa(self) -> float:
        """Cohen's kappa (1960): 1 is full agreement, 0 chance, -1 the opposite.

        Which response is called a is arbitrary. Told both ways round each principle names a half of the time, so that chance
        agreement is exactly 1/2.
        """
        return 2.0 * self.agreement.value - 1.0


@dataclass(frozen=True)
class Coverage:
    """All that is shown of a run. `people` is about the combined preference; `labels` were given, `matched` are of its pairs."""

    name: str
    created: str
    version: str
    principles_name: str
    principles_version: str
    principles_digest: str
    mode: str
    margin: float
    prompts: int
    pairs: int
    principles: tuple[PrincipleCoverage, ...]
    agreements: tuple[Agreement, ...]
    labels: int = 0
    matched: int = 0
    people: Rate | None = None
    notices: tuple[Notice, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Give plain values."""
        value = asdict(self)
        value["principles"] = [
            {**asdict(one), "findings": [{"kind": f.kind.name.lower(), "other": f.other} for f in one.findings]}
            for one in self.principles
        ]
        value["agreements"] = [{**asdict(one), "kappa": one.kappa} for one in self.agreements]
        return cast("dict[str, Json]", value)
