"""Writes a run's dataset: reads pairs, texts, critiques and revisions back from the run folder, in the order of its prompts.

Knows no model; a run that is only looked at can be exported too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from generate.calibrated import LABELLING, told_of
from generate.context import Step, by_prompt
from generate.export import ExportReport, ExportSource, PairRow, RevisionRow, export_dataset
from generate.export.card import write_card
from generate.export.markdown import inline
from generate.prompt_shards import PromptShards
from generate.report.data import STATS, gather
from generate.report.judgecard import sentence
from generate.report.source import as_mapping, read_json
from generate.revision_chain import chains_of, rounds_of, stage_name
from generate.revision_pairs import PAIRS as REVISION_PAIRS
from generate.revision_pairs import PREFERENCES as REVISION_PREFERENCES
from generate.revision_pairs import last_revisions
from tenet.bundled import is_bundled
from tenet.errors import MissingInput
from tenet.ids import Json
from tenet.records import Critique, Preference, PreferencePair, Prompt, Sample
from tenet.runs import Run

DATASET = "dataset"


@dataclass(frozen=True)
class RunSource:
    """The rows of a run's dataset, shard by shard: what is in memory at once is one shard."""

    run: Run
    shards: PromptShards

    def pairs(self) -> Iterator[PairRow]:
        """The pairs in the order of their prompts."""
        for number in range(len(self.shards)):
            yield from self.pairs_of(number)

    def pairs_of(self, number: int, more: Iterable[PreferencePair] = ()) -> Iterator[PairRow]:
        """The pairs of a shard in the order of its prompts; `more` are pairs of the shard that the run did not export."""
        stages = [self.run.stage(name, PreferencePair) for name in (Step.PAIRS, REVISION_PAIRS)]
        shard = self.shards[number]
        samples = self._samples(number)
        samples |= {revised.id: revised for _, _, revised in last_revisions(self.run, shard, number)}
        critiques = self._critiques(number)
        own: dict[str, list[PreferencePair]] = defaultdict(list)
        for pair in chain((pair for stage in stages for pair in stage.records(number)), more):
            own[pair.prompt_id].append(pair)
        for prompt in shard:
            for pair in sorted(own.get(prompt.id, ()), key=lambda pair: (pair.source, -pair.judge_margin, pair.id)):
                told = [*critiques.get(pair.chosen_id, ()), *critiques.get(pair.rejected_id, ())]
                yield PairRow(
                    prompt, pair, samples[pair.chosen_id], samples[pair.rejected_id], _of(told, pair.principles)
                )

    def revisions(self) -> Iterator[RevisionRow]:
        """The revisions in the order of their prompts, the rounds of a sample one after the other."""
        judged = self.run.stage(REVISION_PREFERENCES, Preference)
        for number, shard in enumerate(self.shards):
            told = {frozenset((one.a_id, one.b_id)): one for one in judged.records(number)}
            for prompt, links in chains_of(self.run, shard, number):
                found = told.get(frozenset((links.original.id, links.current.id)))
                better = None if found is None else found.p_a if found.a_id == links.current.id else 1.0 - found.p_a
                for link in links.links:
                    if link.revision is not None:
                        p = better if link.revision.id == links.current.id else None
                        yield RevisionRow(prompt, links.original, link.revision, p, link.kept)

    def _samples(self, shard: int) -> dict[str, Sample]:
        found = by_prompt(self.run.stage(Step.SAMPLES, Sample).records(shard))
        return {sample.id: sample for group in found.values() for sample in group}

    def _critiques(self, shard: int) -> Mapping[str, list[Critique]]:
        found: dict[str, list[Critique]] = defaultdict(list)
        for critique in self.run.stage(Step.CRITIQUES, Critique).records(shard):
            found[critique.sample_id].append(critique)
        return found


def export_run(run: Run, formats: Sequence[str], folder: Path) -> tuple[ExportReport, ...]:
    """Write a run's dataset in these formats into a folder, and its card.

    Raises:
        UsageError: a format is not known.
        MissingInput: the run has no pairs yet.
        StorageFailed: the disk is full or not writable.
    """
    if not {Step.PAIRS, REVISION_PAIRS} & run.manifest.stages.keys():
        raise MissingInput(f"{run.path} has no pairs yet.", hint=f"make them with: {run.command}")
    rows = RunSource(run, PromptShards(run.stage(Step.PROMPTS, Prompt)))
    source = ExportSource(
        pairs=rows.pairs,
        revisions=rows.revisions,
        has_critiques=_holds(run, Step.CRITIQUES),
        has_revisions=any(_holds(run, stage_name(number)) for number in rounds_of(run)),
        provenance=provenance(run),
    )
    reports = export_dataset(source, formats, folder)
    data = gather(run.path)
    calibrated, labelling = told_of(read_json(run.path / STATS))
    anchors = " ".join(filter(None, (inline(sentence(data.judge_cards)), calibrated)))
    write_card(
        folder, data, reports, source.provenance, anchors=anchors, labelling=labelling, pocket=uses_pocket(run.config)
    )
    return reports


def uses_pocket(config: Mapping[str, Json]) -> bool:
    """Whether a run's models are the bundled pocket models, which are no judges of real text."""
    policy = config.get("policy")
    judge = as_mapping(config.get("judge"))
    members = judge.get("members")
    asked = [
        judge,
        *(members if isinstance(members, list | tuple) else ()),
        *(policy if isinstance(policy, list | tuple) else [policy]),
    ]
    models = [str(one.get("model", "")) for one in asked if isinstance(one, Mapping)]
    return any(is_bundled(model) for model in models)


def provenance(run: Run) -> dict[str, Json]:
    """What every file of a dataset says of its origin: models, seed and principles; no times, no paths."""
    return {
        "identity": dict(run.fingerprint.identity),
        "members": run.fingerprint.growth.get("members"),
        "principles": run.fingerprint.growth.get("principles"),
        "tenet": run.fingerprint.informational.get("tenet-rlaif"),
        "calibration": as_mapping(read_json(run.path / STATS).get(LABELLING)).get("fingerprint"),
    }


def _holds(run: Run, step: str) -> bool:
    entry = run.manifest.stages.get(step)
    return entry is not None and any(shard.counts.ok for shard in entry.shards.values())


def _of(critiques: Sequence[Critique], principles: Sequence[str]) -> tuple[Critique, ...]:
    """The critiques under a pair's own principles; all of them where the whole constitution was asked at once."""
    asked = set(principles) - {""}
    return tuple(critique for critique in critiques if not asked or critique.principle in asked)
