"""The first steps of a run: takes the prompts on, in an order that only ever grows, and responses that were given with them.

A run's prompts are those it has recorded, then those of the input that it has not, so that shards stay what they are when the input
grows, shrinks or changes its order. Knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generate.prompts import read_prompts
from generate.samples import read_samples
from generate.shards import shards_of
from tenet.errors import UsageError
from tenet.ids import Json, digest
from tenet.records import Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Row, Run, Stage
from tenet.runs.codec import R

PROMPTS, SAMPLES = "prompts", "samples"


@dataclass(frozen=True)
class Input:
    """What a run's configuration brings: prompts, the responses given with them (by prompt id), and the counts of the reading."""

    prompts: tuple[Prompt, ...]
    given: Mapping[str, tuple[Sample, ...]]
    lines: tuple[str, ...]
    counts: Json

    @property
    def digest(self) -> str:
        """SHA-256 over the prompts' and the given responses' ids, in order."""
        return digest([[prompt.id, [sample.id for sample in self.given.get(prompt.id, ())]] for prompt in self.prompts])


def read_input(config: RunConfig) -> Input:
    """Read the prompts, or the responses with their prompts, that a configuration names.

    Raises:
        UsageError: the configuration names neither.
        MissingInput, InvalidInput: as `generate.prompts.read_prompts` and `generate.samples.read_samples`.
    """
    if config.samples is not None:
        found = read_samples(config.samples)
        return Input(found.prompts, found.samples, tuple(found.counts.lines()), found.counts.as_json())
    if config.prompts is None:
        raise UsageError("no prompts to answer", hint="add `prompts: {path: FILE}` to run.yaml, or give --prompts FILE")
    read = read_prompts(config.prompts)
    return Input(read.prompts, {}, tuple(read.counts.lines()), read.counts.as_json())


def recorded_prompts(run: Run) -> list[Prompt]:
    """The prompts that a run has taken on, in their order."""
    stage = run.stage(PROMPTS, Prompt)
    return list(stage.records())


def take_on(run: Run, found: Input) -> list[Prompt]:
    """Record what the input has and the run has not; gives all prompts of the run in their order.

    Given responses are recorded with their prompts.
    """
    known = recorded_prompts(run)
    ids = {prompt.id for prompt in known}
    prompts = known + [prompt for prompt in found.prompts if prompt.id not in ids]
    stage = run.stage(PROMPTS, Prompt)
    rows = [Row(_key(place), prompt, ok=True) for place, prompt in enumerate(prompts)]
    for number, shard in enumerate(shards_of(rows)):
        _record(stage, number, shard)
    stage.plan(len(prompts))
    if found.given:
        _record_given(run, prompts, found.given)
    return prompts


def _record_given(run: Run, prompts: Sequence[Prompt], given: Mapping[str, tuple[Sample, ...]]) -> None:
    stage = run.stage(SAMPLES, Sample)
    total = 0
    for number, shard in enumerate(shards_of(prompts)):
        samples = [sample for prompt in shard for sample in given.get(prompt.id, ())]
        _record(stage, number, [Row(sample.id, sample, ok=True) for sample in samples])
        total += len(samples)
    stage.plan(total)


def _record(stage: Stage[R], shard: int, rows: Sequence[Row[R]]) -> None:
    """Put what a shard lacks, and publish it."""
    held = stage.keys(shard)
    owed = [row for row in rows if row.key not in held]
    if owed:
        stage.reopen(shard)
        stage.put(shard, owed)
    stage.publish(shard)


def _key(place: int) -> str:
    """The key of the prompt at this place: it sorts as the place does."""
    return f"{place:012d}"
