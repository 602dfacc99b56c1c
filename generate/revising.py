"""The critique-and-revision stages: rewrite the first usable sample of each prompt, round by round (Bai et al. 2022, section 3.1).

A round criticises the current text under a principle and rewrites it where the critique finds the principle not followed; what follows it
already is left alone. The principle of each round is drawn anew by content. Every round has two stages of its own, so that an edited
principle supersedes its rows round by round. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from constitution.model import Principle
from constitution.select import draw
from generate.context import Context, Step
from generate.jobs import Address, Job, Part, carry_out
from generate.judging import criticise
from generate.schedule import field_of
from generate.shards import LazyShards
from generate.spending import JUDGE, need
from generate.supersede import supersede
from judges.critique import CritiqueAsk, CritiqueJudge
from judges.revise import ReviseAsk, Reviser, as_sample
from tenet.ids import seed_from
from tenet.records import Critique, Finish, Prompt, Revision, Sample, Verdict
from tenet.runs import Row, Run, Stage
from tenet.runs.codec import R
from tenet.workers.local import Task

T = TypeVar("T")

CRITIQUES: Final = "revision-critiques"


def stage_name(number: int) -> str:
    """The stage of a round's revisions."""
    return f"{Step.REVISIONS}-{number}"


def rounds_of(run: Run) -> list[int]:
    """The rounds that a run holds revisions of, rising."""
    prefix = f"{Step.REVISIONS}-"
    found = [name.removeprefix(prefix) for name in run.manifest.stages if name.startswith(prefix)]
    return sorted(int(number) for number in found if number.isdigit())


@dataclass(frozen=True)
class Turn:
    """A response that a round may rewrite: the original sample, or the revision of an earlier round."""

    prompt: Prompt
    original: Sample
    current: Sample | Revision
    principle: Principle

    @property
    def shown(self) -> Sample:
        """The current text as a sample."""
        return as_sample(self.current, self.original) if isinstance(self.current, Revision) else self.current


@dataclass(frozen=True)
class Round:
    """One round over all shards; finds its turns in what earlier rounds have recorded."""

    context: Context
    critic: CritiqueJudge
    reviser: Reviser
    number: int

    @property
    def critiques(self) -> Stage[Critique]:
        """Where this round's critiques are."""
        return self.context.run.stage(f"{CRITIQUES}-{self.number}", Critique)

    @property
    def revisions(self) -> Stage[Revision]:
        """Where this round's revisions are."""
        return self.context.run.stage(stage_name(self.number), Revision)

    def turns(self, shard: int) -> Iterator[Turn]:
        """The responses that this round looks at, in the order of the prompts."""
        samples = self.context.samples(shard)
        made: dict[str, Revision] = {}
        for earlier in range(1, self.number):
            stage = self.context.run.stage(stage_name(earlier), Revision)
            made.update(
                {
                    revision.parent_id: revision
                    for revision in stage.records(shard)
                    if revision.finish is not Finish.ERROR
                }
            )
        seed = seed_from(self.context.config.seed, "revise", self.number)
        for prompt in self.context.shards[shard]:
            usable = field_of(samples.get(prompt.id, ())).samples
            principle = draw(self.context.constitution, prompt, seed)
            if usable and principle is not None:
                yield Turn(prompt, usable[0], _latest(usable[0], made), principle)

    def critique_tasks(self, shard: int) -> list[Task[CritiqueAsk]]:
        """What is asked of the critic."""
        asks = (ask for turn in self.turns(shard) for ask in self.critic.asks(turn.prompt, turn.shown, turn.principle))
        return [Task(ask.record_id, ask) for ask in asks]

    def revision_tasks(self, shard: int) -> list[Task[ReviseAsk]]:
        """What is asked of the reviser: the turns whose critique says that the principle is not followed."""
        held = {critique.id: critique for critique in self.critiques.records(shard)}
        tasks: list[Task[ReviseAsk]] = []
        for turn in self.turns(shard):
            for ask in self.critic.asks(turn.prompt, turn.shown, turn.principle):
                critique = held.get(ask.record_id)
                if critique is not None and critique.verdict is Verdict.NO:
                    asks = self.reviser.asks(turn.prompt, turn.current, turn.principle, critique)
                    tasks += [Task(one.record_id, one) for one in asks]
        return tasks

    def revise(self, tasks: Iterable[Task[ReviseAsk]]) -> Iterator[Row[Revision]]:
        """Ask the reviser."""
        for found in self.reviser.stream(task.payload for task in tasks):
            yield Row(found.id, found, ok=found.finish is not Finish.ERROR, reason=found.reason)

    def critique_job(self, title: str) -> Job[CritiqueAsk, Critique]:
        """The critiques of the round."""
        return Job(
            Address(Part.ROUND_CRITIQUES, self.number), Step.REVISIONS, JUDGE, title, self.critiques,
            LazyShards(len(self.context.shards), self.critique_tasks), partial(criticise, self.critic),
            need(self.critic.params), servers=self.critic.engine.stats,
        )  # fmt: skip

    def revision_job(self, title: str) -> Job[ReviseAsk, Revision]:
        """The revisions of the round."""
        return Job(
            Address(Part.ROUND_REVISIONS, self.number), Step.REVISIONS, JUDGE, title, self.revisions,
            LazyShards(len(self.context.shards), self.revision_tasks), self.revise, need(self.reviser.params),
            servers=self.reviser.engine.stats,
        )  # fmt: skip


def revise_samples(context: Context, critic: CritiqueJudge, reviser: Reviser, rounds: int) -> None:
    """Carry out all rounds, asking only what is not recorded.

    Raises:
        TooManyFailures: more than `max_failures` of a round's critiques or revisions failed.
    """
    for number in range(1, rounds + 1):
        one = Round(context, critic, reviser, number)
        said = f"revising, round {number} of {rounds}"
        _run(context, one.critique_job(f"{said}: critiques"))
        _run(context, one.revision_job(f"{said}: rewriting"))


def _run(context: Context, job: Job[T, R]) -> None:
    supersede(context.run, job.stage, job.shards)
    carry_out(context, job)


def _latest(sample: Sample, made: dict[str, Revision]) -> Sample | Revision:
    """The end of the chain of revisions that begins with a sample."""
    current: Sample | Revision = sample
    while current.id in made:
        current = made[current.id]
    return current
