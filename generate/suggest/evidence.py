"""The pairs of a run that people have labelled, parted by prompt into those that choose candidates and those that measure them.

A prompt's part follows from its id and the seed alone, so more labels leave the others where they are. Labels of one pair are
averaged, and what is then even has no winner and is left out; each pair counts once, whatever the chance with which it was drawn for
labelling. A label that was given under one principle is not about which response is better as a whole, and is left out too. Knows
no judge.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from generate.context import Step, by_prompt
from generate.coverage.people import People
from generate.reach import Case
from generate.report.walk import records_of, shards
from tenet.errors import UsageError
from tenet.ids import unit_interval
from tenet.records import Label, Prompt, Sample
from tenet.runs import Run

LEAST_PROMPTS: Final = 10
"""Fewest labelled prompts on either side of the split; with fewer no interval says anything."""
_EVEN: Final = 1e-9


@dataclass(frozen=True)
class Labelled:
    """A pair of a run, and which response people prefer: whether it is the one with the smaller id (`case.a`)."""

    case: Case
    a_wins: bool
    held_out: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """The prompt and the pair."""
        return self.case.key


@dataclass(frozen=True)
class Evidence:
    """What people say of a run: `labels` were given, `matched` of them are about a pair of the run as a whole, `ties` pairs are even."""

    pairs: tuple[Labelled, ...]
    labels: int
    matched: int
    ties: int

    @property
    def fit(self) -> tuple[Labelled, ...]:
        """The pairs that choose candidates."""
        return tuple(one for one in self.pairs if not one.held_out)

    @property
    def held_out(self) -> tuple[Labelled, ...]:
        """The pairs that measure them."""
        return tuple(one for one in self.pairs if one.held_out)

    def require_enough(self) -> None:
        """Make sure that there is something to choose by and something to measure with.

        Raises:
            UsageError: no label is about a pair of the run, all are even, or either part has fewer than `LEAST_PROMPTS` prompts.
        """
        if not self.matched:
            raise UsageError(
                f"none of the {self.labels:,} labels is about a pair of this run as a whole",
                hint="a label names its prompt and both responses by their texts, and no `principle`; label pairs of this run",
            )
        if not self.pairs:
            raise UsageError(
                f"all {self.ties:,} labelled pairs of the run are ties: they prefer nothing that a principle could explain",
                hint="label pairs of which people prefer one response",
            )
        prompts = [len({one.case.prompt.id for one in part}) for part in (self.fit, self.held_out)]
        if min(prompts) < LEAST_PROMPTS:
            raise UsageError(
                f"too few labels: {prompts[0]:,} prompts to choose by and {prompts[1]:,} held out; {LEAST_PROMPTS} of each are needed",
                hint="label pairs of more prompts, or change the share that is held out with --held-out",
            )


def gather(run: Run, labels: Collection[Label], *, share: float, seed: int) -> Evidence:
    """Find a run's pairs that labels are about, and hold out the prompts of a `share` of them.

    Raises:
        MissingInput: a shard does not read back.
    """
    people = People(one for one in labels if one.principle is None)
    pairs: list[Labelled] = []
    matched = ties = 0
    for shard in shards(run):
        samples = by_prompt(records_of(run, Step.SAMPLES, Sample, shard))
        for prompt in records_of(run, Step.PROMPTS, Prompt, shard):
            told = people.told(prompt.id, samples.get(prompt.id, ()))
            matched += told.labels
            held_out = unit_interval("suggest", seed, prompt.id) < share
            for (_, a, b), votes in sorted(told.votes.items()):
                if abs(votes[""] - 0.5) < _EVEN:
                    ties += 1
                else:
                    pairs.append(Labelled(_case(prompt, samples[prompt.id], a, b), votes[""] > 0.5, held_out))
    return Evidence(tuple(pairs), len(labels), matched, ties)


def _case(prompt: Prompt, samples: Iterable[Sample], a: str, b: str) -> Case:
    named = {sample.id: sample for sample in samples}
    return Case(prompt, named[a], named[b], ((a, b), (b, a)))
