"""How far a judge may be believed, learnt from people's labels: for all pairs, and for each principle that has labels enough of its own.

A judge can be right under one principle and read another upside down. One fit over both finds a judge that is worth little everywhere;
a fit for each finds one to keep and one to leave to people. So each principle (or each set of principles asked together) is a judge of
its own here, with a map of its p (`judges.calibration.fitting.careful_slope`) and a confidence from which it agrees with people as
often as stated (`judges.calibration.selective`). A principle with fewer anchors than a fit takes is heard as all are together. What is
stated holds for each principle by itself and not for all at once. Knows numbers and names, no run and no file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from judges.calibration.fitting import LEAST_ANCHORS, careful_slope
from judges.calibration.maps import Map, Slope
from judges.calibration.selective import Rule, nothing
from judges.calibration.store import AnchorRow
from tenet.ids import Json

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Stated:
    """The agreement with people that is asked for, and how sure it is to be."""

    agreement: float
    confidence: float = 0.9


@dataclass(frozen=True)
class Trust:
    """A judge under one principle or under all. `fit` is None where there are too few anchors; `rule` where no agreement was asked for."""

    fit: Map | None = None
    rule: Rule | None = None
    anchors: int = 0

    def as_json(self) -> dict[str, Json]:
        """For the manifest."""
        return {
            "anchors": self.anchors,
            "fit": None if self.fit is None else self.fit.as_json(),
            "rule": None if self.rule is None else self.rule.as_json(),
        }


@dataclass(frozen=True)
class Trusted:
    """A judge under all principles, and under each that has anchors enough."""

    whole: Trust = field(default_factory=Trust)
    groups: Mapping[str, Trust] = field(default_factory=dict)

    def of(self, group: str) -> Trust:
        """How far to believe the judge under a principle."""
        return self.groups.get(group, self.whole)

    def as_json(self) -> dict[str, Json]:
        """For the manifest; the groups in the order of their names."""
        return {"all": self.whole.as_json(), **{name: one.as_json() for name, one in sorted(self.groups.items())}}


def group_of(principles: Sequence[str]) -> str:
    """The name under which a pair's principles are one judge; empty where the whole constitution was asked at once."""
    return "+".join(sorted(name for name in principles if name))


def trust(rows: Iterable[tuple[str, AnchorRow]], stated: Stated | None = None, *, apart: bool = True) -> Trusted:
    """Learn how far to believe a judge from anchors, each with its group; all in one group unless `apart`.

    Raises:
        UsageError: an agreement or a confidence that is no share between 0 and 1.
    """
    held = list(rows)
    whole = _trust([row for _, row in held], stated)
    grouped: defaultdict[str, list[AnchorRow]] = defaultdict(list)
    for group, row in held:
        grouped[group].append(row)
    if not apart or len(grouped) < 2:
        return Trusted(whole)
    return Trusted(whole, {name: _trust(own, stated) for name, own in grouped.items() if _enough(own)})


def _enough(rows: Sequence[AnchorRow]) -> bool:
    """Whether a map can be fitted: anchors enough, people and judge not undecided about all of them."""
    return (
        len(rows) >= LEAST_ANCHORS
        and any(row.anchor.share != 0.5 for row in rows)
        and any(row.p != 0.5 for row in rows)
    )


def _trust(rows: Sequence[AnchorRow], stated: Stated | None) -> Trust:
    rule = None
    if stated is not None:
        rule = _rule(rows, stated) if rows else nothing(stated.agreement, stated.confidence)
    return Trust(_fit(rows) if _enough(rows) else None, rule, len(rows))


def _fit(rows: Sequence[AnchorRow]) -> Slope:
    import numpy as np

    p, y, weight, prompts = _arrays(rows)
    return careful_slope(p, y, weight, np.unique(prompts, return_inverse=True)[1])


def _rule(rows: Sequence[AnchorRow], stated: Stated) -> Rule:
    import numpy as np

    from judges.calibration.selective import find_rule

    p, _, weight, prompts = _arrays(rows)
    agrees = np.array([row.agrees for row in rows], dtype=bool)
    return find_rule(p, agrees, weight, prompts, min_agreement=stated.agreement, confidence=stated.confidence)


def _arrays(
    rows: Sequence[AnchorRow],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    import numpy as np

    return (
        np.array([row.p for row in rows], dtype=np.float64),
        np.array([row.anchor.share for row in rows], dtype=np.float64),
        np.array([row.anchor.weight for row in rows], dtype=np.float64),
        [row.anchor.prompt_id for row in rows],
    )
