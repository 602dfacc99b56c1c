"""A seeded sample of a run's judged pairs, one a prompt, so that prompts are independent. Asks nobody.

Prompts are drawn by the digest of (seed, prompt), and of each its pair by the digest of (seed, pair): the same seed gives the same pairs
however often it is asked, and a larger sample holds a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest

from generate.context import Step, by_prompt
from generate.prompt_shards import PromptShards
from generate.reach import showings
from tenet.errors import UsageError
from tenet.ids import content_id
from tenet.records import Judgement, Prompt, Sample
from tenet.runs import Run


@dataclass(frozen=True)
class Case:
    """A pair of the run; which response is `a` is drawn."""

    prompt: Prompt
    a: Sample
    b: Sample


@dataclass(frozen=True)
class Drawn:
    """The sample, and how many pairs and prompts with a pair the run has."""

    cases: tuple[Case, ...]
    pairs: int
    prompts: int


def draw(run: Run, shards: PromptShards, *, size: int, seed: int) -> Drawn:
    """Draw `size` prompts with one pair each, in the order of the prompts' ids; all prompts where there are no more.

    Raises:
        UsageError: the run has judged no pair.
        MissingInput: a shard does not read back.
    """
    counted = [0, 0]
    drawn = nsmallest(
        size, _candidates(run, shards, seed, counted), key=lambda case: content_id("audit", seed, case.prompt.id)
    )
    if not drawn:
        raise UsageError(
            f"{run.path} has no judged pair to audit its judge on", hint=f"judge first, with: {run.command}"
        )
    return Drawn(tuple(sorted(drawn, key=lambda case: case.prompt.id)), *counted)


def _candidates(run: Run, shards: PromptShards, seed: int, counted: list[int]) -> Iterator[Case]:
    judged, sampled = run.stage(Step.JUDGEMENTS, Judgement), run.stage(Step.SAMPLES, Sample)
    for number, prompts in enumerate(shards):
        shown = showings(judged.records(number, ok=None))
        samples = by_prompt(sampled.records(number)) if shown else {}
        for prompt in prompts:
            named = {one.id: one for one in samples.get(prompt.id, ()) if one.usable}
            pairs = [pair for pair in shown.get(prompt.id, {}) if named.keys() >= {*pair}]
            if not pairs:
                continue
            counted[0] += len(pairs)
            counted[1] += 1
            pair = min(pairs, key=lambda one: content_id("audit-pair", seed, prompt.id, *one))
            a, b = sorted(pair, key=lambda one: content_id("audit-first", seed, prompt.id, one))
            yield Case(prompt, named[a], named[b])
