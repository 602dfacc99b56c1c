"""The keys of blend.yaml: whose labels a run's pairs get. Knows the rules between the keys, and nothing that carries them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from judges.blending.decide import Axis, Conflict, Source
from judges.blending.trust import Stated
from tenet.config import AtLeast, Between, Complaint, InputPath, LessThan, MoreThan
from tenet.runconfig import Name

Strategy = Literal["human-first", "weighted", "routed", "by-axis", "fraction"]
BlendFormat = Literal["trl-preference", "trl-unpaired", "reward"]
_ONLY_FOR = {"min_agreement": "routed", "axes": "by-axis", "share": "fraction"}


@dataclass(frozen=True)
class AxisConfig:
    """One axis: pairs whose prompt has one of `tags`, or that were judged by one of `principles`, get the labels of `source`."""

    source: Literal["human", "ai"] = field(metadata={"example": "human"})
    """Whose labels the pairs get."""
    tags: tuple[str, ...] = ()
    """Pairs whose prompt has one of these tags."""
    principles: tuple[str, ...] = ()
    """Pairs that were judged by one of these principles."""

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        if not self.tags and not self.principles:
            yield Complaint((), "holds no pair", "add `tags: [TAG]` or `principles: [ID]`")

    @property
    def axis(self) -> Axis:
        """The axis as pairs are held against it."""
        return Axis(Source(self.source), frozenset(self.tags), frozenset(self.principles))


@dataclass(frozen=True)
class BlendConfig:
    """Whose labels a run's pairs get.

    `human-first`: people where they have labelled, the judge elsewhere. `weighted`: the log-odds of both added up, people by their own
    reliability, the judge through a calibration on the labels. `routed`: the judge where it agrees with people at least as often as
    `min_agreement` says (at `confidence`), people elsewhere. `by-axis`: the first of `axes` that holds a pair says whose label it gets,
    `otherwise` where none does. `fraction`: an experiment on the pairs that both have labelled, of which `share`, drawn by `seed`, get
    people's labels and the others the judge's.

    `by: principle` learns for each principle by itself how far the judge is to be believed, where it has labels enough; `run` learns it
    for all at once. `conflicts` is the rule where people and judge name different winners: `keep` what the strategy takes, `human`,
    `ai`, `pool` both, or `drop` the pair.
    """

    strategy: Strategy = field(metadata={"example": "routed"})
    """How the two are put together (docs/blending.md)."""
    name: Name | None = None
    seed: Annotated[int, AtLeast(0)] = 0
    labels: InputPath | None = None
    by: Literal["principle", "run"] = "principle"
    conflicts: Literal["keep", "human", "ai", "pool", "drop"] = "keep"
    min_agreement: Annotated[float, MoreThan(0), LessThan(1)] | None = None
    confidence: Annotated[float, MoreThan(0), LessThan(1)] = 0.9
    axes: tuple[AxisConfig, ...] = ()
    otherwise: Literal["human", "ai", "drop"] = "drop"
    share: Annotated[float, Between(0, 1)] | None = None
    keep_ties: bool = False
    export: tuple[BlendFormat, ...] = ("trl-preference",)
    """The forms in which the dataset is written."""

    @property
    def called(self) -> str:
        """The name of the folder that it makes."""
        return self.name or self.strategy

    @property
    def stated(self) -> Stated | None:
        """The agreement that is asked for; None where none is."""
        return None if self.min_agreement is None else Stated(self.min_agreement, self.confidence)

    @property
    def rule(self) -> Conflict:
        """The rule for conflicts."""
        return Conflict(self.conflicts)

    def complaints(self) -> Iterator[Complaint]:
        """Name everything that contradicts something else."""
        examples = {
            "min_agreement": "add `min_agreement: 0.85`",
            "axes": "add `axes: [{tags: [harmful], source: ai}]`",
            "share": "add `share: 0.5`, or give --sweep for several",
        }
        for key, strategy in _ONLY_FOR.items():
            given = getattr(self, key)
            missing = given is None or given == ()
            if self.strategy == strategy and missing:
                yield Complaint((key,), f"is missing, and {strategy} needs it", examples[key])
            if self.strategy != strategy and not missing:
                yield Complaint(
                    (key,), f"is for the strategy {strategy} alone", f"leave it out, or set strategy: {strategy}"
                )
        if self.strategy in ("fraction", "weighted") and self.conflicts != "keep":
            message = f"{self.strategy} has no conflicts to settle"
            yield Complaint(("conflicts",), message, "leave it out")
