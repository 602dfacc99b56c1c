"""What every stage of a run shares, and the names of the stages. Knows no stage's work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from constitution.model import Constitution
from generate.calibrated import AS_GIVEN, Labelling
from generate.others import SUPERSEDED
from generate.prompt_shards import PromptShards
from tenet.budget import Meter
from tenet.console import Console
from tenet.records import Sample
from tenet.runconfig import RunConfig
from tenet.runs import Run
from tenet.workers.local import StageReport

if TYPE_CHECKING:
    from generate.reuse import Library
    from tenet.workers.ray import RayPool


class Step(StrEnum):
    """The steps of a run in their order; each has the stage folder of its name, but `EXPORT`, which writes `dataset/`."""

    PROMPTS = "prompts"
    SAMPLES = "samples"
    JUDGEMENTS = "judgements"
    PAIRS = "pairs"
    CRITIQUES = "critiques"
    REVISIONS = "revisions"
    EXPORT = "dataset"


PREFERENCES = "preferences"
MEMBER = f"{Step.JUDGEMENTS}-by-"
"""The stages of a panel's members begin with this; what the panel comes to is in `Step.JUDGEMENTS`."""
FOR_PEOPLE = "for-people"
"""The stage of pairs that the judge may not label alone; see `pairs.min_agreement`."""


@dataclass
class Context:
    """One command at work on one run. `shards` are its prompts, `pool` are workers elsewhere that its jobs go to, `library` holds what
    other runs have answered; `meter` counts what it spends, `reports` collects what each stage came to, `left_out` why pairs were not made
    and `unlinked` the prompts whose responses the answers do not link, once they are `derived`; `labelling` is how these pairs got their p.
    """

    run: Run
    config: RunConfig
    constitution: Constitution
    shards: PromptShards
    console: Console
    retry_failed: bool = False
    meter: Meter = field(default_factory=Meter)
    reports: dict[Step, StageReport] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    unlinked: int = 0
    derived: bool = False
    labelling: Labelling = AS_GIVEN
    pool: RayPool | None = None
    library: Library | None = None

    def note(self, step: Step, report: StageReport) -> None:
        """Keep what a stage came to; the parts of a stage done in several goes are added up."""
        held = self.reports.get(step)
        self.reports[step] = report if held is None else _added(held, report)

    def samples(self, shard: int) -> Mapping[str, Sequence[Sample]]:
        """The recorded samples of a shard by prompt id, in an order that does not depend on when each was drawn."""
        stage = self.run.stage(Step.SAMPLES, Sample)
        return by_prompt(stage.records(shard, ok=None))


def member_stages(run: Run) -> list[str]:
    """The stages that a panel's members have answered in, those that have left among them; none without a panel."""
    return [name for name in run.manifest.stages if name.startswith(MEMBER) and not name.endswith(SUPERSEDED)]


def by_prompt(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """Group samples by prompt; within one by policy, then index."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.prompt_id].append(sample)
    for group in found.values():
        group.sort(key=lambda sample: (sample.policy, sample.index, sample.id))
    return found


def _added(one: StageReport, other: StageReport) -> StageReport:
    reasons = {name: one.reasons.get(name, 0) + other.reasons.get(name, 0) for name in {*one.reasons, *other.reasons}}
    return StageReport(
        one.planned + other.planned, one.ok + other.ok, one.failed + other.failed, one.asked + other.asked,
        one.seconds + other.seconds, reasons,
    )  # fmt: skip
