"""The first steps of a run: takes the prompts on, in an order that only ever grows, and responses that were given with them.

A run's prompts are those it has recorded, then those of the input that it has not, so that shards stay what they are when the input
grows, shrinks or changes its order. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generate.prompt_shards import PromptShards
from generate.prompts import open_prompts
from generate.samples import read_samples
from generate.spool import Spool
from tenet.errors import UsageError
from tenet.ids import Json
from tenet.records import Prompt, Sample
from tenet.runconfig import RunConfig
from tenet.runs import Row, Run, Stage
from tenet.runs.codec import R

PROMPTS, SAMPLES = "prompts", "samples"


@dataclass(frozen=True)
class Input:
    """What a run's configuration brings: prompts, with responses where they are `given`, and the counts of the reading."""

    spool: Spool
    given: bool
    lines: tuple[str, ...]
    counts: Json

    @property
    def digest(self) -> str:
        """SHA-256 over the prompts' and the given responses' ids, in order."""
        return self.spool.digest

    def close(self) -> None:
        """Let go of what was read."""
        self.spool.close()


def read_input(config: RunConfig) -> Input:
    """Read the prompts, or the responses with their prompts, that a configuration names.

    Raises:
        UsageError: the configuration names neither.
        MissingInput, InvalidInput: as `generate.prompts.open_prompts` does when it is iterated, and `generate.samples.read_samples`.
    """
    if config.samples is not None:
        found = read_samples(config.samples)
        return Input(found.spool, True, tuple(found.counts.lines()), found.counts.as_json())
    if config.prompts is None:
        raise UsageError("no prompts to answer", hint="add `prompts: {path: FILE}` to run.yaml, or give --prompts FILE")
    spool = Spool()
    stream = open_prompts(config.prompts)
    for prompt in stream:
        spool.add(prompt)
    return Input(spool, False, tuple(stream.counts.lines()), stream.counts.as_json())


def take_on(run: Run, found: Input) -> PromptShards:
    """Record what the input has and the run has not; gives all prompts of the run in their order.

    Given responses are recorded with their prompts.
    """
    stage = run.stage(PROMPTS, Prompt)
    coming = PromptShards(stage, found.spool)
    for number in range(len(coming)):
        _record(stage, number, coming.rows(number))
    taken = PromptShards(stage)
    stage.plan(taken.total)
    if found.given:
        _record_given(run, taken, found.spool)
    return taken


def _record_given(run: Run, taken: PromptShards, spool: Spool) -> None:
    stage = run.stage(SAMPLES, Sample)
    total = 0
    for number, shard in enumerate(taken):
        given = spool.given(prompt.id for prompt in shard)
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
