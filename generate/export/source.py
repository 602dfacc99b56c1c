"""What an export is made from: pairs and revisions with their texts, in the order of the prompts.

Knows no run folder (whoever calls builds the source from one) and no file format. The split of a row follows
from its prompt's id alone, so a prompt stands on the same side in every format, every run and every release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tenet.ids import Json, unit_interval
from tenet.records import Critique, Finish, PreferencePair, Prompt, Revision, Sample

TEST_SHARE: Final = 0.05
TRAIN: Final = "train"
TEST: Final = "test"


@dataclass(frozen=True, slots=True)
class PairRow:
    """A pair with its texts.

    `critiques` are those of its two samples, in the order in which they are to be read.
    """

    prompt: Prompt
    pair: PreferencePair
    chosen: Sample
    rejected: Sample
    critiques: tuple[Critique, ...] = ()

    def critique_of(self, sample_id: str) -> str | None:
        """The critiques of one sample as a text, several under their principles; None if there is none."""
        found = [critique for critique in self.critiques if critique.sample_id == sample_id and critique.text.strip()]
        if len(found) < 2:
            return found[0].text if found else None
        return "\n\n".join(f"{critique.principle}: {critique.text}" for critique in found)


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One round of revision of a sample; the rounds of one sample follow one another.

    `p_better` is P(the revision is better than the original) by the judge, None where it was not asked about this one. Not
    `kept`: it failed, was cut off or changed nothing, and the next round went on without it.
    """

    prompt: Prompt
    original: Sample
    revision: Revision
    p_better: float | None = None
    kept: bool = True


def _none() -> Iterator[RevisionRow]:
    return iter(())


@dataclass(frozen=True)
class ExportSource:
    """Where exporters read.

    `pairs` and `revisions` start anew at each call, prompt by prompt, in a fixed order.

    `has_critiques` decides whether there are columns for them, before the first row is read. `provenance`
    (the judge, the principles, the seed) goes into every file; it must not hold times or paths, or equal runs
    would differ in bytes.
    """

    pairs: Callable[[], Iterator[PairRow]]
    revisions: Callable[[], Iterator[RevisionRow]] = _none
    has_critiques: bool = False
    has_revisions: bool = False
    test_share: float = TEST_SHARE
    provenance: Mapping[str, Json] = field(default_factory=dict)


def split_of(prompt_id: str, test_share: float = TEST_SHARE) -> str:
    """Return "train" or "test", by the prompt's id alone; a larger share only moves prompts to test."""
    return TEST if unit_interval("split", prompt_id) < test_share else TRAIN


def as_sample(revision: Revision) -> Sample:
    """Return a revision as a sample of the model that wrote it, so that it can stand in a pair."""
    return Sample(
        id=revision.id,
        prompt_id=revision.prompt_id,
        index=revision.round,
        text=revision.text,
        policy=revision.model,
        finish=Finish.ERROR if revision.finish is Finish.ERROR else Finish.GIVEN,
        reason=revision.reason,
    )
