"""The critique-and-revision stages: rewrite responses round by round (Bai et al. 2022, section 3.1).

A round criticises the current text of each response under one principle and rewrites it where the critique finds the principle not
followed. The principle is drawn anew each round, by content, among those that apply and were not asked of this very text before: what
follows one principle is held against another in the next round, and a response that follows all of them is asked about no more. Every
round has two stages of its own, so that an edited principle supersedes its rows round by round. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from constitution.model import Principle
from engines.base import Engine
from generate.context import Context, Step
from generate.jobs import Address, Job, Part, carry_out
from generate.judging import criticise
from generate.revision_chain import (
    Chain,
    chain_of,
    critique_stage_name,
    next_principle,
    recorded,
    rounds_of,
    stage_name,
    to_revise,
)
from generate.shards import LazyShards
from generate.spending import JUDGE, need
from generate.supersede import supersede
from judges.critique import CritiqueAsk, CritiqueJudge
from judges.revise import REVISE_PARAMS, ReviseAsk, Reviser
from tenet.records import Critique, Finish, Prompt, Revision, Verdict
from tenet.runconfig import ReviseConfig
from tenet.runs import Row, Stage
from tenet.runs.codec import R
from tenet.workers.local import Task

T = TypeVar("T")


@dataclass(frozen=True)
class Turn:
    """A response that a round looks at, with what earlier rounds made of it, and the principle that it is held against."""

    prompt: Prompt
    chain: Chain
    principle: Principle


def make_reviser(engine: Engine, config: ReviseConfig) -> Reviser:
    """The editor that a run's configuration asks for. Raises JudgeUnfit where the engine does not write."""
    return Reviser(engine, params=replace(REVISE_PARAMS, max_tokens=config.max_tokens))


@dataclass(frozen=True)
class Round:
    """One round over all shards; finds its turns in what earlier rounds have recorded."""

    context: Context
    config: ReviseConfig
    critic: CritiqueJudge
    reviser: Reviser
    number: int

    @property
    def critiques(self) -> Stage[Critique]:
        """Where this round's critiques are."""
        return self.context.run.stage(critique_stage_name(self.number), Critique)

    @property
    def revisions(self) -> Stage[Revision]:
        """Where this round's revisions are."""
        return self.context.run.stage(stage_name(self.number), Revision)

    def turns(self, shard: int) -> Iterator[Turn]:
        """The responses that this round looks at, in the order of the prompts."""
        samples = self.context.samples(shard)
        earlier = recorded(self.context.run, shard, range(1, self.number))
        seed, constitution = self.context.config.seed, self.context.constitution
        for prompt in self.context.shards[shard]:
            for original in to_revise(samples.get(prompt.id, ()), self.config):
                chain = chain_of(original, earlier)
                principle = next_principle(constitution, prompt, seed, self.number, chain.asked)
                if principle is not None:
                    yield Turn(prompt, chain, principle)

    def critique_tasks(self, shard: int) -> list[Task[CritiqueAsk]]:
        """What is asked of the critic."""
        asks = (
            ask for turn in self.turns(shard) for ask in self.critic.asks(turn.prompt, turn.chain.shown, turn.principle)
        )
        return [Task(ask.record_id, ask) for ask in asks]

    def revision_tasks(self, shard: int) -> list[Task[ReviseAsk]]:
        """What is asked of the reviser: the turns whose critique says that the principle is not followed."""
        held = {critique.id: critique for critique in self.critiques.records(shard)}
        tasks: list[Task[ReviseAsk]] = []
        for turn in self.turns(shard):
            for ask in self.critic.asks(turn.prompt, turn.chain.shown, turn.principle):
                critique = held.get(ask.record_id)
                if critique is not None and critique.verdict is Verdict.NO:
                    asks = self.reviser.asks(turn.prompt, turn.chain.current, turn.principle, critique)
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


def revise_samples(context: Context, config: ReviseConfig, critic: CritiqueJudge, reviser: Reviser) -> None:
    """Carry out all rounds, asking only what is not recorded; rounds beyond those asked for are moved aside.

    Raises:
        TooManyFailures: more than `max_failures` of a round's critiques or revisions failed.
    """
    for number in range(1, config.rounds + 1):
        one = Round(context, config, critic, reviser, number)
        said = f"revising, round {number} of {config.rounds}"
        _run(context, one.critique_job(f"{said}: critiques"))
        _run(context, one.revision_job(f"{said}: rewriting"))
    for number in rounds_of(context.run):
        if number > config.rounds:
            beyond = Round(context, config, critic, reviser, number)
            supersede(context.run, beyond.critiques, ())
            supersede(context.run, beyond.revisions, ())


def _run(context: Context, job: Job[T, R]) -> None:
    supersede(context.run, job.stage, job.shards)
    carry_out(context, job)
