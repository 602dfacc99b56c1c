"""What is done to a judge's p on its way to `p_chosen`: a fit on people's labels, or without one the tempering of an unchecked judge;
and which pairs are sure enough to be labelled by it at all. Knows no model; asks nothing.

A run's fit is its `calibration.json`. Preferences stay as the judge gave them; pairs are made anew from them whenever a command comes
to that step, so that another fit makes other pairs of the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from generate.report.source import as_mapping, read_json
from judges.calibration.maps import Map, Slope
from judges.calibration.selective import Rule, nothing
from judges.calibration.store import Calibration, Subject, read_calibration
from judges.calibration.tempering import Sureness
from judges.kinds.rated import Weights
from tenet.ids import Json, digest
from tenet.runconfig import PairsConfig
from tenet.runs import Run

PANEL_FILE: Final = "panel.json"
"""How the members of a run's panel weigh; a fit is for these weights alone."""
LABELLING: Final = "labelling"
"""Where the run's statistics say how its pairs were labelled."""


@dataclass(frozen=True)
class Labelling:
    """How p becomes `p_chosen`: the map `fit`, and the `rule` of what to accept (None: everything).

    `fingerprint` names the calibration that they are from; empty where nobody checked the judge.
    """

    fit: Map = field(default_factory=lambda: Slope(1.0))
    rule: Rule | None = None
    fingerprint: str = ""
    report: dict[str, Json] = field(default_factory=dict)

    def p(self, p: float) -> float:
        """The probability that is exported for the judge's; the judge's own where the map changes nothing."""
        return p if self.fit == Slope(1.0) else self.fit(p)

    def accepts(self, p: float) -> bool:
        """Whether the judge's p is sure enough for a label without people."""
        return self.rule is None or self.rule.accepts(p)

    def as_json(self) -> dict[str, Json]:
        """For the run's statistics; the dataset card is written from it."""
        return {
            "fingerprint": self.fingerprint or None,
            "fit": self.fit.as_json(),
            "rule": None if self.rule is None else self.rule.as_json(),
            "report": {name: value for name, value in self.report.items() if not name.startswith("curve")},
        }


def told_of(stats: Mapping[str, Json]) -> tuple[str, str]:
    """How the pairs of a run were labelled, as its statistics have it: what people's labels showed (empty where there were none), and
    what was done to p, each in sentences for the dataset card.
    """
    held = as_mapping(stats.get(LABELLING))
    fit, report, rule = (as_mapping(held.get(name)) for name in ("fit", "report", "rule"))
    what = [_map_words(fit, bool(held.get("fingerprint")))] if fit else []
    if rule:
        what.append(_rule_words(rule))
    return (_anchor_words(report) if held.get("fingerprint") else "", " ".join(what))


def _anchor_words(report: Mapping[str, Json]) -> str:
    before, after = as_mapping(report.get("before")), as_mapping(report.get("after"))
    agreement = report.get("agreement")
    agreed = (
        f" Where judge and people both name a winner, it is the same one in {agreement:.1%}."
        if isinstance(agreement, float)
        else ""
    )
    return (
        f"**Calibrated on people's labels:** {report.get('anchors'):,} pairs of {report.get('prompts'):,} prompts.{agreed} On "
        f"{report.get('scored_anchors'):,} pairs ({report.get('scored')}) the log loss went from {before.get('log_loss'):.3f} to "
        f"{after.get('log_loss'):.3f}, the calibration error (ECE) from {before.get('ece'):.3f} to {after.get('ece'):.3f}."
    )


def _map_words(fit: Mapping[str, Json], calibrated: bool) -> str:
    slope = fit.get("slope")
    if calibrated:
        how = (
            f"the judge's log-odds times {slope:.3f}"
            if isinstance(slope, float)
            else "an increasing map of the judge's p"
        )
        return f"`p_chosen` is calibrated: {how}, fitted on these labels."
    if isinstance(slope, float) and slope < 1.0:
        return (
            f"`p_chosen` is tempered: the judge's log-odds times {slope:.3f}, so that on average it claims to be right no more often than "
            "its two orders allow (1 - flip rate / 2)."
        )
    return "`p_chosen` is the judge's own probability."


def _rule_words(rule: Mapping[str, Json]) -> str:
    threshold = rule.get("threshold")
    stated = f"an agreement of {rule.get('min_agreement'):.0%} at confidence {rule.get('confidence'):.0%} was asked for"
    if not isinstance(threshold, float):
        return f"Every pair was left to people: {stated}, which no anchors show."
    return (
        f"Pairs of which the judge was less sure than {threshold:.3f} were left to people: {stated}; of the anchors above it "
        f"{rule.get('agreement'):.1%} agree (at least {rule.get('low'):.1%})."
    )


AS_GIVEN = Labelling()
"""p as the judge gave it."""


def subject_of(run: Run) -> Subject:
    """Whom a fit of this run is for."""
    judge = dict(as_mapping(run.fingerprint.identity.get("judge")))
    config = as_mapping(run.config.get("judge"))
    kind, weights = config.get("kind"), config.get("weights")
    if judge.get("kind") == "panel":
        judge["weights"] = digest(read_json(run.path / PANEL_FILE))
    elif weights:  # they are no part of what the judge is asked, and change what its answers come to
        judge["weights"] = Weights.read(Path(str(weights))).digest
    return Subject(judge, str(run.fingerprint.growth.get("principles") or ""), str(kind or "pairwise"))


def labelling_of(run: Run, config: PairsConfig, sureness: Sureness | None = None) -> Labelling:
    """How this run's pairs are labelled: by its calibration, else as tempered by `sureness`, where that is known.

    An agreement that is asked for without anchors cannot be stated, and every pair is left to people.

    Raises:
        FingerprintMismatch: the calibration is another judge's, or of other principles or weights.
        InvalidInput: the calibration does not read back.
    """
    found = read_calibration(run.path)
    if found is not None:
        found.require(subject_of(run))
        return Labelling(found.fit, _rule(found, config), found.digest, dict(found.report))
    rule = None if config.min_agreement is None else nothing(config.min_agreement, config.confidence)
    return Labelling(Slope(1.0) if sureness is None else sureness.tempered(), rule)


def _rule(found: Calibration, config: PairsConfig) -> Rule | None:
    return None if config.min_agreement is None else found.rule(config.min_agreement, config.confidence)
