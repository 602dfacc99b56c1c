"""Keeps a fit beside a run, in `calibration.json`: the map, whose judge it is for, how it scored, and the anchors' numbers.

A fit belongs to one judge, one principles file and one way of asking. Reading it for another is refused by the name of the
field that differs. The rows of the anchors (the judge's p, what people said) are kept with it, so that thresholds for any stated agreement
can be found from the file alone. Knows no run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from judges.anchors import Anchor
from judges.calibration.maps import Map, map_from_json
from judges.calibration.selective import Rule, find_rule
from tenet.errors import FingerprintMismatch, InvalidInput, Problem
from tenet.ids import Json, digest
from tenet.records import Choice
from tenet.runs import Fingerprint, atomic
from tenet.runs.fingerprint import compare

NAME: Final = "calibration.json"
FORMAT: Final = 1
_REFIT: Final = "fit it again: tenet calibrate RUN (or delete calibration.json to go on without)"


@dataclass(frozen=True)
class Subject:
    """Whom a fit is for: the judge's fingerprint, the digest of the principles, the way of asking."""

    judge: Mapping[str, Json]
    principles: str
    way: str = "pairwise"

    def as_json(self) -> dict[str, Json]:
        """For the file."""
        return {"judge": dict(self.judge), "principles": self.principles, "way": self.way}


@dataclass(frozen=True)
class AnchorRow:
    """One anchor with what the judge said of it."""

    anchor: Anchor
    p: float

    @property
    def agrees(self) -> bool:
        """Whether the judge's winner is that of the majority of people; a tie of either is no agreement."""
        winner = Choice.A if self.p > 0.5 else Choice.B if self.p < 0.5 else None
        return winner is not None and winner is self.anchor.majority

    def as_json(self) -> list[Json]:
        """For the file."""
        return [*self.anchor.as_json(), self.p]


@dataclass(frozen=True)
class Calibration:
    """A stored fit. `report` holds the figures that were printed (see `judges.calibration.fit.Fitted`)."""

    subject: Subject
    fit: Map
    anchors: tuple[AnchorRow, ...]
    anchors_digest: str
    report: Mapping[str, Json]

    @property
    def digest(self) -> str:
        """SHA-256 over whom it is for, the map and the anchors' rows: all that what is derived with it depends on."""
        return digest([self.subject.as_json(), self.fit.as_json(), [one.as_json() for one in self.anchors]])

    def rule(self, min_agreement: float, confidence: float) -> Rule:
        """The least confidence from which the judge agrees with people as often as stated.

        Raises:
            UsageError: an agreement or a confidence that is no share between 0 and 1.
        """
        import numpy as np

        rows = self.anchors
        return find_rule(
            np.array([one.p for one in rows], dtype=np.float64),
            np.array([one.agrees for one in rows], dtype=bool),
            np.array([one.anchor.weight for one in rows], dtype=np.float64),
            [one.anchor.prompt_id for one in rows],
            min_agreement=min_agreement,
            confidence=confidence,
        )

    def require(self, subject: Subject) -> None:
        """Make sure that the fit is for this judge.

        Raises:
            FingerprintMismatch: it is for another; names each field that differs.
        """
        changes = compare(Fingerprint(self.subject.as_json(), {}, {}), Fingerprint(subject.as_json(), {}, {})).identity
        if changes:
            told = "\n".join(f"  {change}" for change in changes)
            raise FingerprintMismatch(
                f"{NAME} was fitted for another judge (the fit's -> this run's):\n{told}", hint=_REFIT
            )


def write_calibration(folder: Path, found: Calibration) -> Path:
    """Write the fit into a run's folder as a whole, in the place of an earlier one.

    Raises:
        StorageFailed: the disk is full or not writable; the earlier one stands.
    """
    path = folder / NAME
    value: dict[str, Json] = {
        "format": FORMAT,
        "fingerprint": found.digest,
        "subject": found.subject.as_json(),
        "fit": found.fit.as_json(),
        "anchors_digest": found.anchors_digest,
        "report": dict(found.report),
        "anchors": [one.as_json() for one in found.anchors],
    }
    atomic.write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_calibration(folder: Path) -> Calibration | None:
    """Read the fit of a run's folder; None where there is none.

    Raises:
        InvalidInput: the file is not what was written.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        found = _parsed(value)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InvalidInput(
            "The stored calibration cannot be read.", [Problem(str(error), path, hint=_REFIT)]
        ) from error
    if value.get("fingerprint") != found.digest:
        raise InvalidInput(
            "The stored calibration was changed by hand.",
            [Problem("the fingerprint does not fit the rest of the file", path, hint=_REFIT)],
        )
    return found


def _parsed(value: Any) -> Calibration:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']}; this version reads {FORMAT}")
    subject = value["subject"]
    return Calibration(
        Subject(dict(subject["judge"]), str(subject["principles"]), str(subject["way"])),
        map_from_json(value["fit"]),
        tuple(_anchor_row(one) for one in value["anchors"]),
        str(value["anchors_digest"]),
        dict(value["report"]),
    )


def _anchor_row(row: Sequence[Any]) -> AnchorRow:
    prompt, a, b, for_a, for_b, ties, weight, p = row
    return AnchorRow(Anchor(str(prompt), str(a), str(b), int(for_a), int(for_b), int(ties), float(weight)), float(p))
