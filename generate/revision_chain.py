"""What the rounds made of one response, read back from the records: critique, revision, critique, and so on, and the text it has now.

Which principle a round asks of a response depends on what is recorded of it: none is asked twice of the same text, and once all
that apply have been asked of it, the response is done. A revision that failed, was cut off or changed nothing is part of the
record and no more: the rounds go on with the text before it. Knows no model and asks nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from constitution.model import Constitution, Principle
from constitution.select import draw
from generate.context import Step, by_prompt
from generate.schedule import field_of
from judges.revise import as_sample
from tenet.ids import seed_from
from tenet.records import Critique, Prompt, Revision, Sample
from tenet.runconfig import ReviseConfig
from tenet.runs import Run

CRITIQUES: Final = "revision-critiques"


def stage_name(number: int) -> str:
    """The stage of a round's revisions."""
    return f"{Step.REVISIONS}-{number}"


def critique_stage_name(number: int) -> str:
    """The stage of a round's critiques."""
    return f"{CRITIQUES}-{number}"


def rounds_of(run: Run) -> list[int]:
    """The rounds that a run holds revisions of, rising."""
    prefix = f"{Step.REVISIONS}-"
    found = [name.removeprefix(prefix) for name in run.manifest.stages if name.startswith(prefix)]
    return sorted(int(number) for number in found if number.isdigit())


@dataclass(frozen=True, slots=True)
class Link:
    """What one round said of a response, and the revision that it asked for, if any; `kept` where that became the response's text."""

    number: int
    critique: Critique
    revision: Revision | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """A response and what the rounds made of it."""

    original: Sample
    links: tuple[Link, ...] = ()

    @property
    def current(self) -> Sample | Revision:
        """The text as it is now: the last revision that can be used, or the response itself."""
        return self.kept[-1] if self.kept else self.original

    @property
    def kept(self) -> tuple[Revision, ...]:
        """The revisions that became its text, in the order of the rounds."""
        return tuple(link.revision for link in self.links if link.kept and link.revision is not None)

    @property
    def shown(self) -> Sample:
        """The current text as a sample."""
        current = self.current
        return as_sample(current, self.original) if isinstance(current, Revision) else current

    @property
    def asked(self) -> frozenset[str]:
        """The principles that were asked of the current text already."""
        name = self.current.id
        return frozenset(link.critique.principle for link in self.links if link.critique.sample_id == name)

    @property
    def principles(self) -> tuple[str, ...]:
        """The principles that its revisions were made under, each once, in the order of the rounds."""
        return tuple(dict.fromkeys(one.principle for one in self.kept))


@dataclass(frozen=True, slots=True)
class RoundRecords:
    """What a round has recorded of a shard: critiques by the text they are about, revisions by the text they were made from."""

    number: int
    critiques: Mapping[str, Critique]
    revisions: Mapping[str, Revision]


def recorded(run: Run, shard: int, rounds: Collection[int]) -> list[RoundRecords]:
    """What rounds have recorded of a shard, failures too."""
    return [
        RoundRecords(
            number,
            {one.sample_id: one for one in run.stage(critique_stage_name(number), Critique).records(shard, ok=None)},
            {one.parent_id: one for one in run.stage(stage_name(number), Revision).records(shard, ok=None)},
        )
        for number in sorted(rounds)
    ]


def chain_of(original: Sample, rounds: Sequence[RoundRecords]) -> Chain:
    """Follow a response through rounds, in their order."""
    chain = Chain(original)
    for one in rounds:
        critique = one.critiques.get(chain.current.id)
        if critique is not None:
            revision = one.revisions.get(chain.current.id)
            chain = follow(chain, one.number, critique, revision)
    return chain


def follow(chain: Chain, number: int, critique: Critique, revision: Revision | None) -> Chain:
    """The chain with one more round; a revision of another critique is none of this chain's."""
    if revision is None or revision.critique_id != critique.id:
        return Chain(chain.original, (*chain.links, Link(number, critique)))
    kept = revision.usable and revision.text.strip() != chain.current.text.strip()
    return Chain(chain.original, (*chain.links, Link(number, critique, revision, kept)))


def chains_of(run: Run, prompts: Sequence[Prompt], shard: int) -> Iterator[tuple[Prompt, Chain]]:
    """Every response of a shard that a round has looked at, in the order of the prompts."""
    rounds = recorded(run, shard, rounds_of(run))
    samples = by_prompt(run.stage(Step.SAMPLES, Sample).records(shard))
    for prompt in prompts:
        for sample in samples.get(prompt.id, ()):
            chain = chain_of(sample, rounds)
            if chain.links:
                yield prompt, chain


def to_revise(samples: Sequence[Sample], config: ReviseConfig) -> tuple[Sample, ...]:
    """Which of a prompt's samples are revised."""
    usable = field_of(samples).samples
    return usable if config.samples == "all" else usable[:1]


def next_principle(
    constitution: Constitution, prompt: Prompt, seed: int, number: int, asked: Collection[str]
) -> Principle | None:
    """The principle that a round asks of a text of which others were `asked`; None where all that apply were: the text is done."""
    return draw(constitution, prompt, seed_from(seed, "revise", number), without=asked)
